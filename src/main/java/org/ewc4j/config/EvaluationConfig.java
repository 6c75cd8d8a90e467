package org.ewc4j.config;

import java.util.Set;

/** Key {@code evaluation}. (Contract; the config owner completes the documentation.) */
public record EvaluationConfig(int maxNewTokens, EveryTask everyTask, Set<Split> splits, int batchSize) {
    public enum EveryTask {
        /** After each task, on the tasks seen so far. */
        TRUE,
        /** After the last task only. */
        FALSE,
        /** After each task, on every task of the sequence. */
        ALL
    }

    public enum Split {
        TRAIN,
        TEST
    }
}
