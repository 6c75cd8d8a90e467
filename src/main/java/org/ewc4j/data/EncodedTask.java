package org.ewc4j.data;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.ewc4j.config.EvaluationConfig.Split;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.Quoted;
import org.ewc4j.task.Example;
import org.ewc4j.task.Task;
import org.ewc4j.task.TaskText;

/**
 * A task as token ids, in file order: tokenized once, for training, the Fisher pass and every evaluation. Of plain text the
 * rows are packed and there are no prompts.
 *
 * @param name the task's name
 * @param trainRows a row per training question, or the text to learn
 * @param testRows a row per test question, for the token loss, or the text held out; empty where the test split is not asked
 *     for
 * @param trainPrompts evaluation prompts of the training questions; empty where the train split is not asked for
 * @param testPrompts evaluation prompts of the test questions; empty where the test split is not asked for
 * @param summary what was cut
 */
public record EncodedTask(
        String name,
        List<TokenizedRow> trainRows,
        List<TokenizedRow> testRows,
        List<int[]> trainPrompts,
        List<int[]> testPrompts,
        EncodingSummary summary) {

    /**
     * Tokenizes a task.
     *
     * @param splits what will be scored
     * @param maxNewTokens how long a generated answer may become
     * @param modelPositions how many tokens the model has positions for; see {@link RowEncoder#requireFits}
     * @throws InvalidInputException if an answer leaves no room for a prompt token, or a text is too short
     */
    public static EncodedTask of(
            Task task, RowEncoder encoder, Set<Split> splits, int maxNewTokens, int modelPositions) {
        if (task.isText()) {
            return ofText(task.name(), task.text().orElseThrow(), encoder);
        }
        int limit = encoder.promptLimit(maxNewTokens, modelPositions);
        Collector train = new Collector(task.name(), encoder, limit, maxNewTokens, splits.contains(Split.TRAIN));
        task.train().forEach(train::add);
        Collector test = new Collector(task.name(), encoder, limit, maxNewTokens, true);
        if (splits.contains(Split.TEST)) {
            task.test().forEach(test::add);
        }
        return new EncodedTask(
                task.name(), train.rows, test.rows, train.prompts, test.prompts, train.summary.plus(test.summary));
    }

    private static EncodedTask ofText(String name, TaskText text, RowEncoder encoder) {
        List<TokenizedRow> rows = encoder.pack(text.train());
        List<TokenizedRow> test = List.of();
        if (text.test().isPresent()) {
            test = encoder.pack(text.test().get());
            requireRows(test, name, "its test text");
        } else if (text.heldOutShare() > 0) {
            int learned = rows.size() - Math.max(1, (int) Math.round(rows.size() * text.heldOutShare()));
            if (learned < 1) {
                throw new InvalidInputException("task " + Quoted.of(name) + ": its text fills " + rows.size()
                        + " row of training.max_length " + encoder.maxLength()
                        + " tokens, which leaves nothing to hold out; give a test text, or more text");
            }
            test = List.copyOf(rows.subList(learned, rows.size()));
            rows = List.copyOf(rows.subList(0, learned));
        }
        requireRows(rows, name, "its text");
        EncodingSummary summary = EncodingSummary.ofText(rows).plus(EncodingSummary.ofText(test));
        return new EncodedTask(name, rows, test, List.of(), List.of(), summary);
    }

    private static void requireRows(List<TokenizedRow> rows, String name, String what) {
        if (rows.isEmpty()) {
            throw new InvalidInputException(
                    "task " + Quoted.of(name) + ": " + what + " has no two tokens, so there is nothing to predict");
        }
    }

    /** The rows of a split. */
    public List<TokenizedRow> rows(Split split) {
        return split == Split.TRAIN ? trainRows : testRows;
    }

    /** The evaluation prompts of a split. */
    public List<int[]> prompts(Split split) {
        return split == Split.TRAIN ? trainPrompts : testPrompts;
    }

    private static final class Collector {
        private final String taskName;
        private final RowEncoder encoder;
        private final int promptLimit;
        private final int maxNewTokens;
        private final boolean evaluated;
        private final List<TokenizedRow> rows = new ArrayList<>();
        private final List<int[]> prompts = new ArrayList<>();
        private EncodingSummary summary = EncodingSummary.EMPTY;

        Collector(String taskName, RowEncoder encoder, int promptLimit, int maxNewTokens, boolean evaluated) {
            this.taskName = taskName;
            this.encoder = encoder;
            this.promptLimit = promptLimit;
            this.maxNewTokens = maxNewTokens;
            this.evaluated = evaluated;
        }

        void add(Example example) {
            RowEncoder.Parts parts = encoder.parts(example);
            TokenizedRow row = encoder.row(taskName, example, parts);
            rows.add(row);
            boolean promptCut = evaluated && parts.prompt().length > promptLimit;
            if (evaluated) {
                prompts.add(RowEncoder.cut(parts.prompt(), promptLimit));
            }
            summary = summary.plus(new EncodingSummary(
                    1,
                    parts.length() > encoder.maxLength() ? 1 : 0,
                    parts.length(),
                    evaluated ? 1 : 0,
                    promptCut ? 1 : 0,
                    evaluated && example.answer().isBlank() ? 1 : 0,
                    evaluated && parts.answer().length - 1 > maxNewTokens ? 1 : 0,
                    row.ids().length,
                    row.ids().length - row.promptLength()));
        }
    }
}
