package org.ewc4j.model;

import java.util.HashMap;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.ewc4j.kernel.ElementType;
import org.ewc4j.kernel.TensorList;
import org.ewc4j.tensor.ParameterLayout.Parameter;
import org.ewc4j.tensor.Torch;
import org.ewc4j.tensor.TrainedParameters;

/**
 * The gradients of a model's leaves, where the native kernels find them: dense, contiguous, and wherever libtorch put them.
 *
 * <p>A table that was looked up sparsely has the gradient of the rows that were read alone. They are added into a table of
 * zeros that is kept from step to step, and zeroed again behind the step: a vocabulary's worth of memory is neither asked of
 * the system nor cleared for the few rows of a batch.
 */
final class Gradients implements AutoCloseable {
    private final TrainedParameters trained;
    private final Map<String, Tensor> leaves;
    private final ElementType type;
    private final Map<String, Tensor> tables = new HashMap<>(); // kept; zeros but for the rows below
    private final Map<String, Tensor> rows = new HashMap<>(); // kept; (rows that were read), int64
    private TensorList list;
    private boolean listed;

    /**
     * @param trained those that have a gradient
     * @param leaves the parameters by name
     * @param type of the gradients
     */
    Gradients(TrainedParameters trained, Map<String, Tensor> leaves, ElementType type) {
        this.trained = trained;
        this.leaves = leaves;
        this.type = type;
    }

    /** @throws IllegalStateException between {@link #list} and {@link #clear} */
    void requireCleared() {
        if (listed) {
            throw new IllegalStateException("the gradients were asked for: clear them before others are accumulated");
        }
    }

    /** Of the trained parameters in their order, valid until {@link #clear}. A parameter that no loss reached has a gradient of zeros. */
    TensorList list() {
        try (PointerScope scope = new PointerScope();
                NoGradGuard guard = new NoGradGuard()) {
            listed = true;
            long[] addresses = new long[trained.parameters().size()];
            long[] counts = new long[addresses.length];
            for (int i = 0; i < addresses.length; i++) {
                Parameter parameter = trained.parameters().get(i);
                addresses[i] = dense(parameter.name()).data_ptr().address();
                counts[i] = parameter.elements();
            }
            if (list == null) {
                list = TensorList.of(type, addresses, counts);
            } else {
                for (int i = 0; i < addresses.length; i++) {
                    list.setAddress(i, addresses[i]);
                }
            }
            return list;
        }
    }

    private Tensor dense(String name) {
        Tensor leaf = leaves.get(name);
        if (!leaf.grad().defined()) {
            leaf.mutable_grad().put(torch.zeros_like(leaf));
        } else if (leaf.grad().is_sparse()) {
            leaf.mutable_grad().put(table(name, leaf));
        } else if (!leaf.grad().is_contiguous()) {
            leaf.mutable_grad().put(leaf.grad().contiguous());
        }
        return leaf.grad();
    }

    /** Row by row in the order of the batch, as the gradient of a dense lookup is summed. */
    private Tensor table(String name, Tensor leaf) {
        Tensor table = tables.computeIfAbsent(
                name, missing -> Torch.keepMemory("gradient of an embedding", torch.zeros_like(leaf)));
        Tensor read = leaf.grad()._indices().select(0, 0);
        table.index_add_(0, read, leaf.grad()._values());
        rows.put(name, Torch.keep(read));
        return table;
    }

    /** Drops the gradients and their memory, but for the tables. */
    void clear() {
        try (PointerScope scope = new PointerScope();
                NoGradGuard guard = new NoGradGuard()) {
            leaves.values().forEach(leaf -> leaf.mutable_grad().reset());
            rows.forEach((name, read) -> {
                tables.get(name).index_fill_(0, read, new Scalar(0));
                Torch.release(read);
            });
            rows.clear();
            listed = false;
        }
    }

    @Override
    public void close() {
        if (list != null) {
            list.close();
        }
        rows.values().forEach(Torch::release);
        tables.values().forEach(Torch::release);
    }
}
