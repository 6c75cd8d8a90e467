package org.ewc4j.task;

import java.util.List;
import java.util.Optional;

/**
 * What a task of plain text consists of. It has no questions: every token is learned, and the score is the token loss.
 *
 * @param train documents to learn, in file order
 * @param test documents that are scored as the test split; empty where none were given
 * @param heldOutShare where there are no test documents, share of the packed rows, the last ones, that are not learned but
 *     scored as the test split; 0 where nothing is held out
 */
public record TaskText(List<String> train, Optional<List<String>> test, double heldOutShare) {
    public TaskText {
        train = List.copyOf(train);
        test = test.map(List::copyOf);
    }
}
