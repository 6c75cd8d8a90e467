package org.ewc4j.fisher;

import java.util.OptionalDouble;
import java.util.function.Consumer;
import org.ewc4j.config.FisherOptions.Normalize;
import org.ewc4j.error.RunFailedException;
import org.ewc4j.kernel.Kernels;
import org.ewc4j.tensor.Arena;

/**
 * Another estimate divided by its mean over all trained parameters, then cut off: F ← min(F ÷ mean(F), c), either alone or both. A
 * Fisher of zeros stays one.
 */
public final class ScaledFisher implements FisherEstimator {
    private final FisherEstimator estimator;
    private final Kernels kernels;
    private final long elements;
    private final Normalize normalize;
    private final OptionalDouble clamp;

    /**
     * @param elements that the mean is taken over: those of the trained parameters
     * @param clamp c; none: not cut off
     */
    public ScaledFisher(
            FisherEstimator estimator, Kernels kernels, long elements, Normalize normalize, OptionalDouble clamp) {
        this.estimator = estimator;
        this.kernels = kernels;
        this.elements = elements;
        this.normalize = normalize;
        this.clamp = clamp;
    }

    @Override
    public void accumulateInto(Arena fisher, double weight, FisherReading before, Consumer<FisherReading> progress) {
        estimator.accumulateInto(fisher, weight, before, progress);
    }

    @Override
    public double finish(Arena fisher) {
        double sum = estimator.finish(fisher);
        if (!Double.isFinite(sum)) {
            // Cut off, Inf would pass for a large number.
            throw RunFailedException.diverged(
                    "the Fisher information is not finite after its pass: a gradient was NaN or Inf,"
                            + " or its square too large for fp32");
        }
        if (normalize == Normalize.MEAN && sum > 0) {
            kernels.fisherMerge(fisher.list(), null, elements / sum, 0);
        }
        clamp.ifPresent(fisher::clampTo);
        return sum;
    }

    /** No: the mean is known when the pass is over. */
    @Override
    public boolean inPlace() {
        return false;
    }

    @Override
    public FisherRecord describe() {
        return estimator.describe().scaled(normalize, clamp);
    }
}
