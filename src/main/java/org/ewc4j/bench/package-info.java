/**
 * What {@code ewc4j bench} measures: the native kernels against the machine's copy bandwidth, and a training step with EWC
 * against one without, on a model of a public shape with random weights.
 *
 * <p>Owns: the shapes, the order of the measurements, and the figures as text and JSON.
 *
 * <p>Does not own: anything that it measures. The step that is timed is the trainer's, the Fisher pass the estimator's.
 *
 * <p>May call: {@code train}, {@code consolidation} and what lies below them. Does not print.
 */
package org.ewc4j.bench;
