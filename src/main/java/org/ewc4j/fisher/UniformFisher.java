package org.ewc4j.fisher;

import java.util.List;
import java.util.function.Consumer;
import org.ewc4j.config.EwcConfig.FisherKind;
import org.ewc4j.config.FisherOptions.Unit;
import org.ewc4j.model.CausalLm;
import org.ewc4j.tensor.Arena;
import org.ewc4j.tensor.TrainedParameters;

/**
 * F = 1 for every trained parameter: the penalty becomes the plain squared distance to the anchor, the L2 control without which
 * nothing is shown about Fisher (Kirkpatrick et al. 2017, figure 2).
 */
public final class UniformFisher implements FisherEstimator {
    private final CausalLm model;
    private final TrainedParameters trained;

    /**
     * @param model described as what the estimate is of
     * @param trained the parameters that have a Fisher
     */
    public UniformFisher(CausalLm model, TrainedParameters trained) {
        this.model = model;
        this.trained = trained;
    }

    @Override
    public void accumulateInto(Arena fisher, double weight, FisherReading before, Consumer<FisherReading> progress) {
        trained.parameters().forEach(parameter -> fisher.add(parameter, weight));
    }

    @Override
    public boolean inPlace() {
        return true;
    }

    @Override
    public FisherRecord describe() {
        return FisherRecord.of(FisherKind.UNIFORM, Unit.SEQUENCE, 0, List.of(), model);
    }
}
