package org.ewc4j.fisher;

import java.util.Arrays;
import java.util.List;
import java.util.function.IntConsumer;
import org.ewc4j.data.Batch;
import org.ewc4j.data.StepBatch;
import org.ewc4j.error.RunFailedException;
import org.ewc4j.kernel.Kernels;
import org.ewc4j.model.CausalLm;
import org.ewc4j.tensor.Arena;

/**
 * F = Σ_b n_b g_b² ÷ Σ_b n_b, with g_b the gradient of batch b's mean token loss and n_b its examples: the recipe that EWC
 * for language models was published with. It depends on the batch size: near an optimum the per-example Fisher is about
 * batch × scored² times this one.
 *
 * <p>Dropout is off: it is the Fisher of the model that is used, where the published code leaves dropout on.
 */
public final class BatchFisher implements FisherEstimator {
    private final CausalLm model;
    private final Kernels kernels;
    private final List<StepBatch> batches;

    /** @param batches the task's training rows in file order; the gradient over each one's micro-batches is squared as one */
    public BatchFisher(CausalLm model, Kernels kernels, List<StepBatch> batches) {
        this.model = model;
        this.kernels = kernels;
        this.batches = List.copyOf(batches);
    }

    @Override
    public void accumulateInto(Arena fisher, double weight, IntConsumer progress) {
        long examples = batches.stream().mapToLong(StepBatch::examples).sum();
        int done = 0;
        model.training(false);
        for (StepBatch batch : batches) {
            try {
                double loss = 0;
                for (Batch microBatch : batch.microBatches()) {
                    loss += model.accumulateGradient(microBatch, batch.scoredPositions());
                }
                if (!Double.isFinite(loss)) {
                    int[] rows = batch.microBatches().stream()
                            .flatMapToInt(microBatch -> Arrays.stream(microBatch.examples()))
                            .toArray();
                    throw new RunFailedException(
                            "the Fisher pass met a loss of " + loss + " on the batch of training rows "
                                    + Arrays.toString(rows) + "; what was saved before stands");
                }
                kernels.fisherAccumulate(fisher.list(), model.gradients(), weight * batch.examples() / examples);
            } finally {
                model.clearGradients();
            }
            done += batch.examples();
            progress.accept(done);
        }
    }
}
