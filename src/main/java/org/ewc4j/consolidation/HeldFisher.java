package org.ewc4j.consolidation;

import java.util.OptionalInt;

/**
 * One of the Fishers that a consolidation holds: of what, and how it was estimated. λ has another meaning for another kind,
 * unit or batch size, so a consolidation tells what it is made of.
 *
 * @param task name of the task
 * @param kind as in {@code ewc.fisher}: batch, uniform, …
 * @param unit what the mean is taken over: batch (squares of a batch's mean token loss, weighted by examples), none (a
 *     uniform Fisher), sequence or token
 * @param batchSize rows of a batch in the pass; empty where the estimate does not depend on it
 * @param examples rows that were read
 */
public record HeldFisher(String task, String kind, String unit, OptionalInt batchSize, long examples) {}
