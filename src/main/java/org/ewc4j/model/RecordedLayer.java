package org.ewc4j.model;

import org.bytedeco.pytorch.Tensor;
import org.ewc4j.model.Layers.Norm;

/**
 * One use of a layer in a recorded pass: with the gradient G of the loss with respect to its output, the gradient of each
 * example with respect to the layer's parameters follows from what it read.
 */
sealed interface RecordedLayer {
    /** What the layer gave, (tokens or scored positions, …) or (rows, columns, …). */
    Tensor output();

    /** Adds the weighted squares of each example's gradients, given the gradient with respect to {@link #output}. */
    void accumulate(Tensor gradient, ExampleSquares squares);

    /**
     * y = x Wᵀ + b with W (out, in): the gradient of example n is Σ_p G_pᵀ X_p over its positions; W (in, out), where
     * transposed, has Σ_p X_pᵀ G_p.
     *
     * @param bias its name, or null
     */
    record OfProjection(String weight, String bias, boolean transposed, Tensor input, Tensor output)
            implements RecordedLayer {
        @Override
        public void accumulate(Tensor gradient, ExampleSquares squares) {
            Tensor perPosition = gradient.reshape(-1, gradient.size(-1));
            Tensor read = input.detach().reshape(-1, input.size(-1));
            if (transposed) {
                squares.addTransposedMatrix(weight, perPosition, read);
            } else {
                squares.addMatrix(weight, perPosition, read);
            }
            if (bias != null) {
                squares.addVector(bias, gradient);
            }
        }
    }

    /**
     * y = w ∘ x̂ + b with x̂ the normalised x: the gradient of example n is Σ G ∘ x̂ over its positions, and over its heads
     * where each head is normalised by itself.
     *
     * @param bias its name, or null
     * @param unscaled x ↦ x̂
     */
    record OfNorm(String weight, String bias, Norm unscaled, Tensor input, Tensor output) implements RecordedLayer {
        @Override
        public void accumulate(Tensor gradient, ExampleSquares squares) {
            squares.addVector(weight, unscaled.apply(input.detach()).mul(gradient));
            if (bias != null) {
                squares.addVector(bias, gradient);
            }
        }
    }

    /**
     * y = W[ids]: the gradient of example n with respect to row r is Σ_p G_p over its positions with that id.
     *
     * @param paddingIndex a row whose gradient is dropped; −1 for none
     * @param tied whether W is the output embedding too
     */
    record OfLookup(String weight, long paddingIndex, boolean tied, Tensor ids, Tensor output)
            implements RecordedLayer {
        @Override
        public void accumulate(Tensor gradient, ExampleSquares squares) {
            squares.addRows(weight, ids, gradient.reshape(-1, gradient.size(-1)), paddingIndex, tied);
        }
    }
}
