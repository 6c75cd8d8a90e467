package org.ewc4j.data;

import java.util.ArrayList;
import java.util.List;

/**
 * What tokenizing cut, and what a person should know before training. Sums over tasks by {@link #plus}.
 *
 * @param rows training rows, and test rows for the token loss, those of packed text too
 * @param rowsCut how many of them were longer than {@code max_length}
 * @param longestRow tokens of the longest before it was cut
 * @param prompts evaluation prompts
 * @param promptsCut how many of them were cut
 * @param answersEmpty answers without a visible character: whoever says nothing is right
 * @param answersTooLong answers of more than {@code max_new_tokens} tokens: they can never be scored right
 * @param tokens tokens of all rows after cutting
 * @param scoredTokens how many of those are answer or end-of-sequence, which the loss is taken over
 */
public record EncodingSummary(
        long rows,
        long rowsCut,
        int longestRow,
        long prompts,
        long promptsCut,
        long answersEmpty,
        long answersTooLong,
        long tokens,
        long scoredTokens) {
    public static final EncodingSummary EMPTY = new EncodingSummary(0, 0, 0, 0, 0, 0, 0, 0, 0);

    /** Packed rows, of which nothing was cut. */
    static EncodingSummary ofText(List<TokenizedRow> rows) {
        long tokens = rows.stream().mapToLong(row -> row.ids().length).sum();
        int longest = rows.stream().mapToInt(row -> row.ids().length).max().orElse(0);
        return new EncodingSummary(rows.size(), 0, longest, 0, 0, 0, 0, tokens, tokens - rows.size());
    }

    public EncodingSummary plus(EncodingSummary other) {
        return new EncodingSummary(
                rows + other.rows,
                rowsCut + other.rowsCut,
                Math.max(longestRow, other.longestRow),
                prompts + other.prompts,
                promptsCut + other.promptsCut,
                answersEmpty + other.answersEmpty,
                answersTooLong + other.answersTooLong,
                tokens + other.tokens,
                scoredTokens + other.scoredTokens);
    }

    /** One line for each thing to warn of; empty where nothing was cut and every answer can be scored. */
    public List<String> warnings(int maxLength, int maxNewTokens) {
        List<String> warnings = new ArrayList<>();
        if (rowsCut > 0) {
            warnings.add(rowsCut + " of " + rows + " rows were longer than training.max_length " + maxLength
                    + " and cut from the left; the longest has " + longestRow + " tokens");
        }
        if (promptsCut > 0) {
            warnings.add(promptsCut + " of " + prompts + " evaluation prompts were cut from the left");
        }
        if (answersEmpty > 0) {
            warnings.add(answersEmpty + " of " + prompts
                    + " answers are empty: a model that generates nothing scores them right");
        }
        if (answersTooLong > 0) {
            warnings.add(answersTooLong + " of " + prompts + " answers have more tokens than evaluation.max_new_tokens "
                    + maxNewTokens + ", so they can never be scored right");
        }
        return warnings;
    }
}
