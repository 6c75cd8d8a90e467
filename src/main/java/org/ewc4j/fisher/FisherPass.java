package org.ewc4j.fisher;

import java.util.Arrays;
import java.util.List;
import java.util.OptionalDouble;
import java.util.function.Consumer;
import java.util.function.ToDoubleFunction;
import java.util.function.UnaryOperator;
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
     * @param before what was read before
     * @param takeBack given what the estimate held before a batch failed, puts it back to where it holds what it had of some
     *     number of whole batches, and gives that: reading goes on behind them
     * @param read takes a batch in, and gives Σ of its token losses
     */
    static void forEach(
            List<StepBatch> batches,
            FisherReading before,
            RowLimit memory,
            Consumer<FisherReading> progress,
            UnaryOperator<FisherReading> takeBack,
            ToDoubleFunction<StepBatch> read) {
        FisherReading held = before;
        int next = 0;
        int behind = 0;
        while (next < batches.size()) {
            behind += batches.get(next).examples();
            if (behind > held.examples()) {
                OptionalDouble losses = read(batches.get(next), memory, read);
                if (losses.isEmpty()) {
                    held = takeBack.apply(held);
                    next = 0;
                    behind = 0;
                    continue;
                }
                held = new FisherReading(behind, held.tokenLosses() + losses.getAsDouble());
                progress.accept(held);
            }
            next++;
        }
    }

    /** Empty where there was no memory to read a batch; the limit is lower then. */
    private static OptionalDouble read(StepBatch batch, RowLimit memory, ToDoubleFunction<StepBatch> read) {
        StepBatch parts = batch.inMicroBatchesOf(memory.rows());
        try {
            return OptionalDouble.of(read.applyAsDouble(parts));
        } catch (RuntimeException | OutOfMemoryError e) {
            memory.halve(e, parts.largestMicroBatch(), "the Fisher pass");
            return OptionalDouble.empty();
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
