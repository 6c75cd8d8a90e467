package org.ewc4j.config;

import java.nio.file.Path;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.Quoted;

/**
 * A whole run as resolved: every default filled in, every path absolute. Read one by {@link RunConfigReader}, or make one
 * from parts.
 *
 * @param model where the model comes from
 * @param tasks where the tasks come from
 * @param text how plain text is read
 * @param prompt the prompt template, with {@code {field}} placeholders
 * @param training how a task is learned
 * @param ewc how what was learned is kept
 * @param evaluation what is scored, and when
 * @param save what is kept of the model
 * @param checkpoint what is saved to go on from
 * @param output folder of the run
 * @param taskOverrides by task name, in the order of the file
 */
public record RunConfig(
        ModelSource model,
        TaskSource tasks,
        TextConfig text,
        String prompt,
        TrainingConfig training,
        EwcConfig ewc,
        EvaluationConfig evaluation,
        SaveConfig save,
        CheckpointConfig checkpoint,
        Path output,
        Map<String, TaskOverride> taskOverrides) {
    /** The template of the published EWC-for-LLM recipe. */
    public static final String DEFAULT_PROMPT = "Question: {question}\n Short Answer:";

    public RunConfig {
        ewc.requireFits(training);
        taskOverrides = Collections.unmodifiableMap(new LinkedHashMap<>(taskOverrides));
    }

    /** The defaults but for what has none: a model, tasks and an output folder. */
    public static RunConfig of(ModelSource model, TaskSource tasks, Path output) {
        return new RunConfig(
                model,
                tasks,
                TextConfig.defaults(),
                DEFAULT_PROMPT,
                TrainingConfig.defaults(),
                EwcConfig.defaults(),
                EvaluationConfig.defaults(),
                SaveConfig.defaults(),
                CheckpointConfig.defaults(),
                output,
                Map.of());
    }

    public RunConfig withText(TextConfig value) {
        return new RunConfig(
                model, tasks, value, prompt, training, ewc, evaluation, save, checkpoint, output, taskOverrides);
    }

    public RunConfig withPrompt(String value) {
        return new RunConfig(
                model, tasks, text, value, training, ewc, evaluation, save, checkpoint, output, taskOverrides);
    }

    public RunConfig withTraining(TrainingConfig value) {
        return new RunConfig(
                model, tasks, text, prompt, value, ewc, evaluation, save, checkpoint, output, taskOverrides);
    }

    public RunConfig withEwc(EwcConfig value) {
        return new RunConfig(
                model, tasks, text, prompt, training, value, evaluation, save, checkpoint, output, taskOverrides);
    }

    public RunConfig withEvaluation(EvaluationConfig value) {
        return new RunConfig(model, tasks, text, prompt, training, ewc, value, save, checkpoint, output, taskOverrides);
    }

    public RunConfig withSave(SaveConfig value) {
        return new RunConfig(
                model, tasks, text, prompt, training, ewc, evaluation, value, checkpoint, output, taskOverrides);
    }

    public RunConfig withCheckpoint(CheckpointConfig value) {
        return new RunConfig(model, tasks, text, prompt, training, ewc, evaluation, save, value, output, taskOverrides);
    }

    public RunConfig withTaskOverrides(Map<String, TaskOverride> value) {
        return new RunConfig(model, tasks, text, prompt, training, ewc, evaluation, save, checkpoint, output, value);
    }

    /** The training settings of one task: {@link #training} with that task's overrides. */
    public TrainingConfig trainingFor(String taskName) {
        TaskOverride override = taskOverrides.get(taskName);
        return override == null ? training : override.applyTo(training);
    }

    /** The consolidation settings of one task: {@link #ewc} with that task's overrides. */
    public EwcConfig ewcFor(String taskName) {
        TaskOverride override = taskOverrides.get(taskName);
        return override == null ? ewc : override.applyTo(ewc);
    }

    /** @throws InvalidInputException if an override names a task that is not among those of the run */
    public void requireOverridesAmong(Collection<String> taskNames) {
        for (String name : taskOverrides.keySet()) {
            if (!taskNames.contains(name)) {
                throw new InvalidInputException(
                        "task_overrides." + name + ": there is no task of this name; the nearest is "
                                + Quoted.of(NearestKey.to(name, taskNames).orElse("")));
            }
        }
    }

    /** The configuration with every default written out and absolute paths; reading it back gives an equal one. */
    public String toYaml() {
        return RunConfigWriter.write(this);
    }
}
