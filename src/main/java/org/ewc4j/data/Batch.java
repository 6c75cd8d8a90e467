package org.ewc4j.data;

import java.util.Arrays;

/**
 * One micro-batch, left-padded to its longest row, row-major.
 *
 * @param rows number of rows
 * @param columns length of the longest row; columns that are padding in every row are not formed
 * @param inputIds {@code rows × columns} token ids, padding id on the left
 * @param labels {@code rows × columns} unshifted labels, −100 where not scored
 * @param lengths real tokens per row; row r's padding is its first {@code columns − lengths[r]} columns
 * @param examples index in the task of each row
 * @param leftEdgeOffset how many padding columns were left off, so that positions counted from the left edge of
 *     {@code max_length} columns are {@code column + leftEdgeOffset}
 * @param scoredPositions how many shifted labels are not −100
 */
public record Batch(
        int rows,
        int columns,
        long[] inputIds,
        long[] labels,
        int[] lengths,
        int[] examples,
        int leftEdgeOffset,
        int scoredPositions) {

    /** Input tokens without padding. */
    public long tokens() {
        long sum = 0;
        for (int length : lengths) {
            sum += length;
        }
        return sum;
    }

    /** The rows {@code from} to {@code to − 1} as a batch of their own, padded to the longest of them. */
    Batch part(int from, int to) {
        int longest = Arrays.stream(lengths, from, to).max().orElseThrow();
        int count = to - from;
        long[] ids = new long[count * longest];
        long[] targets = new long[count * longest];
        for (int row = 0; row < count; row++) {
            int source = (from + row + 1) * columns - longest;
            System.arraycopy(inputIds, source, ids, row * longest, longest);
            System.arraycopy(labels, source, targets, row * longest, longest);
        }
        return new Batch(
                count,
                longest,
                ids,
                targets,
                Arrays.copyOfRange(lengths, from, to),
                Arrays.copyOfRange(examples, from, to),
                leftEdgeOffset + columns - longest,
                (int) Arrays.stream(targets)
                        .filter(label -> label != BatchAssembler.IGNORED_LABEL)
                        .count());
    }
}
