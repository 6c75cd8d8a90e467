package org.ewc4j.model;

import org.ewc4j.data.Batch;

/**
 * The positions of a batch whose shifted label is scored, row by row.
 *
 * @param positions row · columns + column of each
 * @param targets the label that each predicts
 * @param offsets of length rows + 1: those of row n are {@code offsets[n]} to {@code offsets[n + 1] − 1}
 */
record ScoredPositions(long[] positions, long[] targets, long[] offsets) {
    static ScoredPositions of(Batch batch) {
        int columns = batch.columns();
        long[] positions = new long[batch.scoredPositions()];
        long[] targets = new long[positions.length];
        long[] offsets = new long[batch.rows() + 1];
        int count = 0;
        for (int row = 0; row < batch.rows(); row++) {
            for (int column = 0; column + 1 < columns; column++) {
                long label = batch.labels()[row * columns + column + 1];
                if (label >= 0) {
                    if (count < positions.length) {
                        positions[count] = (long) row * columns + column;
                        targets[count] = label;
                    }
                    count++;
                }
            }
            offsets[row + 1] = count;
        }
        if (count != positions.length) {
            throw new IllegalArgumentException(
                    "the batch says " + positions.length + " scored positions and has " + count);
        }
        return new ScoredPositions(positions, targets, offsets);
    }

    int count() {
        return positions.length;
    }

    /** How many the rows {@code first} to {@code end − 1} have. */
    int count(int first, int end) {
        return (int) (offsets[end] - offsets[first]);
    }

    /** {@link #offsets} of these rows, from 0. */
    long[] offsets(int first, int end) {
        long[] own = new long[end - first + 1];
        for (int row = first; row <= end; row++) {
            own[row - first] = offsets[row] - offsets[first];
        }
        return own;
    }
}
