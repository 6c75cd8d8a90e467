package org.ewc4j.config;

import java.util.OptionalDouble;
import java.util.OptionalInt;

/**
 * Keys {@code ewc.fisher_samples}, {@code ewc.fisher_max_examples}, {@code ewc.fisher_unit}, {@code ewc.fisher_normalize},
 * {@code ewc.fisher_clamp} and {@code ewc.fisher_shuffle}: how a task's Fisher is estimated, whatever its kind. What has no meaning for a kind changes
 * nothing. A value out of its range is an {@code InvalidInputException} that names the key.
 *
 * @param samples draws of labels for each example, of kind {@code sampled}
 * @param maxExamples most rows that the pass reads, drawn from the task's; none: all
 * @param unit what F is a mean over
 * @param normalize what F is divided by before it is merged
 * @param clamp largest element of F before it is merged, behind {@code normalize}; none: as it comes
 * @param shuffle whether its elements are shuffled within each parameter's tensor, as a control
 */
public record FisherOptions(
        int samples, OptionalInt maxExamples, Unit unit, Normalize normalize, OptionalDouble clamp, boolean shuffle) {
    public enum Unit {
        /** Divided by the number of examples. */
        SEQUENCE,
        /** Divided by the number of scored tokens. */
        TOKEN
    }

    public enum Normalize {
        NONE,
        /** F ← F ÷ mean(F), so that its mean is 1. */
        MEAN
    }

    public FisherOptions {
        Settings.require("ewc.fisher_samples", samples);
        maxExamples.ifPresent(value -> Settings.require("ewc.fisher_max_examples", value));
        clamp.ifPresent(value -> Settings.require("ewc.fisher_clamp", value));
    }

    /** One draw, every row, per sequence, as it comes. */
    public static FisherOptions defaults() {
        return SettingValues.defaults().ewc().fisherOptions();
    }

    public FisherOptions withSamples(int value) {
        return new FisherOptions(value, maxExamples, unit, normalize, clamp, shuffle);
    }

    public FisherOptions withMaxExamples(int value) {
        return new FisherOptions(samples, OptionalInt.of(value), unit, normalize, clamp, shuffle);
    }

    public FisherOptions withUnit(Unit value) {
        return new FisherOptions(samples, maxExamples, value, normalize, clamp, shuffle);
    }

    public FisherOptions withNormalize(Normalize value) {
        return new FisherOptions(samples, maxExamples, unit, value, clamp, shuffle);
    }

    public FisherOptions withClamp(double value) {
        return new FisherOptions(samples, maxExamples, unit, normalize, OptionalDouble.of(value), shuffle);
    }

    public FisherOptions withShuffle(boolean value) {
        return new FisherOptions(samples, maxExamples, unit, normalize, clamp, value);
    }
}
