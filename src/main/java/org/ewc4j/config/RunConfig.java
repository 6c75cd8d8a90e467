package org.ewc4j.config;

import java.nio.file.Path;

/**
 * A whole run as resolved: every default filled in, every path absolute.
 * (Contract; the config owner adds the tasks, the overrides per task and the reader.)
 *
 * @param tasks where the tasks come from
 * @param prompt the prompt template, with {@code {field}} placeholders
 */
public record RunConfig(
        ModelSource model,
        TaskSource tasks,
        String prompt,
        TrainingConfig training,
        EwcConfig ewc,
        EvaluationConfig evaluation,
        SaveConfig save,
        Path output) {

    /** The training settings of one task: {@link #training} with that task's overrides. */
    public TrainingConfig trainingFor(String taskName) {
        return training;
    }

    /** The consolidation settings of one task: {@link #ewc} with that task's overrides. */
    public EwcConfig ewcFor(String taskName) {
        return ewc;
    }
}
