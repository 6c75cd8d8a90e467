package org.ewc4j.fisher;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import org.ewc4j.config.EwcConfig;
import org.ewc4j.data.Batch;
import org.ewc4j.data.BatchLoader;
import org.ewc4j.data.RowLimit;
import org.ewc4j.data.StepBatch;
import org.ewc4j.data.TokenizedRow;
import org.ewc4j.model.CausalLm;

/**
 * The rows that a Fisher pass may read, and how they come.
 *
 * @param rows a task's training rows in file order
 * @param task index of the task, which takes part in what is drawn
 * @param batchSize rows of a batch where the configuration names no other
 * @param gradientAccumulation batches whose gradient is squared as one, of the {@code batch} Fisher
 * @param maxLength of the training settings
 * @param seed of what is drawn: rows and labels
 * @param memory how many rows of a batch there is memory for; larger batches are read in parts
 */
public record FisherRows(
        List<TokenizedRow> rows,
        int task,
        int batchSize,
        int gradientAccumulation,
        int maxLength,
        long seed,
        RowLimit memory) {
    public FisherRows {
        rows = List.copyOf(rows);
    }

    /** The batches of the pass, in file order. */
    List<StepBatch> batches(EwcConfig ewc, CausalLm model) {
        int size = ewc.fisherBatchSize().orElse(batchSize);
        int padding = model.specialTokens().padding();
        OptionalInt count = ewc.fisherOptions().maxExamples();
        List<Batch> batches = count.isPresent()
                ? BatchLoader.subset(rows, count.getAsInt(), seed, task, size, padding, maxLength)
                : BatchLoader.inFileOrder(rows, size, padding, maxLength);
        List<StepBatch> groups = new ArrayList<>();
        for (int from = 0; from < batches.size(); from += gradientAccumulation) {
            groups.add(new StepBatch(0, batches.subList(from, Math.min(batches.size(), from + gradientAccumulation))));
        }
        return groups;
    }
}
