package org.ewc4j.train;

import java.util.ArrayList;
import java.util.List;
import org.ewc4j.data.StepBatch;
import org.ewc4j.model.CausalLm;
import org.ewc4j.model.StagedBatch;

/** A step's micro-batches where the model computes, or on their way there. Whoever stages it closes it. */
final class StagedStep implements AutoCloseable {
    private final StepBatch batch;
    private final List<StagedBatch> microBatches = new ArrayList<>();

    StagedStep(CausalLm model, StepBatch batch) {
        this.batch = batch;
        batch.microBatches().forEach(microBatch -> microBatches.add(model.stage(microBatch)));
    }

    StepBatch batch() {
        return batch;
    }

    List<StagedBatch> microBatches() {
        return microBatches;
    }

    /** Closes those that are there; one that is closed already stays so. */
    static void close(StagedStep... steps) {
        for (StagedStep step : steps) {
            if (step != null) {
                step.close();
            }
        }
    }

    /** Does nothing the second time. */
    @Override
    public void close() {
        microBatches.forEach(StagedBatch::close);
        microBatches.clear();
    }
}
