package org.ewc4j.fisher;

import java.util.List;
import java.util.function.Consumer;
import org.ewc4j.config.EwcConfig.FisherKind;
import org.ewc4j.config.FisherOptions.Unit;
import org.ewc4j.data.Batch;
import org.ewc4j.data.RowLimit;
import org.ewc4j.data.StepBatch;
import org.ewc4j.kernel.Kernels;
import org.ewc4j.model.CausalLm;
import org.ewc4j.model.ExampleGradients;
import org.ewc4j.model.Labels;
import org.ewc4j.tensor.Arena;

/**
 * F = (1 ÷ N) Σ_n g_n², with g_n the gradient of example n's <em>summed</em> token loss; by {@link Unit#TOKEN} divided by
 * the number of scored tokens in place of N. With the labels of the data it is the empirical Fisher, which vanishes where
 * the data is learned by heart; with labels drawn from the model's own predictions it is an unbiased estimate of the
 * Fisher information, which does not (Kunstner, Hennig and Balles 2019, "Limitations of the empirical Fisher
 * approximation"). Exact for every parameter, and the same whatever the batch size, padding or order.
 *
 * <p>Dropout is off: it is the Fisher of the model that is used.
 */
public final class ExampleFisher implements FisherEstimator {
    private final CausalLm model;
    private final Kernels kernels;
    private final List<StepBatch> batches;
    private final Unit unit;
    private final Labels labels;
    private final RowLimit memory;

    /** @param batches the task's training rows */
    public ExampleFisher(CausalLm model, Kernels kernels, List<StepBatch> batches, Unit unit, Labels labels) {
        this(model, kernels, batches, unit, labels, new RowLimit());
    }

    /**
     * @param batches the task's training rows
     * @param memory how many rows a micro-batch may have
     */
    public ExampleFisher(
            CausalLm model, Kernels kernels, List<StepBatch> batches, Unit unit, Labels labels, RowLimit memory) {
        this.model = model;
        this.kernels = kernels;
        this.batches = List.copyOf(batches);
        this.unit = unit;
        this.labels = labels;
        this.memory = memory;
    }

    @Override
    public void accumulateInto(Arena fisher, double weight, FisherReading before, Consumer<FisherReading> progress) {
        double ofExample = weight / FisherPass.total(batches, unit);
        model.training(false);
        try (ExampleGradients gradients = model.exampleGradients(kernels)) {
            FisherPass.forEach(batches, before, memory, progress, held -> beginAnew(fisher), batch -> {
                double losses = 0;
                for (Batch microBatch : batch.microBatches()) {
                    ExampleGradients.Findings found = gradients.addSquares(microBatch, labels, fisher, ofExample);
                    FisherPass.requireFinite(found.loss(), "a loss", batch);
                    FisherPass.requireFinite(found.gradientSum(), "a sum of gradients", batch);
                    losses += found.loss();
                }
                return losses;
            });
        }
    }

    /** Some layers have the squares of the batch that failed and some do not: nothing tells which, so that all is dropped. */
    private static FisherReading beginAnew(Arena fisher) {
        fisher.fill(0);
        return FisherReading.NONE;
    }

    /** No: a batch's squares are added layer by layer on the way back, before the last gradient of it is known. */
    @Override
    public boolean inPlace() {
        return false;
    }

    @Override
    public FisherRecord describe() {
        boolean sampled = labels instanceof Labels.Sampled;
        return FisherRecord.of(
                sampled ? FisherKind.SAMPLED : FisherKind.EXAMPLE, unit, sampled ? labels.draws() : 0, batches, model);
    }
}
