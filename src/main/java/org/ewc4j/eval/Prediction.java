package org.ewc4j.eval;

import org.ewc4j.config.EvaluationConfig.Split;

/**
 * One scored question, a row of {@code predictions.jsonl}.
 *
 * @param afterTask index of the task after which the model was asked
 * @param task index of the task that the question belongs to
 * @param generated the continuation, special tokens skipped, stripped
 * @param correct whether generated and expected agree after stripping and lower-casing
 */
public record Prediction(
        int afterTask,
        int task,
        String taskName,
        Split split,
        String question,
        String expected,
        String generated,
        boolean correct) {}
