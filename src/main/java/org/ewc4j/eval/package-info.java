/**
 * Scoring: asks a model the questions of the tasks, compares the answers, and reduces the scores to the accuracy matrix
 * and the metrics of continual learning.
 *
 * <p>Owns: what counts as a right answer, the matrix, the metrics.
 *
 * <p>Does not own: native memory, files ({@code report}), when is evaluated ({@code ContinualRun}).
 *
 * <p>May call: {@code model} and what lies below it.
 */
package org.ewc4j.eval;
