package org.ewc4j.model;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.ewc4j.kernel.ElementType;
import org.ewc4j.kernel.Kernels;
import org.ewc4j.kernel.TensorList;
import org.ewc4j.tensor.Arena;
import org.ewc4j.tensor.ParameterLayout;
import org.ewc4j.tensor.ParameterLayout.Parameter;

/**
 * The gradients that leaves have, ready to have their squares added to a Fisher. A leaf without one adds nothing; of a table
 * that was looked up sparsely only the rows that were read are touched, as the squares of the others are zero. Belongs to the
 * pointer scope in which it was made, and to the gradients of that time.
 */
final class SquaredGradients {
    /** {@code pieces} of {@code elements} each: where they lie from the parameter's first byte on in fp32, and where the gradients lie. */
    private record Piece(Parameter parameter, long elements, long[] offsets, long[] gradients) {}

    private final List<Piece> pieces = new ArrayList<>();
    private final ElementType type;
    private final Kernels kernels;

    private SquaredGradients(ElementType type, Kernels kernels) {
        this.type = type;
        this.kernels = kernels;
    }

    /**
     * Takes all the memory that adding needs.
     *
     * @param layout of the leaves
     * @param type of the gradients
     */
    static SquaredGradients of(ParameterLayout layout, Map<String, Tensor> leaves, ElementType type, Kernels kernels) {
        SquaredGradients squares = new SquaredGradients(type, kernels);
        try (NoGradGuard guard = new NoGradGuard()) {
            for (Parameter parameter : layout.parameters()) {
                Tensor gradient = leaves.get(parameter.name()).grad();
                if (gradient.defined() && gradient.is_sparse()) {
                    squares.takeRows(parameter, gradient.coalesce());
                } else if (gradient.defined()) {
                    squares.pieces.add(new Piece(
                            parameter, parameter.elements(), new long[] {0}, new long[] {address(gradient.contiguous())
                            }));
                }
            }
        }
        return squares;
    }

    private void takeRows(Parameter parameter, Tensor gradient) {
        Tensor values = gradient.values().contiguous();
        Tensor indices = gradient.indices().cpu().contiguous();
        long size = values.size(1);
        long[] rows = new long[Math.toIntExact(values.size(0))];
        indices.data_ptr_long().get(rows);
        long[] offsets =
                Arrays.stream(rows).map(row -> row * size * Float.BYTES).toArray();
        long[] gradients = new long[rows.length];
        Arrays.setAll(gradients, i -> address(values) + i * size * type.bytes());
        pieces.add(new Piece(parameter, size, offsets, gradients));
    }

    /** fisher += weight · g², with fisher fp32 in the layout of the leaves. */
    void addTo(Arena fisher, double weight) {
        for (Piece piece : pieces) {
            long begin = fisher.segment(piece.parameter());
            long[] at =
                    Arrays.stream(piece.offsets()).map(offset -> begin + offset).toArray();
            long[] counts = new long[at.length];
            Arrays.fill(counts, piece.elements());
            try (TensorList into = TensorList.of(ElementType.F32, at, counts);
                    TensorList from = TensorList.of(type, piece.gradients(), counts)) {
                kernels.fisherAccumulate(into, from, weight);
            }
        }
    }

    private static long address(Tensor tensor) {
        return tensor.data_ptr().address();
    }
}
