package org.ewc4j.model;

import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * What every layer of one forward pass shares: token ids, positions and who may attend to whom.
 *
 * <p>Its tensors belong to the pointer scope in which it was made.
 */
final class ForwardPass {
    private final int rows;
    private final int columns;
    private final Tensor inputIds;
    private final Tensor positions;
    private final TensorOptional mask;
    private final boolean causal;
    private final Dropout dropout;
    private final KeyValueCache cache;

    private ForwardPass(
            int rows,
            int columns,
            Tensor inputIds,
            Tensor positions,
            TensorOptional mask,
            boolean causal,
            Dropout dropout,
            KeyValueCache cache) {
        this.rows = rows;
        this.columns = columns;
        this.inputIds = inputIds;
        this.positions = positions;
        this.mask = mask;
        this.causal = causal;
        this.dropout = dropout;
        this.cache = cache;
    }

    /**
     * A pass over left-padded rows.
     *
     * @param ids rows × columns token ids, row-major
     * @param lengths real tokens per row
     * @param leftEdgeOffset −1 to count positions from each row's first real token, otherwise what is added to the column
     * @param window see {@link Architecture#slidingWindow}
     * @param cache takes up keys and values, or null
     */
    static ForwardPass prefill(
            long[] ids, int[] lengths, int leftEdgeOffset, int window, Dropout dropout, KeyValueCache cache) {
        int rows = lengths.length;
        int columns = ids.length / rows;
        long[] positions = new long[ids.length];
        long[] starts = new long[rows];
        boolean masked = window < columns;
        for (int row = 0; row < rows; row++) {
            int start = columns - lengths[row];
            starts[row] = start;
            masked |= start > 0;
            for (int column = 0; column < columns; column++) {
                positions[row * columns + column] =
                        leftEdgeOffset >= 0 ? column + leftEdgeOffset : Math.max(0, column - start);
            }
        }
        TensorOptional mask = masked ? new TensorOptional(causalMask(starts, columns, window)) : new TensorOptional();
        return new ForwardPass(
                rows, columns, ids(ids, rows, columns), ids(positions, rows, columns), mask, !masked, dropout, cache);
    }

    /**
     * A pass over one new token per row, behind what the cache holds.
     *
     * @param ids one token id per row
     * @param lengths real tokens per row including the new one
     * @param columns columns including the new one
     * @param window see {@link Architecture#slidingWindow}
     */
    static ForwardPass next(long[] ids, int[] lengths, int columns, int window, Dropout dropout, KeyValueCache cache) {
        int rows = lengths.length;
        long[] positions = new long[rows];
        float[] mask = new float[rows * columns];
        boolean masked = false;
        for (int row = 0; row < rows; row++) {
            positions[row] = lengths[row] - 1L;
            for (int column = 0; column < columns - Math.min(lengths[row], window); column++) {
                mask[row * columns + column] = Float.NEGATIVE_INFINITY;
                masked = true;
            }
        }
        TensorOptional additive = masked
                ? new TensorOptional(
                        torch.from_blob(new org.bytedeco.javacpp.FloatPointer(mask), new long[] {rows, 1, 1, columns})
                                .clone())
                : new TensorOptional();
        return new ForwardPass(rows, 1, ids(ids, rows, 1), ids(positions, rows, 1), additive, false, dropout, cache);
    }

    private static Tensor ids(long[] values, int rows, int columns) {
        return torch.from_blob(new LongPointer(values), new long[] {rows, columns}, new TensorOptions(ScalarType.Long));
    }

    /** (rows, 1, columns, columns): 0 where column k may be read from column q, −∞ elsewhere. */
    private static Tensor causalMask(long[] starts, int columns, int window) {
        try (NoGradGuard guard = new NoGradGuard()) {
            Tensor index = torch.arange(new Scalar(columns));
            Tensor future = index.unsqueeze(0).gt(index.unsqueeze(1)).unsqueeze(0);
            Tensor start = torch.from_blob(
                    new LongPointer(starts), new long[] {starts.length, 1, 1}, new TensorOptions(ScalarType.Long));
            Tensor padding = index.view(1, 1, columns).lt(start);
            Tensor forbidden = torch.logical_or(future, padding);
            if (window < columns) {
                Tensor left = index.unsqueeze(0).le(index.unsqueeze(1).sub(new Scalar(window)));
                forbidden = torch.logical_or(forbidden, left.unsqueeze(0));
            }
            return torch.zeros(starts.length, columns, columns)
                    .masked_fill_(forbidden, new Scalar(Double.NEGATIVE_INFINITY))
                    .unsqueeze(1);
        }
    }

    int rows() {
        return rows;
    }

    int columns() {
        return columns;
    }

    /** (rows, columns), int64. */
    Tensor inputIds() {
        return inputIds;
    }

    /** (rows, columns), int64. */
    Tensor positions() {
        return positions;
    }

    /** Added to the attention scores; empty where {@link #causal} says it all or nothing is masked. */
    TensorOptional mask() {
        return mask;
    }

    /** Whether the causal triangle alone is the mask. */
    boolean causal() {
        return causal;
    }

    Dropout dropout() {
        return dropout;
    }

    /** Keys and values of the columns before, or null. */
    KeyValueCache cache() {
        return cache;
    }
}
