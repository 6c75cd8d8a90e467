package org.ewc4j.model;

import java.util.Arrays;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.bytedeco.pytorch.Tensor;
import org.ewc4j.config.TrainingConfig.Positions;
import org.ewc4j.data.Batch;
import org.ewc4j.tensor.Uploads;

/**
 * A batch's whole numbers where the model computes, or on their way there: token ids, positions, where each row begins, and
 * of a batch that is learned the scored positions with their targets. They travel as one piece.
 *
 * <p>The layers work on <em>tokens</em>. Of a batch that is read whole these are all rows × columns. Of one to learn or to score
 * they are what its loss depends on: the last column is left off, as a row's last token predicts nothing and nothing behind
 * reads it; and where rows have padding, the tokens lie side by side without it ({@link #packed}) and are laid out in rows and
 * columns for attention alone.
 *
 * <p>Owned and closed by whoever staged it, when the passes that read it have been put on the stream.
 */
public final class StagedBatch implements AutoCloseable {
    /** What travels. Places are row · columns + column. */
    private enum Part {
        STARTS,
        IDS, // of the tokens
        POSITIONS, // of the tokens
        SCORED, // among the tokens
        TARGETS,
        PLACES, // of the tokens; this and what follows only of a packed batch
        SCORED_PLACES,
        ROW_POSITIONS // of all places
    }

    /**
     * @param keys columns that may be attended to, those of a cache included
     * @param padded whether some row begins with padding
     * @param packed see {@link StagedBatch}
     * @param scored how many positions are scored
     */
    private record Shape(int rows, int columns, int keys, boolean padded, boolean packed, int scored) {}

    private final Shape shape;
    private final int[] ends = new int[Part.values().length];
    private final Uploads.Upload upload;

    private StagedBatch(Shape shape, Uploads uploads, long[]... parts) {
        this.shape = shape;
        int end = 0;
        for (int i = 0; i < ends.length; i++) {
            end += i < parts.length ? parts[i].length : 0;
            ends[i] = end;
        }
        this.upload =
                uploads.send(Arrays.stream(parts).flatMapToLong(Arrays::stream).toArray());
    }

    /** What the loss of a batch depends on. */
    static StagedBatch of(Batch batch, Positions positions, Uploads uploads) {
        int columns = columnsForLoss(batch);
        long[] starts = starts(batch.lengths(), batch.columns());
        long[] ids = withoutLast(batch.inputIds(), batch.columns(), columns);
        long[] all = positions(starts, columns, leftEdge(batch, positions));
        ScoredPositions scored = ScoredPositions.of(batch);
        long[] scoredPlaces = Arrays.stream(scored.positions())
                .map(place -> place / batch.columns() * columns + place % batch.columns())
                .toArray();
        boolean padded = padded(starts);
        Shape shape = new Shape(batch.rows(), columns, columns, padded, padded, scoredPlaces.length);
        if (!padded) {
            return new StagedBatch(shape, uploads, starts, ids, all, scoredPlaces, scored.targets());
        }
        long[] places = places(starts, columns);
        long[] ranks = new long[ids.length];
        IntStream.range(0, places.length).forEach(i -> ranks[(int) places[i]] = i);
        return new StagedBatch(
                shape,
                uploads,
                starts,
                at(places, ids),
                at(places, all),
                at(scoredPlaces, ranks),
                scored.targets(),
                places,
                scoredPlaces,
                all);
    }

    /** Of length rows + 1: the tokens of row n among those that {@link #of(Batch, Positions, Uploads)} stages. */
    static long[] tokenOffsets(Batch batch) {
        int columns = columnsForLoss(batch);
        long[] starts = starts(batch.lengths(), batch.columns());
        long[] offsets = new long[starts.length + 1];
        for (int row = 0; row < starts.length; row++) {
            offsets[row + 1] = offsets[row] + Math.max(0, columns - starts[row]);
        }
        return offsets;
    }

    /** The ids of these tokens. */
    static long[] tokenIds(Batch batch) {
        int columns = columnsForLoss(batch);
        long[] ids = withoutLast(batch.inputIds(), batch.columns(), columns);
        return at(places(starts(batch.lengths(), batch.columns()), columns), ids);
    }

    /** All of a batch, padding and last column too, to read alone. */
    static StagedBatch whole(Batch batch, Positions positions, Uploads uploads) {
        return of(batch.inputIds(), batch.lengths(), leftEdge(batch, positions), uploads);
    }

    /**
     * Left-padded rows to read.
     *
     * @param ids rows × columns token ids, row-major
     * @param lengths real tokens per row
     */
    static StagedBatch of(long[] ids, int[] lengths, Uploads uploads) {
        return of(ids, lengths, -1, uploads);
    }

    private static StagedBatch of(long[] ids, int[] lengths, int leftEdge, Uploads uploads) {
        int columns = ids.length / lengths.length;
        long[] starts = starts(lengths, columns);
        Shape shape = new Shape(lengths.length, columns, columns, padded(starts), false, 0);
        return new StagedBatch(shape, uploads, starts, ids, positions(starts, columns, leftEdge));
    }

    /**
     * One new token per row, behind what a cache holds.
     *
     * @param ids one token id per row
     * @param lengths real tokens per row including the new one
     * @param columns columns including the new one
     */
    static StagedBatch next(long[] ids, int[] lengths, int columns, Uploads uploads) {
        long[] starts = starts(lengths, columns);
        long[] positions =
                Arrays.stream(lengths).mapToLong(length -> length - 1L).toArray();
        Shape shape = new Shape(lengths.length, 1, columns, padded(starts), false, 0);
        return new StagedBatch(shape, uploads, starts, ids, positions);
    }

    /** −1 to count positions from each row's first real token, otherwise what is added to the column. */
    private static int leftEdge(Batch batch, Positions positions) {
        return positions == Positions.LEFT_EDGE ? batch.leftEdgeOffset() : -1;
    }

    private static int columnsForLoss(Batch batch) {
        return Math.max(1, batch.columns() - 1);
    }

    /** row · columns + column of what is no padding. */
    private static long[] places(long[] starts, int columns) {
        return LongStream.range(0, (long) starts.length * columns)
                .filter(place -> place % columns >= starts[(int) (place / columns)])
                .toArray();
    }

    private static long[] starts(int[] lengths, int columns) {
        return Arrays.stream(lengths).mapToLong(length -> columns - length).toArray();
    }

    private static boolean padded(long[] starts) {
        return Arrays.stream(starts).anyMatch(start -> start > 0);
    }

    private static long[] positions(long[] starts, int columns, int leftEdge) {
        return IntStream.range(0, starts.length * columns)
                .mapToLong(place -> leftEdge >= 0
                        ? place % columns + leftEdge
                        : Math.max(0, place % columns - starts[place / columns]))
                .toArray();
    }

    private static long[] withoutLast(long[] ids, int columns, int left) {
        return IntStream.range(0, ids.length / columns * left)
                .mapToLong(place -> ids[place / left * columns + place % left])
                .toArray();
    }

    private static long[] at(long[] places, long[] values) {
        return Arrays.stream(places).map(place -> values[(int) place]).toArray();
    }

    int rows() {
        return shape.rows;
    }

    /** Columns that are read now. */
    int columns() {
        return shape.columns;
    }

    /** Columns that may be attended to, those of a cache included. */
    int keys() {
        return shape.keys;
    }

    /** Whether some row begins with padding. */
    boolean padded() {
        return shape.padded;
    }

    /** Whether the tokens lie side by side without padding. */
    boolean packed() {
        return shape.packed;
    }

    /** How many tokens the layers work on. */
    long tokens() {
        return length(Part.IDS);
    }

    /** How many positions are scored. */
    int scoredPositions() {
        return shape.scored;
    }

    /** int64: (rows, columns), or (tokens) of a packed batch. */
    Tensor inputIds() {
        return ofTokens(Part.IDS);
    }

    /** int64: (rows, columns), or (tokens) of a packed batch. */
    Tensor positions() {
        return ofTokens(Part.POSITIONS);
    }

    /** (rows, columns), int64. */
    Tensor rowPositions() {
        return shape.packed ? part(Part.ROW_POSITIONS).view(shape.rows, shape.columns) : positions();
    }

    /** (tokens), int64: row · columns + column of each, of a packed batch. */
    Tensor places() {
        return part(Part.PLACES);
    }

    /** (rows), int64: the first real column of each row. */
    Tensor starts() {
        return part(Part.STARTS);
    }

    /** (scored positions), int64: which of the tokens they are. */
    Tensor scored() {
        return part(Part.SCORED);
    }

    /** (scored positions), int64: row · columns + column of each. */
    Tensor scoredPlaces() {
        return shape.packed ? part(Part.SCORED_PLACES) : scored();
    }

    /** (scored positions), int64: the token ids that they should predict. */
    Tensor targets() {
        return part(Part.TARGETS);
    }

    private Tensor ofTokens(Part part) {
        Tensor tokens = part(part);
        return shape.packed ? tokens : tokens.view(shape.rows, shape.columns);
    }

    private long length(Part part) {
        return ends[part.ordinal()] - (part.ordinal() == 0 ? 0 : ends[part.ordinal() - 1]);
    }

    private Tensor part(Part part) {
        long length = length(part);
        return upload.await().narrow(0, ends[part.ordinal()] - length, length);
    }

    @Override
    public void close() {
        upload.close();
    }
}
