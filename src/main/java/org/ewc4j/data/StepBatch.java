package org.ewc4j.data;

import java.util.ArrayList;
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

    /** Rows of the largest micro-batch. */
    public int largestMicroBatch() {
        return microBatches.stream().mapToInt(Batch::rows).max().orElse(0);
    }

    /** The same examples in micro-batches of at most so many rows: the same gradient, up to rounding. */
    public StepBatch inMicroBatchesOf(int rows) {
        if (largestMicroBatch() <= rows) {
            return this;
        }
        List<Batch> parts = new ArrayList<>();
        for (Batch batch : microBatches) {
            for (int from = 0; from < batch.rows(); from += rows) {
                parts.add(batch.part(from, Math.min(from + rows, batch.rows())));
            }
        }
        return new StepBatch(epoch, parts);
    }
}
