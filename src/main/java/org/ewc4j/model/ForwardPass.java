package org.ewc4j.model;

import java.util.stream.Stream;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * What every layer of one forward pass shares: token ids, positions and who may attend to whom.
 *
 * <p>Layers work on tokens ({@link StagedBatch}), attention on rows and columns: {@link #inRows} stands before it,
 * {@link #behindAttention} behind it. Behind the last attention of a pass for the loss alone only the scored positions are left,
 * as nothing reads the others any more.
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
    private final boolean scoredAlone;
    private final Tensor paddedQueries; // null where none is, or where they are left out
    private final Dropout dropout;
    private final KeyValueCache cache;

    private ForwardPass(
            StagedBatch batch,
            int window,
            boolean scoredAlone,
            Numerics numerics,
            Dropout dropout,
            KeyValueCache cache) {
        this.batch = batch;
        this.numerics = numerics;
        this.inputIds = batch.inputIds();
        this.positions = batch.positions();
        this.dropout = dropout;
        this.cache = cache;
        this.scoredAlone = scoredAlone && batch.scoredPositions() > 0 && batch.scoredPositions() < batch.tokens();
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
            // Fused attention on a device reads masks whose rows begin at multiples of 8, and would copy others at
            // every layer.
            long stride = numerics.device().isCuda() ? (batch.keys() + 7L) / 8 * 8 : batch.keys();
            this.mask = new TensorOptional(
                    torch.zeros(new long[] {batch.rows(), batch.columns(), stride}, numerics.options())
                            .narrow(2, 0, batch.keys())
                            .masked_fill_(forbidden, new Scalar(Double.NEGATIVE_INFINITY))
                            .unsqueeze(1));
            // The new token of a row is never padding.
            boolean padding = batch.padded() && !batch.packed() && batch.columns() > 1;
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
        return new ForwardPass(batch, window, false, numerics, dropout, cache);
    }

    /** A pass of which the loss alone is wanted. */
    static ForwardPass forLoss(StagedBatch batch, int window, Numerics numerics, Dropout dropout) {
        return new ForwardPass(batch, window, true, numerics, dropout, null);
    }

    /** Of tokens: (rows, columns, size). */
    Tensor inRows(Tensor x) {
        if (!batch.packed()) {
            return x;
        }
        Tensor places = torch.zeros(new long[] {(long) batch.rows() * batch.columns(), x.size(-1)}, x.options());
        return places.index_copy(0, batch.places(), x).view(batch.rows(), batch.columns(), x.size(-1));
    }

    /**
     * As {@link #inRows(Tensor)}, each, by one copy: on a device one that repeats its bits is a sort and a dozen kernels, and so is
     * its backward pass.
     */
    TensorVector inRows(Tensor... parts) {
        TensorVector given = new TensorVector(parts);
        if (!batch.packed()) {
            return given;
        }
        long[] sizes = Stream.of(parts).mapToLong(part -> part.size(-1)).toArray();
        return inRows(torch.cat(given, -1)).split(sizes, -1);
    }

    /**
     * What the layers behind an attention work on.
     *
     * @param attended (rows, columns, size)
     * @param last whether no other attention follows
     * @return of the tokens, or of the scored positions alone
     */
    Tensor behindAttention(Tensor attended, boolean last) {
        if (last && scoredAlone) {
            return select(attended, batch.scoredPlaces());
        }
        return batch.packed() ? select(attended, batch.places()) : attended;
    }

    /** What goes past that attention: of the tokens, or of the scored positions alone. */
    Tensor pastAttention(Tensor hidden, boolean last) {
        return last && scoredAlone ? select(hidden, batch.scored()) : hidden;
    }

    /** Of what the decoder gave, the scored positions: (scored positions, hidden size). */
    Tensor scored(Tensor hidden) {
        if (scoredAlone) {
            return hidden;
        }
        boolean all = batch.scoredPositions() == batch.tokens();
        return all ? hidden.reshape(-1, hidden.size(-1)) : select(hidden, batch.scored());
    }

    private static Tensor select(Tensor x, Tensor places) {
        return torch.index_select(x.reshape(-1, x.size(-1)), 0, places);
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

    /** int64: (rows, columns), or (tokens) of a packed batch. */
    Tensor inputIds() {
        return inputIds;
    }

    /** As {@link #inputIds}. */
    Tensor positions() {
        return positions;
    }

    /** (rows, columns), int64. */
    Tensor rowPositions() {
        return batch.rowPositions();
    }

    /** Added to the attention scores; empty where {@link #causal} says it all or nothing is masked. */
    TensorOptional mask() {
        return mask;
    }

    /** (rows, 1, columns, 1): true where the query is padding; null where none is, or where nobody reads what it gives. */
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
