package org.ewc4j.model;

import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** Cosines and sines of all positions of a model; they belong to the model's pointer scope. */
final class RotaryTables {
    /** Of one pass: (rows, columns, 1, ⌈dimensions / 2⌉) each. */
    record Angles(Tensor cos, Tensor sin) {}

    private final Tensor cos;
    private final Tensor sin;

    RotaryTables(Rope rope, int positions) {
        Tensor[] tables = rope.tables(positions);
        cos = tables[0];
        sin = tables[1];
    }

    /** Looks up positions (rows, columns). */
    Angles at(Tensor positions) {
        try (NoGradGuard guard = new NoGradGuard()) {
            return new Angles(
                    torch.embedding(cos, positions).unsqueeze(2), torch.embedding(sin, positions).unsqueeze(2));
        }
    }
}
