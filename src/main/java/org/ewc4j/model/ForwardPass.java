package org.ewc4j.model;

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
    private final StagedBatch batch;
    private final Numerics numerics;
    private final Tensor inputIds;
    private final Tensor positions;
    private final TensorOptional mask;
    private final boolean masked;
    private final Tensor paddedQueries; // null where there is none
    private final Dropout dropout;
    private final KeyValueCache cache;

    private ForwardPass(StagedBatch batch, int window, Numerics numerics, Dropout dropout, KeyValueCache cache) {
        this.batch = batch;
        this.numerics = numerics;
        this.inputIds = batch.inputIds();
        this.positions = batch.positions();
        this.dropout = dropout;
        this.cache = cache;
        this.masked = batch.padded() || window < batch.keys();
        if (!masked) {
            this.mask = new TensorOptional();
            this.paddedQueries = null;
            return;
        }
        try (NoGradGuard guard = new NoGradGuard()) {
            TensorOptions whole = numerics.device().options(ScalarType.Long);
            int first = batch.keys() - batch.columns();
            Tensor keys = torch.arange(new Scalar(batch.keys()), whole).view(1, 1, batch.keys());
            Tensor queries = keys.narrow(2, first, batch.columns()).view(1, batch.columns(), 1);
            Tensor starts = batch.starts().view(batch.rows(), 1, 1);
            // A query of padding attends to itself, so that its softmax is finite on every kernel; its row is zeroed
            // behind.
            Tensor forbidden =
                    torch.logical_or(keys.gt(queries), keys.lt(starts)).logical_and(keys.ne(queries));
            if (window < batch.keys()) {
                forbidden = forbidden.logical_or(keys.le(queries.sub(new Scalar(window))));
            }
            this.mask = new TensorOptional(
                    torch.zeros(new long[] {batch.rows(), batch.columns(), batch.keys()}, numerics.options())
                            .masked_fill_(forbidden, new Scalar(Double.NEGATIVE_INFINITY))
                            .unsqueeze(1));
            // The new token of a row is never padding.
            boolean padding = batch.padded() && batch.columns() > 1;
            this.paddedQueries = padding ? queries.lt(starts).unsqueeze(1) : null;
        }
    }

    /**
     * A pass over a staged batch.
     *
     * @param window see {@link Architecture#slidingWindow}
     * @param cache gives the keys and values of the columns before, and takes up the new ones; or null
     */
    static ForwardPass of(StagedBatch batch, int window, Numerics numerics, Dropout dropout, KeyValueCache cache) {
        return new ForwardPass(batch, window, numerics, dropout, cache);
    }

    int rows() {
        return batch.rows();
    }

    int columns() {
        return batch.columns();
    }

    Numerics numerics() {
        return numerics;
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

    /** (rows, 1, columns, 1): true where the query is padding; null where none is. */
    Tensor paddedQueries() {
        return paddedQueries;
    }

    /** Whether the causal triangle alone is the mask. */
    boolean causal() {
        return !masked && batch.columns() > 1;
    }

    Dropout dropout() {
        return dropout;
    }

    /** Keys and values of the columns before, or null. */
    KeyValueCache cache() {
        return cache;
    }
}
