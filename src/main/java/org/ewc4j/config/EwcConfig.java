package org.ewc4j.config;

import java.util.OptionalInt;

/** Key {@code ewc}: how what was learned is kept. (Contract; the config owner completes the documentation.) */
public record EwcConfig(double lambda, FisherKind fisher, Merge merge, OptionalInt fisherBatchSize) {
    public enum FisherKind {
        BATCH,
        UNIFORM
    }

    public enum Merge {
        RUNNING_MEAN
    }
}
