package org.ewc4j.task;

import java.util.List;

/**
 * A task: what is trained on, and what generalisation is measured with.
 *
 * @param name unique in its sequence
 * @param train training rows in file order; scored as memorisation
 * @param test test rows in file order; empty where the test split is not asked for
 */
public record Task(String name, List<Example> train, List<Example> test) {
    public Task {
        train = List.copyOf(train);
        test = List.copyOf(test);
    }
}
