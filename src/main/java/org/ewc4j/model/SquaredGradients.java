package org.ewc4j.model;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.ToLongFunction;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.ewc4j.kernel.ElementType;
import org.ewc4j.kernel.Kernels;
import org.ewc4j.kernel.TensorList;
import org.ewc4j.tensor.Arena;
import org.ewc4j.tensor.Device;
import org.ewc4j.tensor.ParameterLayout;
import org.ewc4j.tensor.ParameterLayout.Parameter;

/**
 * The gradients that leaves have, ready to have their squares added to a Fisher. A leaf without one adds nothing; of a table
 * that was looked up sparsely only the rows that were read are touched, as the squares of the others are zero. Belongs to the
 * pointer scope in which it was made, and to the gradients of that time.
 */
final class SquaredGradients {
    /** {@code elements} of a parameter: where they lie from its first byte on in fp32, and where their gradients lie. */
    private record Piece(Parameter parameter, long offset, long elements, long gradient) {}

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
                    squares.takeRows(parameter, gradient);
                } else if (gradient.defined()) {
                    squares.pieces.add(new Piece(parameter, 0, parameter.elements(), address(gradient.contiguous())));
                }
            }
        }
        return squares;
    }

    /** A row that was read more than once is summed in the order of the batch, as {@link Gradients} sums it: to the same bits. */
    private void takeRows(Parameter parameter, Tensor gradient) {
        Tensor indices =
                gradient._indices().select(0, 0).contiguous(); // on the CPU: on a device none is looked up sparsely
        long[] read = new long[Math.toIntExact(indices.numel())];
        indices.data_ptr_long().get(read);
        TokenSlots slots = TokenSlots.of(read, new long[] {0, read.length}, -1);
        Tensor values = gradient._values();
        long size = values.size(1);
        Tensor sums = torch.zeros(new long[] {slots.count(), size}, values.options())
                .index_add_(0, Device.CPU.longs(slots.slots()), values);
        for (int slot = 0; slot < slots.count(); slot++) {
            pieces.add(new Piece(
                    parameter,
                    slots.ids()[slot] * size * Float.BYTES,
                    size,
                    address(sums) + slot * size * type.bytes()));
        }
    }

    /** fisher += weight · g², with fisher fp32 in the layout of the leaves. */
    void addTo(Arena fisher, double weight) {
        long[] elements = each(Piece::elements);
        try (TensorList into = TensorList.of(
                        ElementType.F32, each(piece -> fisher.segment(piece.parameter()) + piece.offset()), elements);
                TensorList from = TensorList.of(type, each(Piece::gradient), elements)) {
            kernels.fisherAccumulate(into, from, weight);
        }
    }

    private long[] each(ToLongFunction<Piece> quantity) {
        return pieces.stream().mapToLong(quantity).toArray();
    }

    private static long address(Tensor tensor) {
        return tensor.data_ptr().address();
    }
}
