/**
 * What is kept of the tasks learned so far: the anchor θ*, the merged Fisher F, and which Fishers it holds.
 *
 * <p>Owns: the merge schedules, the quadratic penalty ½ Σ F (θ* − θ)² and its gradient, the
 * consolidation's files, and what can be told of a Fisher that was kept.
 *
 * <p>Does not own: the estimate of one task's Fisher ({@code fisher}), the optimizer step that folds the penalty in
 * ({@code train}), the loops over parameters ({@code kernel}).
 *
 * <p>May call: {@code fisher} and what lies below it.
 */
package org.ewc4j.consolidation;
