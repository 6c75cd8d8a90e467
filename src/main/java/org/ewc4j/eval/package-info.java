/**
 * Scoring: asks a model the questions of the tasks, compares the answers, and reduces the scores to the accuracy matrix
 * and the metrics of continual learning. Owns no native memory and no files; may call {@code model}, {@code data},
 * {@code task}, {@code config} and below.
 */
package org.ewc4j.eval;
