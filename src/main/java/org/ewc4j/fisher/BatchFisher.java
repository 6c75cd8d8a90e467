package org.ewc4j.fisher;

import java.util.List;
import java.util.function.Consumer;
import org.ewc4j.config.EwcConfig.FisherKind;
import org.ewc4j.config.FisherOptions.Unit;
import org.ewc4j.data.Batch;
import org.ewc4j.data.RowLimit;
import org.ewc4j.data.StepBatch;
import org.ewc4j.model.CausalLm;
import org.ewc4j.tensor.Arena;

/**
 * F = Σ_b n_b g_b² ÷ Σ_b n_b (by {@link Unit#TOKEN} ÷ the number of scored tokens), with g_b the gradient of batch b's mean
 * token loss and n_b its examples: the recipe that EWC for language models was published with. It depends on the batch size: near an optimum the per-example Fisher is about
 * batch × scored² times this one.
 *
 * <p>Dropout is off: it is the Fisher of the model that is used, where the published code leaves dropout on.
 */
public final class BatchFisher implements FisherEstimator {
    private final CausalLm model;
    private final List<StepBatch> batches;
    private final Unit unit;
    private final RowLimit memory;

    /** A mean over examples. */
    public BatchFisher(CausalLm model, List<StepBatch> batches) {
        this(model, batches, Unit.SEQUENCE, new RowLimit());
    }

    /**
     * @param batches the task's training rows in file order; the gradient over each one's micro-batches is squared as one
     * @param memory how many rows a micro-batch may have
     */
    public BatchFisher(CausalLm model, List<StepBatch> batches, Unit unit, RowLimit memory) {
        this.model = model;
        this.batches = List.copyOf(batches);
        this.unit = unit;
        this.memory = memory;
    }

    @Override
    public void accumulateInto(Arena fisher, double weight, FisherReading before, Consumer<FisherReading> progress) {
        long total = FisherPass.total(batches, unit);
        model.training(false);
        // A batch's squares are added when its gradient is whole: one that failed has left nothing.
        FisherPass.forEach(batches, before, memory, progress, held -> held, batch -> {
            double losses = accumulate(batch, fisher, weight * batch.examples() / total);
            FisherPass.requireFinite(losses, "a loss", batch);
            return losses;
        });
    }

    /** Adds a batch's squares unless its loss is not finite; returns Σ of its token losses. */
    private double accumulate(StepBatch batch, Arena fisher, double weight) {
        if (batch.microBatches().size() == 1) {
            return model.accumulateSquaredGradient(batch.microBatches().get(0), fisher, weight);
        }
        try {
            double loss = 0;
            for (Batch microBatch : batch.microBatches()) {
                loss += model.accumulateGradient(microBatch, batch.scoredPositions());
            }
            if (Double.isFinite(loss)) {
                model.addSquaredGradients(fisher, weight);
            }
            return loss;
        } finally {
            model.clearGradients();
        }
    }

    @Override
    public boolean inPlace() {
        return true;
    }

    @Override
    public FisherRecord describe() {
        return FisherRecord.of(FisherKind.BATCH, unit, 0, batches, model);
    }
}
