package org.ewc4j.model;

import java.util.stream.LongStream;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.ewc4j.data.Batch;
import org.ewc4j.kernel.ElementType;
import org.ewc4j.kernel.Kernels;
import org.ewc4j.kernel.Matrix;
import org.ewc4j.tensor.Arena;
import org.ewc4j.tensor.TrainedParameters;

/**
 * Adds weight · Σ_n g_n² to a Fisher, parameter by parameter, where g_n is the gradient of example n of one batch, given
 * as the pieces that it is a sum of: one for each position. The sum over positions, and over heads, comes before the
 * square. Its tensors belong to the pointer scope in which it was made.
 */
final class ExampleSquares {
    private final Kernels kernels;
    private final Arena fisher;
    private final TrainedParameters trained;
    private final double weight;
    private final Batch batch;
    private final ScoredPositions scored;
    private final long[] tokenOffsets;
    private final Tensor total;
    private TokenSlots tiedSlots;
    private Tensor ofOutputSide;

    /** @param trained what of the Fisher is added to */
    ExampleSquares(Kernels kernels, Arena fisher, TrainedParameters trained, double weight, Batch batch) {
        this.kernels = kernels;
        this.fisher = fisher;
        this.trained = trained;
        this.weight = weight;
        this.batch = batch;
        this.scored = ScoredPositions.of(batch);
        this.tokenOffsets = StagedBatch.tokenOffsets(batch);
        this.total = zeros(1);
    }

    Batch batch() {
        return batch;
    }

    ScoredPositions scored() {
        return scored;
    }

    /** Whole numbers where the Fisher lies. */
    Tensor longs(long[] values) {
        return fisher.device().longs(values);
    }

    /**
     * Where the pieces of each example lie: one for each token, for each scored position, or as many in every row.
     *
     * @param pieces how many there are
     */
    private long[] offsets(long pieces) {
        if (pieces == tokenOffsets[batch.rows()]) {
            return tokenOffsets;
        }
        if (pieces == scored.count()) {
            return scored.offsets();
        }
        if (pieces % batch.rows() != 0) {
            throw new IllegalArgumentException(pieces + " pieces of a gradient belong to no layout of the batch");
        }
        return LongStream.rangeClosed(0, batch.rows())
                .map(row -> row * (pieces / batch.rows()))
                .toArray();
    }

    private Tensor zeros(long... shape) {
        return torch.zeros(shape, fisher.device().options(ScalarType.Float));
    }

    /**
     * A weight of (out, in).
     *
     * @param gradient (tokens or scored positions, out)
     * @param input (the same, in)
     */
    void addMatrix(String name, Tensor gradient, Tensor input) {
        follow(gradient);
        accumulate(name, gradient, input, offsets(gradient.size(0)));
    }

    /** A weight of (in, out); otherwise as {@link #addMatrix}. */
    void addTransposedMatrix(String name, Tensor gradient, Tensor input) {
        follow(gradient);
        accumulate(name, input, gradient, offsets(gradient.size(0)));
    }

    /**
     * An output embedding that is no input embedding, (vocabulary, size), for the examples {@code first} to {@code end − 1}.
     *
     * @param gradient with respect to the logits, (scored positions of these, vocabulary)
     * @param hidden (scored positions of these, size)
     */
    void addOutputEmbedding(String name, Tensor gradient, Tensor hidden, int first, int end) {
        accumulate(name, gradient, hidden, scored.offsets(first, end));
    }

    /** Before the first {@link #addTiedOutputEmbedding} of a pass. */
    void beginTiedOutputEmbedding(long size, long paddingIndex) {
        tiedSlots = TokenSlots.of(StagedBatch.tokenIds(batch), tokenOffsets, paddingIndex);
        ofOutputSide = zeros(tiedSlots.count(), size);
    }

    /**
     * The output side of an embedding that both sides share. The gradient of a row that an example also looks up is the sum
     * of both sides, and (a + b)² is not a² + b²: what belongs to such rows is taken out of {@code gradient}, and kept until
     * {@link #addRows} has the other side. The rest of the vocabulary is squared at once.
     *
     * @param gradient as {@link #addOutputEmbedding}; overwritten
     */
    void addTiedOutputEmbedding(String name, Tensor gradient, Tensor hidden, int first, int end) {
        Tensor flat = gradient.view(-1);
        Tensor entries = longs(entries(first, end, gradient.size(1)));
        Tensor taken = flat.index_select(0, entries);
        flat.index_fill_(0, entries, new Scalar(0));
        long from = 0;
        for (int row = first; row < end; row++) {
            long positions = scored.count(row, row + 1);
            long looked = looked(row);
            Tensor coefficients = taken.narrow(0, from, looked * positions).view(looked, positions);
            long start = scored.offsets()[row] - scored.offsets()[first];
            Tensor side = coefficients.mm(hidden.narrow(0, start, positions));
            ofOutputSide.narrow(0, tiedSlots.offsets()[row], looked).copy_(side);
            from += looked * positions;
        }
        accumulate(name, gradient, hidden, scored.offsets(first, end));
    }

    private int looked(int row) {
        return tiedSlots.offsets()[row + 1] - tiedSlots.offsets()[row];
    }

    /** Where the logits of the ids that an example looks up lie: row by row, slot by slot, at each scored position. */
    private long[] entries(int first, int end, long vocabulary) {
        long pairs = 0;
        for (int row = first; row < end; row++) {
            pairs += (long) scored.count(row, row + 1) * looked(row);
        }
        long[] entries = new long[Math.toIntExact(pairs)];
        int count = 0;
        for (int row = first; row < end; row++) {
            for (int slot = tiedSlots.offsets()[row]; slot < tiedSlots.offsets()[row + 1]; slot++) {
                for (long i = scored.offsets()[row]; i < scored.offsets()[row + 1]; i++) {
                    entries[count++] = (i - scored.offsets()[first]) * vocabulary
                            + tiedSlots.ids()[slot];
                }
            }
        }
        return entries;
    }

    /**
     * A weight of (size): its pieces are summed within an example.
     *
     * @param pieces (tokens or scored positions, size), or (rows, columns, heads, size) with zeros where a position is padding
     */
    void addVector(String name, Tensor pieces) {
        follow(pieces);
        if (trained.contains(name)) {
            Tensor flat = pieces.reshape(-1, pieces.size(-1));
            kernels.fisherAccumulateBias(view(name).data_ptr().address(), matrix(flat), offsets(flat.size(0)), weight);
        }
    }

    /**
     * An embedding of (rows, size).
     *
     * @param ids (tokens), int64: which row each looked up
     * @param gradient with respect to what was looked up, (tokens, size)
     * @param paddingIndex a row whose gradient is dropped; −1 for none
     * @param tied whether it is the output embedding too
     */
    void addRows(String name, Tensor ids, Tensor gradient, long paddingIndex, boolean tied) {
        follow(gradient);
        if (!trained.contains(name)) {
            return;
        }
        long[] looked = new long[Math.toIntExact(ids.numel())];
        new LongPointer(ids.cpu().contiguous().data_ptr_long()).get(looked);
        TokenSlots slots = TokenSlots.of(looked, tokenOffsets, paddingIndex);
        if (slots.count() == 0) {
            return;
        }
        Tensor pieces = gradient.index_select(0, longs(slots.positions())).to(ScalarType.Float);
        Tensor sums = zeros(slots.count(), gradient.size(-1)).index_add_(0, longs(slots.slots()), pieces);
        if (tied) {
            sums.add_(ofOutputSide);
        }
        view(name).index_add_(0, longs(slots.ids()), sums.square_(), new Scalar(weight));
    }

    /** The sum of all gradients that were given: NaN or Inf where one of them was. */
    double total() {
        return total.item_double();
    }

    private void follow(Tensor gradient) {
        total.add_(gradient.sum(new ScalarTypeOptional(ScalarType.Float)));
    }

    private void accumulate(String name, Tensor left, Tensor right, long[] offsets) {
        if (!trained.contains(name)) {
            return;
        }
        kernels.fisherAccumulateLinear(view(name).data_ptr().address(), matrix(left), matrix(right), offsets, weight);
    }

    /** (positions, size), as the kernels read it. */
    static Matrix matrix(Tensor tensor) {
        Tensor rows = tensor.contiguous();
        return Matrix.contiguous(typeOf(rows), rows.data_ptr().address(), rows.size(1));
    }

    /** f32 or bf16, the types that a pass computes in. */
    static ElementType typeOf(Tensor tensor) {
        return tensor.scalar_type().intern() == ScalarType.BFloat16 ? ElementType.BF16 : ElementType.F32;
    }

    private Tensor view(String name) {
        return fisher.view(fisher.layout().get(name));
    }
}
