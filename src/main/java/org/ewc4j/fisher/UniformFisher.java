package org.ewc4j.fisher;

import java.util.function.IntConsumer;
import org.ewc4j.tensor.Arena;

/**
 * F = 1 for every parameter: the penalty becomes the plain squared distance to the anchor, the L2 control without which
 * nothing is shown about Fisher (Kirkpatrick et al. 2017, figure 2).
 */
public final class UniformFisher implements FisherEstimator {
    @Override
    public void accumulateInto(Arena fisher, double weight, IntConsumer progress) {
        fisher.add(weight);
    }
}
