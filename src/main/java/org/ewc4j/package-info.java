/**
 * The facade: {@code ContinualLearner} learns a sequence of tasks, for each of them train, estimate the Fisher, merge,
 * evaluate.
 *
 * <p>Owns: the order of those phases, what a run may call before the first task and after the last one, and the one place
 * where the learner's parts are opened and closed.
 *
 * <p>Does not own: any of the phases themselves, files in the output folder (listeners of {@link org.ewc4j.report} write
 * them), flags or exit codes ({@code cli}).
 *
 * <p>May call: everything below it, from {@link org.ewc4j.report} down.
 */
package org.ewc4j;
