package org.ewc4j.fisher;

import java.util.function.Consumer;
import java.util.function.IntConsumer;
import org.ewc4j.config.EwcConfig;
import org.ewc4j.config.FisherOptions;
import org.ewc4j.config.FisherOptions.Normalize;
import org.ewc4j.kernel.Kernels;
import org.ewc4j.model.CausalLm;
import org.ewc4j.model.Labels;
import org.ewc4j.tensor.Arena;

/**
 * Estimates the diagonal of the Fisher information of a task at the present parameters.
 *
 * <p>The estimate is added to what an arena holds. Where {@link #inPlace} says so this may be the Fisher of the tasks
 * before, so that merging needs no second buffer: the caller scales the old Fisher first and says with which weight the new
 * one counts. Otherwise the new Fisher comes whole, in an arena of zeros, before anything is merged: where its pass fails,
 * the Fisher of the tasks before is as it was.
 */
public sealed interface FisherEstimator
        permits BatchFisher, ExampleFisher, ScaledFisher, ShuffledFisher, UniformFisher {
    /**
     * {@code fisher += weight · F_new}: all rows are read, and the estimate is finished.
     *
     * @param fisher in the layout of the model's parameters, fp32; zeros unless {@link #inPlace}
     * @param weight of the new estimate; 1 unless {@link #inPlace}
     * @param progress told how many examples have been read; where there was no memory for some and {@link #inPlace} is
     *     false, the estimate may have begun anew, and the number falls
     * @throws org.ewc4j.error.RunFailedException where a loss or a gradient is not finite; {@code fisher} is then half
     *     accumulated
     */
    default void accumulateInto(Arena fisher, double weight, IntConsumer progress) {
        accumulateInto(fisher, weight, FisherReading.NONE, reading -> progress.accept(reading.examples()));
        finish(fisher);
    }

    /**
     * Reads the rows, or goes on with an estimate whose first rows were read before; otherwise as {@link
     * #accumulateInto(Arena, double, IntConsumer)}. Where {@code progress} is told and throws, {@code fisher} holds just what
     * it was told of. {@link #finish} is to follow.
     *
     * @param before what {@code fisher} holds of this estimate, as {@code progress} was told; or nothing
     */
    void accumulateInto(Arena fisher, double weight, FisherReading before, Consumer<FisherReading> progress);

    /**
     * Does what can be done only when all rows have been read.
     *
     * @return the sum over {@code fisher} before the estimate was normalized or cut off
     * @throws org.ewc4j.error.RunFailedException where that would hide a value that is not finite
     */
    default double finish(Arena fisher) {
        return fisher.sum();
    }

    /** Whether the estimate may be added to a Fisher that holds something. */
    boolean inPlace();

    /** What is estimated, at the present parameters. */
    FisherRecord describe();

    /**
     * The estimator that a configuration asks for.
     *
     * @param rows what the pass reads
     */
    static FisherEstimator of(EwcConfig ewc, FisherRows rows, CausalLm model, Kernels kernels) {
        FisherOptions options = ewc.fisherOptions();
        FisherEstimator estimator = switch (ewc.fisher()) {
            case UNIFORM -> new UniformFisher(model, model.trained());
            case BATCH -> new BatchFisher(model, rows.batches(ewc, model), options.unit(), rows.memory());
            case EXAMPLE ->
                new ExampleFisher(
                        model, kernels, rows.batches(ewc, model), options.unit(), new Labels.OfData(), rows.memory());
            case SAMPLED ->
                new ExampleFisher(
                        model,
                        kernels,
                        rows.batches(ewc, model),
                        options.unit(),
                        new Labels.Sampled(rows.seed(), rows.task(), options.samples()),
                        rows.memory());
        };
        boolean asItComes =
                options.normalize() == Normalize.NONE && options.clamp().isEmpty();
        FisherEstimator scaled = asItComes
                ? estimator
                : new ScaledFisher(
                        estimator, kernels, model.trained().elements(), options.normalize(), options.clamp());
        return options.shuffle() ? new ShuffledFisher(scaled, rows.seed()) : scaled;
    }
}
