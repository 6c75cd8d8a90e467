/**
 * Learns one task: epochs, steps, the optimizer.
 *
 * <p>Owns: the order of a step (forward, backward, norms, clipping, AdamW with the penalty folded in), the learning-rate
 * schedule, the moments and the step count that carry over between tasks, and what is reported of a step.
 *
 * <p>Does not own: which task comes next ({@code ContinualLearner}), batches ({@code data}), the penalty ({@code consolidation}),
 * files ({@code report}).
 *
 * <p>May call: {@code consolidation} and what lies below it; not {@code eval}.
 */
package org.ewc4j.train;
