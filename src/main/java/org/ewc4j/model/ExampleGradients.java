package org.ewc4j.model;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.ewc4j.data.Batch;
import org.ewc4j.kernel.Kernels;
import org.ewc4j.tensor.Arena;

/**
 * Sums of squared gradients over the examples of a batch, exactly and at about the cost of one forward and backward pass:
 * neither a gradient of one example nor one of the whole batch is formed. The loss of an example is the <em>sum</em> of its
 * token losses.
 *
 * <p>With X the inputs of a layer and G the gradients of the loss with respect to its outputs, the gradient of example n is
 * G_nᵀX_n over its own positions (Goodfellow 2015, "Efficient per-example gradient computations"), and what is squared and
 * summed over n is formed tile by tile ({@link Kernels#fisherAccumulateLinear}).
 *
 * <p>Reads the model's parameters as they are at each call. Whoever opens it ({@link CausalLm#exampleGradients}) closes it,
 * before the model; one thread at a time.
 */
public final class ExampleGradients implements AutoCloseable {
    /**
     * What a call found on its way; where one of the numbers is not finite, what was added is worth nothing.
     *
     * @param loss Σ token losses of the batch under the data's labels, in nats; where it is not finite, of the examples up to
     *     the one that was not
     * @param gradientSum the sum of all gradients with respect to layer outputs: not a size of anything, but NaN or Inf where
     *     one of them is
     */
    public record Findings(double loss, double gradientSum) {
        public boolean finite() {
            return Double.isFinite(loss) && Double.isFinite(gradientSum);
        }
    }

    private final CausalLm model;
    private final Kernels kernels;
    private final Tape tape;
    private final PointerScope scope;
    private final Architecture.Decoder decoder;
    private final ExampleOutputLayer outputLayer;

    /** @param parameters what the model computes with */
    ExampleGradients(CausalLm model, Architecture architecture, Arena parameters, Kernels kernels) {
        this.model = model;
        this.kernels = kernels;
        String output = architecture.tied() ? architecture.inputEmbedding() : architecture.outputEmbedding();
        this.tape = new Tape(architecture.tied() ? output : null);
        this.scope = new PointerScope();
        try {
            RecordedWeights weights = new RecordedWeights(parameters, tape);
            this.decoder = architecture.bind(weights, parameters.device());
            this.outputLayer = new ExampleOutputLayer(
                    output, weights.get(output), architecture.tied(), architecture.paddingIndex(), kernels);
            scope.extend();
        } finally {
            scope.close();
        }
    }

    /** Parameters outside of autograd. */
    private record RecordedWeights(Arena parameters, Tape tape) implements Architecture.Weights {
        @Override
        public Tensor get(String name) {
            return parameters.view(parameters.layout().get(name)).detach();
        }
    }

    /**
     * {@code fisher += weight · Σ_n (1 ÷ draws) Σ_draws g_n²} over the examples of a batch.
     *
     * @param fisher in the layout of θ, fp32, where the model computes
     * @param weight of one example
     */
    public Findings addSquares(Batch batch, Labels labels, Arena fisher, double weight) {
        if (batch.scoredPositions() == 0) {
            return new Findings(0, 0);
        }
        try (StagedBatch staged = model.stage(batch);
                PointerScope step = new PointerScope()) {
            tape.begin();
            Tensor scored = model.scored(decoder, staged);
            try (NoGradGuard guard = new NoGradGuard()) {
                ExampleSquares squares =
                        new ExampleSquares(kernels, fisher, model.trained(), weight / labels.draws(), batch);
                double loss = 0;
                for (int draw = 0; draw < labels.draws(); draw++) {
                    try (PointerScope one = new PointerScope()) {
                        Tensor gradient = torch.empty_like(scored);
                        loss = outputLayer.add(scored.detach(), gradient, staged, labels, draw, squares);
                        if (!Double.isFinite(loss)) {
                            return new Findings(loss, 0);
                        }
                        tape.backward(scored, gradient, draw + 1 < labels.draws(), squares);
                    }
                }
                return new Findings(loss, squares.total());
            }
        }
    }

    @Override
    public void close() {
        scope.close();
    }
}
