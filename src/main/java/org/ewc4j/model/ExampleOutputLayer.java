package org.ewc4j.model;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.ewc4j.kernel.ElementType;
import org.ewc4j.kernel.Kernels;

/**
 * The output embedding of {@link ExampleGradients}: the loss, its gradient with respect to the hidden states, and the
 * embedding's own squares. Logits are formed at scored positions, for as many examples at once as fit.
 */
final class ExampleOutputLayer {
    private final String name;
    private final Tensor weight;
    private final boolean tied;
    private final long paddingIndex;
    private final Kernels kernels;
    private final ElementType type;
    private final long positionsAtOnce;

    /**
     * @param weight (vocabulary, hidden size), outside of autograd
     * @param tied whether it is the input embedding too
     * @param paddingIndex of the input embedding
     */
    ExampleOutputLayer(String name, Tensor weight, boolean tied, long paddingIndex, Kernels kernels) {
        this.name = name;
        this.weight = weight;
        this.tied = tied;
        this.paddingIndex = paddingIndex;
        this.kernels = kernels;
        this.type = ExampleSquares.typeOf(weight);
        this.positionsAtOnce = Math.max(1, OutputLayer.LOGIT_BYTES / (weight.size(0) * type.bytes()));
    }

    /**
     * Adds the squares of the embedding's gradients, example by example.
     *
     * @param hidden (scored positions, hidden size)
     * @param gradient as {@code hidden}: becomes the gradient of the loss with respect to it
     * @return Σ token losses under the data's labels; where it is not finite nothing was added of the examples it comes from
     */
    double add(Tensor hidden, Tensor gradient, StagedBatch batch, Labels labels, int draw, ExampleSquares squares) {
        ScoredPositions scored = squares.scored();
        if (tied) {
            squares.beginTiedOutputEmbedding(hidden.size(1), paddingIndex);
        }
        double loss = 0;
        int first = 0;
        while (first < batch.rows()) {
            int end = first + 1;
            while (end < batch.rows() && scored.count(first, end + 1) <= positionsAtOnce) {
                end++;
            }
            if (scored.count(first, end) > 0) {
                try (PointerScope scope = new PointerScope()) {
                    loss += add(hidden, gradient, batch, labels, draw, squares, first, end);
                }
            }
            if (!Double.isFinite(loss)) {
                return loss;
            }
            first = end;
        }
        return loss;
    }

    /** The examples {@code first} to {@code end − 1}. */
    private double add(
            Tensor hidden,
            Tensor gradient,
            StagedBatch batch,
            Labels labels,
            int draw,
            ExampleSquares squares,
            int first,
            int end) {
        long from = squares.scored().offsets()[first];
        long count = squares.scored().count(first, end);
        Tensor x = hidden.narrow(0, from, count);
        Tensor logits = torch.linear(x, weight);
        boolean sampled = labels instanceof Labels.Sampled;
        double loss = kernels.crossEntropy(
                logits.data_ptr().address(),
                type,
                count,
                weight.size(0),
                batch.targets().narrow(0, from, count).data_ptr().address(),
                1,
                !sampled);
        if (!Double.isFinite(loss)) {
            return loss;
        }
        Tensor ofLogits = logits;
        if (labels instanceof Labels.Sampled sampling) {
            Tensor probabilities = torch.softmax(logits, 1, new ScalarTypeOptional(ScalarType.Float));
            long[] drawn = sampling.draw(squares.batch(), squares.scored(), first, end, probabilities, draw);
            ofLogits = minusOneHot(probabilities, drawn, squares).to(logits.scalar_type());
        }
        torch.mm_out(gradient.narrow(0, from, count), ofLogits, weight);
        if (tied) {
            squares.addTiedOutputEmbedding(name, ofLogits, x, first, end);
        } else {
            squares.addOutputEmbedding(name, ofLogits, x, first, end);
        }
        return loss;
    }

    private static Tensor minusOneHot(Tensor probabilities, long[] labels, ExampleSquares squares) {
        long[] entries = new long[labels.length];
        for (int i = 0; i < entries.length; i++) {
            entries[i] = i * probabilities.size(1) + labels[i];
        }
        Tensor minusOne = torch.full_like(squares.longs(labels), new Scalar(-1)).to(ScalarType.Float);
        probabilities.view(-1).index_add_(0, squares.longs(entries), minusOne);
        return probabilities;
    }
}
