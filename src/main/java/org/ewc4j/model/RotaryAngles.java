package org.ewc4j.model;

import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Cosines and sines by which the heads of one forward pass are rotated, in the caller's pointer scope. They are computed for
 * the positions of the pass: a table would grow with the positions that a config.json claims, which may be millions.
 *
 * @param cos (rows, columns, 1, ⌈dimensions / 2⌉)
 * @param sin the same
 */
record RotaryAngles(Tensor cos, Tensor sin) {
    /**
     * @param frequencies {@link Rope#frequencies}
     * @param pass its positions count
     */
    static RotaryAngles of(Tensor frequencies, ForwardPass pass) {
        try (NoGradGuard guard = new NoGradGuard()) {
            Tensor angles = pass.rowPositions()
                    .to(ScalarType.Float)
                    .unsqueeze(-1)
                    .unsqueeze(-1)
                    .mul(frequencies);
            ScalarType floats = pass.numerics().floats();
            return new RotaryAngles(angles.cos().to(floats), angles.sin().to(floats));
        }
    }
}
