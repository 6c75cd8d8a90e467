package org.ewc4j.data;

import java.util.List;

/**
 * What one optimizer step reads: the micro-batches over which its gradient is accumulated.
 *
 * @param epoch from 0
 * @param microBatches in order, never across an epoch
 */
public record StepBatch(int epoch, List<Batch> microBatches) {
    public StepBatch {
        microBatches = List.copyOf(microBatches);
    }

    public int examples() {
        return microBatches.stream().mapToInt(Batch::rows).sum();
    }

    public long tokens() {
        return microBatches.stream().mapToLong(Batch::tokens).sum();
    }

    public long scoredPositions() {
        return microBatches.stream().mapToLong(Batch::scoredPositions).sum();
    }
}
