package org.ewc4j.model;

import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.ewc4j.model.Layers.Embedding;
import org.ewc4j.model.Layers.Lookup;
import org.ewc4j.model.Layers.Norm;
import org.ewc4j.model.Layers.Projection;

/**
 * What the layers of one forward pass read and gave, so that the gradient with respect to each parameter can be had example
 * by example from the gradients with respect to the layers' outputs alone. The parameters themselves take no part in
 * autograd: no gradient of theirs is ever formed.
 *
 * <p>The pass is cut between the blocks of the decoder, and goes back block by block: the output gradients of one block are
 * used and freed before those of the block before it are computed.
 *
 * <p>A decoder is bound to one tape for good ({@link Architecture.Weights#tape}); the tape holds one pass at a time, from
 * {@link #begin} to {@link #backward}. What it holds belongs to the pointer scope that was open at {@link #begin}.
 */
final class Tape {
    /** The part of a pass between two cuts; {@code input} is null for the first, which starts at the embeddings. */
    private static final class Segment {
        private final Tensor input;
        private final List<RecordedLayer> layers = new ArrayList<>();
        private Tensor output;

        Segment(Tensor input) {
            this.input = input;
        }
    }

    private final List<Segment> segments = new ArrayList<>();
    private final String tiedEmbedding;
    private PointerScope scope;

    /** @param tiedEmbedding the name of the input embedding that is the output embedding too; null where none is */
    Tape(String tiedEmbedding) {
        this.tiedEmbedding = tiedEmbedding;
    }

    Projection projection(Projection layer, String prefix, boolean hasBias, boolean transposed) {
        String bias = hasBias ? prefix + ".bias" : null;
        return x -> {
            Tensor y = layer.apply(x);
            add(new RecordedLayer.OfProjection(prefix + ".weight", bias, transposed, kept(x), kept(y)));
            return y;
        };
    }

    /** @param unscaled the norm without weight and bias */
    Norm norm(Norm layer, Norm unscaled, String prefix, boolean hasBias) {
        String bias = hasBias ? prefix + ".bias" : null;
        return x -> {
            Tensor y = layer.apply(x);
            add(new RecordedLayer.OfNorm(prefix + ".weight", bias, unscaled, kept(x), kept(y)));
            return y;
        };
    }

    Lookup lookup(Embedding layer, String weight) {
        boolean tied = weight.equals(tiedEmbedding);
        return ids -> {
            // The first tensor of the pass that autograd follows, as its table does not take part.
            Tensor y = layer.apply(ids).requires_grad_(true);
            add(new RecordedLayer.OfLookup(weight, layer.paddingIndex(), tied, kept(ids), kept(y)));
            return y;
        };
    }

    /** Runs a block behind a cut; what it makes and nobody needs later is freed at its end. */
    Tensor block(Tensor hidden, UnaryOperator<Tensor> block) {
        last().output = kept(hidden);
        Tensor input = kept(hidden.detach().requires_grad_(true));
        segments.add(new Segment(input));
        try (PointerScope inner = new PointerScope()) {
            return kept(block.apply(input));
        }
    }

    /** Forgets the pass before and records the next; the innermost pointer scope keeps what is recorded. */
    void begin() {
        scope = PointerScope.getInnerScope();
        segments.clear();
        segments.add(new Segment(null));
    }

    /**
     * Goes back through the pass and gives every recorded layer the gradient with respect to its output, the last block's
     * layers first.
     *
     * @param output what the pass ended in
     * @param gradient of the loss with respect to it
     * @param again whether the pass will be gone through once more
     */
    void backward(Tensor output, Tensor gradient, boolean again, ExampleSquares squares) {
        last().output = output;
        try (BoolOptional retain = new BoolOptional(again)) {
            Tensor arriving = gradient;
            for (int i = segments.size() - 1; i >= 0; i--) {
                Segment segment = segments.get(i);
                try (PointerScope inner = new PointerScope()) {
                    arriving = backward(segment, arriving, retain, squares);
                }
            }
        }
    }

    /** @return the gradient with respect to the segment's input; null for the first */
    private Tensor backward(Segment segment, Tensor gradient, BoolOptional retain, ExampleSquares squares) {
        List<RecordedLayer> layers = segment.layers;
        TensorVector wanted = new TensorVector();
        layers.forEach(layer -> wanted.push_back(layer.output()));
        if (segment.input != null) {
            wanted.push_back(segment.input);
        }
        TensorVector gradients =
                torch.grad(new TensorVector(segment.output), wanted, new TensorVector(gradient), retain, false, false);
        for (int i = 0; i < layers.size(); i++) {
            layers.get(i).accumulate(gradients.get(i), squares);
        }
        // An entry of a vector goes with its vector: detach() makes a tensor of its own over the same memory.
        return segment.input == null ? null : kept(gradients.get(layers.size()).detach());
    }

    private void add(RecordedLayer layer) {
        last().layers.add(layer);
    }

    private Segment last() {
        return segments.get(segments.size() - 1);
    }

    private Tensor kept(Tensor tensor) {
        scope.attach(tensor);
        return tensor;
    }
}
