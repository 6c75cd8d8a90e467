package org.ewc4j.config;

import java.util.Collections;
import java.util.EnumSet;
import java.util.Set;

/**
 * Key {@code evaluation}: what is scored, and when.
 *
 * @param maxNewTokens longest answer that is generated
 * @param everyTask after which tasks, and on which
 * @param splits at least one; iterates in the order of {@link Split}
 * @param batchSize questions answered at once
 */
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
        /** The training questions: memorisation. */
        TRAIN,
        /** The test questions: generalisation. */
        TEST
    }

    public EvaluationConfig {
        Settings.require("evaluation.max_new_tokens", maxNewTokens);
        Settings.require("evaluation.splits", splits);
        Settings.require("evaluation.batch_size", batchSize);
        splits = Collections.unmodifiableSet(EnumSet.copyOf(splits));
    }

    /** Both splits after each task, at most 10 new tokens. */
    public static EvaluationConfig defaults() {
        return SettingValues.defaults().evaluation();
    }

    public EvaluationConfig withMaxNewTokens(int value) {
        return new EvaluationConfig(value, everyTask, splits, batchSize);
    }

    public EvaluationConfig withEveryTask(EveryTask value) {
        return new EvaluationConfig(maxNewTokens, value, splits, batchSize);
    }

    public EvaluationConfig withSplits(Set<Split> value) {
        return new EvaluationConfig(maxNewTokens, everyTask, value, batchSize);
    }

    public EvaluationConfig withBatchSize(int value) {
        return new EvaluationConfig(maxNewTokens, everyTask, splits, value);
    }
}
