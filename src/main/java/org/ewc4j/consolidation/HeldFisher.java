package org.ewc4j.consolidation;

import org.ewc4j.fisher.FisherRecord;

/**
 * One of the Fishers that a consolidation holds. λ has another meaning for another kind, unit or batch size, so a
 * consolidation tells what it is made of.
 *
 * @param task name of the task
 * @param estimate what was estimated, and how
 */
public record HeldFisher(String task, FisherRecord estimate) {}
