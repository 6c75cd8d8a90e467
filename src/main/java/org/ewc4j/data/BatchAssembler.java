package org.ewc4j.data;

import java.util.Arrays;
import java.util.List;

/** Lays rows side by side: left-padded to the longest of them, prompt labels −100. Immutable. */
final class BatchAssembler {
    static final long IGNORED_LABEL = -100;

    private final List<TokenizedRow> rows;
    private final int padId;
    private final int maxLength;

    BatchAssembler(List<TokenizedRow> rows, int padId, int maxLength) {
        this.rows = rows;
        this.padId = padId;
        this.maxLength = maxLength;
    }

    /** The batch of rows {@code order[from]} to {@code order[to - 1]}. */
    Batch batch(int[] order, int from, int to) {
        int count = to - from;
        int[] examples = Arrays.copyOfRange(order, from, to);
        int columns = 0;
        for (int example : examples) {
            columns = Math.max(columns, rows.get(example).ids().length);
        }
        long[] inputIds = new long[count * columns];
        long[] labels = new long[count * columns];
        int[] lengths = new int[count];
        int scored = 0;
        for (int r = 0; r < count; r++) {
            TokenizedRow row = rows.get(examples[r]);
            int[] ids = row.ids();
            lengths[r] = ids.length;
            int start = (r + 1) * columns - ids.length;
            Arrays.fill(inputIds, r * columns, start, padId);
            Arrays.fill(labels, r * columns, start + row.promptLength(), IGNORED_LABEL);
            for (int i = 0; i < ids.length; i++) {
                inputIds[start + i] = ids[i];
                if (i >= row.promptLength()) {
                    labels[start + i] = ids[i];
                }
            }
            // Every answer token has a token before it that predicts it, as a row's prompt is never empty.
            scored += ids.length - row.promptLength();
        }
        return new Batch(count, columns, inputIds, labels, lengths, examples, maxLength - columns, scored);
    }
}
