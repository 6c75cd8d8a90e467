package org.ewc4j.model;

import org.bytedeco.pytorch.Tensor;
import org.ewc4j.tensor.Arena;
import org.ewc4j.tensor.Torch;

/**
 * What training changes of a model, as it was: θ and where the stream of dropout was. Whoever takes it ({@link
 * CausalLm#snapshot}) closes it, once.
 */
public final class ModelSnapshot implements AutoCloseable {
    private final Arena theta;
    private final Tensor dropout;

    /** Takes over both. */
    ModelSnapshot(Arena theta, Tensor dropout) {
        this.theta = theta;
        this.dropout = dropout;
    }

    Arena theta() {
        return theta;
    }

    Tensor dropout() {
        return dropout;
    }

    @Override
    public void close() {
        theta.close();
        Torch.release(dropout);
    }
}
