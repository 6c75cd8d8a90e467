package org.ewc4j.consolidation;

import org.ewc4j.fisher.FisherRecord;

/**
 * One of the Fishers that a consolidation holds. λ has another meaning for another kind, unit or batch size, so a
 * consolidation tells what it is made of.
 *
 * @param task name of the task
 * @param estimate what was estimated, and how
 * @param weight how many tasks it counts as, above 0; see {@link MergeSchedule#factor}
 */
public record HeldFisher(String task, FisherRecord estimate, double weight) {
    /** A task's, which counts as one. */
    public HeldFisher(String task, FisherRecord estimate) {
        this(task, estimate, 1);
    }

    public HeldFisher {
        if (!(weight > 0) || Double.isInfinite(weight)) {
            throw new IllegalArgumentException("weight: expected a number above 0, got " + weight);
        }
    }
}
