package org.ewc4j.model;

import static org.ewc4j.tensor.Torch.keep;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.ewc4j.tensor.Torch;

/**
 * Keys and values of the tokens read so far, per layer. The memory doubles when it is full, up to the longest continuation:
 * a model with 131,072 positions that says three words does not take the memory of all of them.
 */
final class KeyValueCache implements AutoCloseable {
    private static final int FIRST_CAPACITY = 64;

    private final Numerics numerics;
    private final int capacityLimit;
    private final List<Tensor> keys = new ArrayList<>();
    private final List<Tensor> values = new ArrayList<>();
    private int length;

    /** An empty cache of (rows, heads, columns, headSize) keys and as many values for each layer. */
    KeyValueCache(Numerics numerics, int layers, int rows, int heads, int capacityLimit, int headSize) {
        this.numerics = numerics;
        this.capacityLimit = capacityLimit;
        int capacity = Math.min(FIRST_CAPACITY, capacityLimit);
        try (PointerScope scope = new PointerScope()) {
            for (int layer = 0; layer < layers; layer++) {
                keys.add(keep(memory(rows, heads, capacity, headSize)));
                values.add(keep(memory(rows, heads, capacity, headSize)));
            }
        }
    }

    /** Appends one layer's new keys and values (rows, heads, columns, headSize) and returns all of that layer's so far. */
    Tensor[] append(int layer, Tensor key, Tensor value) {
        return new Tensor[] {append(keys, layer, key), append(values, layer, value)};
    }

    private Tensor append(List<Tensor> memory, int layer, Tensor fresh) {
        long columns = fresh.size(2);
        try (NoGradGuard guard = new NoGradGuard()) {
            if (length + columns > memory.get(layer).size(2)) {
                grow(memory, layer, length + columns);
            }
            memory.get(layer).narrow(2, length, columns).copy_(fresh);
            return memory.get(layer).narrow(2, 0, length + columns);
        }
    }

    private void grow(List<Tensor> memory, int layer, long needed) {
        Tensor full = memory.get(layer);
        long capacity = Math.min(capacityLimit, Math.max(needed, 2 * full.size(2)));
        Tensor larger = keep(memory(full.size(0), full.size(1), capacity, full.size(3)));
        larger.narrow(2, 0, length).copy_(full.narrow(2, 0, length));
        memory.set(layer, larger);
        Torch.release(full);
    }

    private Tensor memory(long... shape) {
        return torch.empty(shape, numerics.options(), null);
    }

    /** Called once when every layer has appended. */
    void advance(int columns) {
        length += columns;
    }

    @Override
    public void close() {
        keys.forEach(Torch::release);
        values.forEach(Torch::release);
        keys.clear();
        values.clear();
    }
}
