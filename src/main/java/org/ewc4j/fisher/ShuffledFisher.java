package org.ewc4j.fisher;

import java.util.List;
import java.util.function.Consumer;
import org.ewc4j.data.SplitMix64;
import org.ewc4j.tensor.Arena;
import org.ewc4j.tensor.ParameterLayout.Parameter;

/**
 * Another estimate with its elements shuffled within each parameter's tensor: the control that tells whether it matters
 * which element is held. Every tensor keeps its values and so its scale, but no element its own. The order is the same for
 * every task, so that what is merged is the shuffled merge.
 */
public final class ShuffledFisher implements FisherEstimator {
    /** Sets these draws apart from others of the seed. */
    private static final int SHUFFLE = -3;

    private final FisherEstimator estimator;
    private final long seed;

    public ShuffledFisher(FisherEstimator estimator, long seed) {
        this.estimator = estimator;
        this.seed = seed;
    }

    @Override
    public void accumulateInto(Arena fisher, double weight, FisherReading before, Consumer<FisherReading> progress) {
        estimator.accumulateInto(fisher, weight, before, progress);
    }

    @Override
    public double finish(Arena fisher) {
        double sum = estimator.finish(fisher);
        List<Parameter> parameters = fisher.layout().parameters();
        for (int i = 0; i < parameters.size(); i++) {
            fisher.reorder(
                    parameters.get(i), order(Math.toIntExact(parameters.get(i).elements()), i));
        }
        return sum;
    }

    private long[] order(int elements, int parameter) {
        SplitMix64 random = SplitMix64.of(seed, SHUFFLE, parameter);
        long[] order = new long[elements];
        for (int i = 0; i < elements; i++) {
            int j = random.below(i + 1);
            order[i] = order[j];
            order[j] = i;
        }
        return order;
    }

    /** No: what an arena held before would be shuffled with it. */
    @Override
    public boolean inPlace() {
        return false;
    }

    @Override
    public FisherRecord describe() {
        return estimator.describe().asShuffled();
    }
}
