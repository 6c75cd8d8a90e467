package org.ewc4j.fisher;

import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.IntConsumer;
import java.util.function.IntUnaryOperator;
import org.ewc4j.config.FisherOptions.Unit;
import org.ewc4j.data.RowLimit;
import org.ewc4j.data.StepBatch;
import org.ewc4j.error.RunFailedException;

/** What the estimators that read rows have in common. */
final class FisherPass {
    private FisherPass() {}

    /** What the estimate is divided by: examples or scored tokens. */
    static long total(List<StepBatch> batches, Unit unit) {
        return batches.stream()
                .mapToLong(unit == Unit.TOKEN ? StepBatch::scoredPositions : StepBatch::examples)
                .sum();
    }

    /**
     * Reads the batches that were not read before, and tells how many examples have been read behind each. Where there is no
     * memory for a batch, it and all behind it are read in smaller micro-batches.
     *
     * @param done examples that were read before, in whole batches
     * @param takeBack given how many examples the estimate held before a batch failed, puts it back to where it holds what
     *     it had of some number of whole batches, and gives that number: reading goes on behind them
     */
    static void forEach(
            List<StepBatch> batches,
            int done,
            RowLimit memory,
            IntConsumer progress,
            IntUnaryOperator takeBack,
            Consumer<StepBatch> read) {
        int held = done;
        int next = 0;
        int before = 0;
        while (next < batches.size()) {
            int behind = before + batches.get(next).examples();
            if (behind > held) {
                if (!isRead(batches.get(next), memory, read)) {
                    held = takeBack.applyAsInt(before);
                    next = 0;
                    before = 0;
                    continue;
                }
                progress.accept(behind);
            }
            next++;
            before = behind;
        }
    }

    /** Whether there was memory to read a batch; where there was not, the limit is lower now. */
    private static boolean isRead(StepBatch batch, RowLimit memory, Consumer<StepBatch> read) {
        StepBatch parts = batch.inMicroBatchesOf(memory.rows());
        try {
            read.accept(parts);
            return true;
        } catch (RuntimeException | OutOfMemoryError e) {
            memory.halve(e, parts.largestMicroBatch(), "the Fisher pass");
            return false;
        }
    }

    /** @throws RunFailedException naming the rows, unless the value is finite */
    static void requireFinite(double value, String what, StepBatch batch) {
        if (!Double.isFinite(value)) {
            int[] rows = batch.microBatches().stream()
                    .flatMapToInt(microBatch -> Arrays.stream(microBatch.examples()))
                    .toArray();
            throw RunFailedException.diverged("the Fisher pass met " + what + " of " + value
                    + " on the batch of training rows " + Arrays.toString(rows));
        }
    }
}
