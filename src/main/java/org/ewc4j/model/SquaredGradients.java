package org.ewc4j.model;

import java.util.Arrays;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.ewc4j.kernel.ElementType;
import org.ewc4j.kernel.Kernels;
import org.ewc4j.kernel.TensorList;
import org.ewc4j.tensor.Arena;
import org.ewc4j.tensor.ParameterLayout;
import org.ewc4j.tensor.ParameterLayout.Parameter;

/**
 * Adds the squares of the gradients that leaves have to a Fisher. A leaf without one adds nothing; of a table that was looked
 * up sparsely only the rows that were read are touched, as the squares of the others are zero.
 */
final class SquaredGradients {
    private final ParameterLayout layout;
    private final Map<String, Tensor> leaves;
    private final ElementType type;
    private final Kernels kernels;

    /** @param type of the gradients */
    SquaredGradients(ParameterLayout layout, Map<String, Tensor> leaves, ElementType type, Kernels kernels) {
        this.layout = layout;
        this.leaves = leaves;
        this.type = type;
        this.kernels = kernels;
    }

    /** fisher += weight · g², with fisher fp32 in the layout of the leaves. */
    void addTo(Arena fisher, double weight) {
        try (PointerScope scope = new PointerScope();
                NoGradGuard guard = new NoGradGuard()) {
            for (Parameter parameter : layout.parameters()) {
                Tensor gradient = leaves.get(parameter.name()).grad();
                if (gradient.defined() && gradient.is_sparse()) {
                    addRows(gradient.coalesce(), fisher.segment(parameter), weight);
                } else if (gradient.defined()) {
                    long[] at = {fisher.segment(parameter)};
                    add(at, new long[] {address(gradient.contiguous())}, parameter.elements(), weight);
                }
            }
        }
    }

    private void addRows(Tensor gradient, long fisher, double weight) {
        Tensor values = gradient.values().contiguous();
        Tensor indices = gradient.indices().cpu().contiguous();
        long size = values.size(1);
        long[] rows = new long[Math.toIntExact(values.size(0))];
        indices.data_ptr_long().get(rows);
        long[] squares = Arrays.stream(rows)
                .map(row -> fisher + row * size * Float.BYTES)
                .toArray();
        long[] gradients = new long[rows.length];
        Arrays.setAll(gradients, i -> address(values) + i * size * type.bytes());
        add(squares, gradients, size, weight);
    }

    /** Of as many segments of {@code elements} each. */
    private void add(long[] fisher, long[] gradient, long elements, double weight) {
        long[] counts = new long[fisher.length];
        Arrays.fill(counts, elements);
        try (TensorList into = TensorList.of(ElementType.F32, fisher, counts);
                TensorList from = TensorList.of(type, gradient, counts)) {
            kernels.fisherAccumulate(into, from, weight);
        }
    }

    private static long address(Tensor tensor) {
        return tensor.data_ptr().address();
    }
}
