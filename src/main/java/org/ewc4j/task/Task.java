package org.ewc4j.task;

import java.util.List;
import java.util.Optional;

/**
 * A task: what is trained on, and what generalisation is measured with. Questions, or plain text.
 *
 * @param name unique in its sequence
 * @param train training questions in file order; scored as memorisation; none where the task is text
 * @param test test questions in file order; empty where the test split is not asked for, or the task is text
 * @param text what is learned in place of questions
 */
public record Task(String name, List<Example> train, List<Example> test, Optional<TaskText> text) {
    public Task {
        train = List.copyOf(train);
        test = List.copyOf(test);
        if (text.isPresent() && !(train.isEmpty() && test.isEmpty())) {
            throw new IllegalArgumentException("task " + name + " has both text and questions");
        }
    }

    /** A task of questions. */
    public Task(String name, List<Example> train, List<Example> test) {
        this(name, train, test, Optional.empty());
    }

    /** A task of plain text. */
    public static Task ofText(String name, TaskText text) {
        return new Task(name, List.of(), List.of(), Optional.of(text));
    }

    /** Whether this is plain text, which has a token loss but no exact match. */
    public boolean isText() {
        return text.isPresent();
    }
}
