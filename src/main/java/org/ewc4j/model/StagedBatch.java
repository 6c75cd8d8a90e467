package org.ewc4j.model;

import java.util.Arrays;
import org.bytedeco.pytorch.Tensor;
import org.ewc4j.config.TrainingConfig.Positions;
import org.ewc4j.data.Batch;
import org.ewc4j.tensor.Uploads;

/**
 * A batch's whole numbers where the model computes, or on their way there: token ids, positions, where each row begins, and
 * of a batch that is learned the scored positions with their targets. They travel as one piece.
 *
 * <p>Owned and closed by whoever staged it, when the passes that read it have been put on the stream.
 */
public final class StagedBatch implements AutoCloseable {
    private static final long[] NONE = {};

    private final int rows;
    private final int columns;
    private final int keys;
    private final boolean padded;
    private final int scored;
    private final Uploads.Upload upload;

    private StagedBatch(int rows, int columns, int keys, long[][] parts, Uploads uploads) {
        this.rows = rows;
        this.columns = columns;
        this.keys = keys;
        this.padded = Arrays.stream(parts[2]).anyMatch(start -> start > 0);
        this.scored = parts[3].length;
        long[] all = new long[Arrays.stream(parts).mapToInt(part -> part.length).sum()];
        int at = 0;
        for (long[] part : parts) {
            System.arraycopy(part, 0, all, at, part.length);
            at += part.length;
        }
        this.upload = uploads.send(all);
    }

    /** A batch to learn or to score. */
    static StagedBatch of(Batch batch, Positions positions, Uploads uploads) {
        ScoredPositions scored = ScoredPositions.of(batch);
        int leftEdgeOffset = positions == Positions.LEFT_EDGE ? batch.leftEdgeOffset() : -1;
        return of(batch.inputIds(), batch.lengths(), leftEdgeOffset, scored.positions(), scored.targets(), uploads);
    }

    /**
     * Left-padded rows to read.
     *
     * @param ids rows × columns token ids, row-major
     * @param lengths real tokens per row
     * @param leftEdgeOffset −1 to count positions from each row's first real token, otherwise what is added to the column
     */
    static StagedBatch of(long[] ids, int[] lengths, int leftEdgeOffset, Uploads uploads) {
        return of(ids, lengths, leftEdgeOffset, NONE, NONE, uploads);
    }

    private static StagedBatch of(
            long[] ids, int[] lengths, int leftEdgeOffset, long[] scored, long[] targets, Uploads uploads) {
        int rows = lengths.length;
        int columns = ids.length / rows;
        long[] positions = new long[ids.length];
        long[] starts = new long[rows];
        for (int row = 0; row < rows; row++) {
            starts[row] = columns - lengths[row];
            for (int column = 0; column < columns; column++) {
                positions[row * columns + column] =
                        leftEdgeOffset >= 0 ? column + leftEdgeOffset : Math.max(0, column - starts[row]);
            }
        }
        return new StagedBatch(rows, columns, columns, new long[][] {ids, positions, starts, scored, targets}, uploads);
    }

    /**
     * One new token per row, behind what a cache holds.
     *
     * @param ids one token id per row
     * @param lengths real tokens per row including the new one
     * @param columns columns including the new one
     */
    static StagedBatch next(long[] ids, int[] lengths, int columns, Uploads uploads) {
        int rows = lengths.length;
        long[] positions = new long[rows];
        long[] starts = new long[rows];
        for (int row = 0; row < rows; row++) {
            positions[row] = lengths[row] - 1L;
            starts[row] = columns - lengths[row];
        }
        return new StagedBatch(rows, 1, columns, new long[][] {ids, positions, starts, NONE, NONE}, uploads);
    }

    int rows() {
        return rows;
    }

    /** Columns that are read now. */
    int columns() {
        return columns;
    }

    /** Columns that may be attended to, those of a cache included. */
    int keys() {
        return keys;
    }

    /** Whether some row begins with padding. */
    boolean padded() {
        return padded;
    }

    /** How many positions are scored. */
    int scoredPositions() {
        return scored;
    }

    /** (rows, columns), int64. */
    Tensor inputIds() {
        return part(0, (long) rows * columns).view(rows, columns);
    }

    /** (rows, columns), int64. */
    Tensor positions() {
        return part((long) rows * columns, (long) rows * columns).view(rows, columns);
    }

    /** (rows), int64: the first real column of each row. */
    Tensor starts() {
        return part(2L * rows * columns, rows);
    }

    /** (scored positions), int64: their places among rows × columns. */
    Tensor scored() {
        return part(2L * rows * columns + rows, scored);
    }

    /** (scored positions), int64: the token ids that they should predict. */
    Tensor targets() {
        return part(2L * rows * columns + rows + scored, scored);
    }

    private Tensor part(long from, long length) {
        return upload.await().narrow(0, from, length);
    }

    @Override
    public void close() {
        upload.close();
    }
}
