package org.ewc4j.fisher;

import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.IntConsumer;
import org.ewc4j.config.FisherOptions.Unit;
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
     * Reads the batches that were not read before, and tells how many examples have been read behind each.
     *
     * @param done examples that were read before, in whole batches
     */
    static void forEach(List<StepBatch> batches, int done, IntConsumer progress, Consumer<StepBatch> read) {
        int examples = 0;
        for (StepBatch batch : batches) {
            examples += batch.examples();
            if (examples > done) {
                read.accept(batch);
                progress.accept(examples);
            }
        }
    }

    /** @throws RunFailedException naming the rows, unless the value is finite */
    static void requireFinite(double value, String what, StepBatch batch) {
        if (!Double.isFinite(value)) {
            int[] rows = batch.microBatches().stream()
                    .flatMapToInt(microBatch -> Arrays.stream(microBatch.examples()))
                    .toArray();
            throw new RunFailedException("the Fisher pass met " + what + " of " + value
                    + " on the batch of training rows " + Arrays.toString(rows) + "; what was saved before stands");
        }
    }
}
