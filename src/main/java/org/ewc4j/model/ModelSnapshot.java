package org.ewc4j.model;

import org.ewc4j.tensor.Arena;

/**
 * What training changes of a model, as it was. Whoever takes it ({@link CausalLm#snapshot}) closes it.
 *
 * @param theta θ
 * @param dropout {@link CausalLm#randomState}
 */
public record ModelSnapshot(Arena theta, byte[] dropout) implements AutoCloseable {
    @Override
    public void close() {
        theta.close();
    }
}
