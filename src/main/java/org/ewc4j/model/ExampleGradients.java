package org.ewc4j.model;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.ewc4j.data.Batch;
import org.ewc4j.kernel.Kernels;
import org.ewc4j.tensor.Arena;
import org.ewc4j.tensor.ParameterLayout.Parameter;

/**
 * Sums of squared gradients over the examples of a batch, exactly and at about the cost of one forward and backward pass:
 * neither a gradient of one example nor one of the whole batch is formed. The loss of an example is the <em>sum</em> of its
 * token losses.
 *
 * <p>With X the inputs of a layer and G the gradients of the loss with respect to its outputs, the gradient of example n is
 * G_nᵀX_n over its own positions (Goodfellow 2015, "Efficient per-example gradient computations"), and what is squared and
 * summed over n is formed tile by tile ({@link Kernels#fisherAccumulateLinear}).
 *
 * <p>Reads the model's θ as it is at each call. Whoever opens it ({@link CausalLm#exampleGradients}) closes it, before the
 * model; one thread at a time.
 */
public final class ExampleGradients implements AutoCloseable {
    /**
     * What a call found on its way; where one of the numbers is not finite, what was added is worth nothing.
     *
     * @param loss Σ token losses of the batch under the data's labels, in nats
     * @param gradientSum the sum of all gradients with respect to layer outputs: not a size of anything, but NaN or Inf where
     *     one of them is
     */
    public record Findings(double loss, double gradientSum) {
        public boolean finite() {
            return Double.isFinite(loss) && Double.isFinite(gradientSum);
        }
    }

    /** Runs a decoder over a batch; the model's own positions and dropout. */
    interface Forward {
        Tensor hidden(Architecture.Decoder decoder, Batch batch);
    }

    private final Architecture architecture;
    private final Kernels kernels;
    private final Forward forward;
    private final Tape tape;
    private final PointerScope scope;
    private final Architecture.Decoder decoder;
    private final String outputName;
    private final Tensor outputEmbedding;

    ExampleGradients(Architecture architecture, Arena theta, Kernels kernels, Forward forward) {
        this.architecture = architecture;
        this.kernels = kernels;
        this.forward = forward;
        this.outputName = architecture.tied() ? architecture.inputEmbedding() : architecture.outputEmbedding();
        this.tape = new Tape(architecture.tied() ? outputName : null);
        this.scope = new PointerScope();
        try {
            this.decoder = architecture.bind(new RecordedWeights(theta, tape));
            this.outputEmbedding = view(theta, outputName);
            scope.extend();
        } finally {
            scope.close();
        }
    }

    /** θ outside of autograd. */
    private record RecordedWeights(Arena theta, Tape tape) implements Architecture.Weights {
        @Override
        public Tensor get(String name) {
            return view(theta, name);
        }
    }

    private static Tensor view(Arena theta, String name) {
        Parameter parameter = theta.layout().get(name);
        return theta.view(parameter).detach();
    }

    /**
     * {@code fisher += weight · Σ_n (1 ÷ draws) Σ_draws g_n²} over the examples of a batch.
     *
     * @param fisher in the layout of θ, fp32
     * @param weight of one example
     */
    public Findings addSquares(Batch batch, Labels labels, Arena fisher, double weight) {
        if (batch.scoredPositions() == 0) {
            return new Findings(0, 0);
        }
        ScoredPositions scored = ScoredPositions.of(batch);
        try (PointerScope step = new PointerScope()) {
            tape.begin();
            Tensor hidden = torch.index_select(
                    forward.hidden(decoder, batch).view(-1, architecture.hiddenSize()),
                    0,
                    ExampleSquares.longs(scored.positions()));
            try (NoGradGuard guard = new NoGradGuard()) {
                Tensor logProbabilities = torch.log_softmax(torch.linear(hidden.detach(), outputEmbedding), 1);
                Tensor targets = ExampleSquares.longs(scored.targets()).unsqueeze(1);
                double loss = -logProbabilities.gather(1, targets).sum().item_double();
                if (!Double.isFinite(loss)) {
                    return new Findings(loss, 0);
                }
                Tensor probabilities = logProbabilities.exp_();
                ExampleSquares squares = new ExampleSquares(kernels, fisher, weight / labels.draws(), batch);
                for (int draw = 0; draw < labels.draws(); draw++) {
                    try (PointerScope one = new PointerScope()) {
                        boolean again = draw + 1 < labels.draws();
                        long[] drawn = labels instanceof Labels.Sampled sampled
                                ? sampled.draw(batch, scored, probabilities, draw)
                                : scored.targets();
                        Tensor gradient = again ? probabilities.clone() : probabilities;
                        backward(gradient, drawn, hidden, scored, again, squares);
                    }
                }
                return new Findings(loss, squares.total());
            }
        }
    }

    /** @param gradient softmax of the logits; becomes the gradient with respect to them, softmax − onehot(label) */
    private void backward(
            Tensor gradient,
            long[] labels,
            Tensor hidden,
            ScoredPositions scored,
            boolean again,
            ExampleSquares squares) {
        long[] entries = new long[labels.length];
        for (int i = 0; i < entries.length; i++) {
            entries[i] = i * gradient.size(1) + labels[i];
        }
        Tensor minusOne = torch.full(new long[] {entries.length}, new Scalar(-1.0));
        gradient.view(-1).index_add_(0, ExampleSquares.longs(entries), minusOne);
        Tensor ofHidden = gradient.mm(outputEmbedding);
        Tensor read = hidden.detach();
        if (architecture.tied()) {
            squares.addTiedOutputEmbedding(outputName, gradient, read, scored, architecture.paddingIndex());
        } else {
            squares.addOutputEmbedding(outputName, gradient, read, scored);
        }
        tape.backward(hidden, ofHidden, again, squares);
    }

    @Override
    public void close() {
        scope.close();
    }
}
