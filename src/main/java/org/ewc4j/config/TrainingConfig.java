package org.ewc4j.config;

import java.util.OptionalDouble;
import java.util.OptionalInt;

/** Key {@code training}: how one task is learned. (Contract; the config owner completes the documentation.) */
public record TrainingConfig(
        int epochs,
        OptionalInt maxSteps,
        int batchSize,
        int gradientAccumulation,
        double learningRate,
        Schedule schedule,
        int warmupSteps,
        double weightDecay,
        double beta1,
        double beta2,
        double epsilon,
        OptionalDouble clipNorm,
        ClipTarget clipTarget,
        int maxLength,
        boolean shuffle,
        long seed,
        int threads,
        int loaderThreads,
        Positions positions) {
    public enum Schedule {
        CONSTANT,
        LINEAR,
        COSINE
    }

    /** Which gradient's 2-norm is clipped: that of the language-model loss, or that of loss and penalty together. */
    public enum ClipTarget {
        LANGUAGE_MODEL,
        TOTAL
    }

    public enum Positions {
        FIRST_TOKEN,
        LEFT_EDGE
    }
}
