package org.ewc4j.fisher;

import java.util.function.IntConsumer;
import org.ewc4j.tensor.Arena;

/**
 * Estimates the diagonal of the Fisher information of a task at the present parameters.
 *
 * <p>The estimate is added to what an arena holds, so that merging needs no second buffer: the caller scales the old
 * Fisher first and says with which weight the new one counts.
 */
public sealed interface FisherEstimator permits BatchFisher, UniformFisher {
    /**
     * {@code fisher += weight · F_new}.
     *
     * @param fisher in the layout of the model's parameters, fp32
     * @param weight of the new estimate
     * @param progress told how many examples have been read
     * @throws org.ewc4j.error.RunFailedException where a loss is not finite; {@code fisher} is then half accumulated
     */
    void accumulateInto(Arena fisher, double weight, IntConsumer progress);
}
