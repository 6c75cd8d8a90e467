package org.ewc4j.task;

/**
 * One question of a task.
 *
 * @param question the question itself, as shown in predictions
 * @param prompt the prompt as rendered from the template, what the model reads
 * @param answer the expected answer, without the leading space that is encoded before it
 */
public record Example(String question, String prompt, String answer) {}
