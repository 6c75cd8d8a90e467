package org.ewc4j.train;

import java.util.ArrayList;
import java.util.List;
import org.ewc4j.consolidation.Consolidation;
import org.ewc4j.kernel.TensorList;
import org.ewc4j.model.CausalLm;
import org.ewc4j.tensor.Arena;
import org.ewc4j.tensor.TrainedParameters;

/**
 * What an optimizer step works on, of the trained parameters alone: what is frozen never reaches the kernel. Made for a
 * row of steps between which no arena moves, and closed behind them.
 */
final class StepLists implements AutoCloseable {
    private final TrainedParameters trained;
    private final List<TensorList> own = new ArrayList<>();
    private final TensorList theta;
    private final TensorList firstMoment;
    private final TensorList secondMoment;
    private final TensorList fisher;
    private final TensorList anchor;
    private final TensorList computeCopy;

    /** @param consolidation null for no penalty */
    StepLists(CausalLm model, Arena firstMoment, Arena secondMoment, Consolidation consolidation) {
        this.trained = model.trained();
        this.theta = cut(model.theta().list());
        this.firstMoment = cut(firstMoment.list());
        this.secondMoment = cut(secondMoment.list());
        this.fisher = consolidation == null ? null : cut(consolidation.fisher().list());
        this.anchor = consolidation == null ? null : cut(consolidation.anchor().list());
        this.computeCopy = model.computeCopy() == null ? null : cut(model.computeCopy());
    }

    private TensorList cut(TensorList whole) {
        if (trained.isAll()) {
            return whole;
        }
        TensorList some = whole.select(trained.indices());
        own.add(some);
        return some;
    }

    TensorList theta() {
        return theta;
    }

    TensorList firstMoment() {
        return firstMoment;
    }

    TensorList secondMoment() {
        return secondMoment;
    }

    /** F; null for no penalty. */
    TensorList fisher() {
        return fisher;
    }

    /** θ*; null for no penalty. */
    TensorList anchor() {
        return anchor;
    }

    /** The copy of θ that the passes compute with; null where they compute with θ. */
    TensorList computeCopy() {
        return computeCopy;
    }

    @Override
    public void close() {
        own.forEach(TensorList::close);
    }
}
