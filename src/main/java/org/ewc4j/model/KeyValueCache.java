package org.ewc4j.model;

import static org.ewc4j.tensor.Torch.keep;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.ewc4j.tensor.Torch;

/** Keys and values of the tokens read so far, per layer, in memory taken once for the longest continuation. */
final class KeyValueCache implements AutoCloseable {
    private final List<Tensor> keys = new ArrayList<>();
    private final List<Tensor> values = new ArrayList<>();
    private int length;

    /** A cache of (rows, heads, capacity, headSize) keys and as many values for each layer. */
    KeyValueCache(int layers, int rows, int heads, int capacity, int headSize) {
        try (PointerScope scope = new PointerScope()) {
            for (int layer = 0; layer < layers; layer++) {
                keys.add(keep(torch.empty(rows, heads, capacity, headSize)));
                values.add(keep(torch.empty(rows, heads, capacity, headSize)));
            }
        }
    }

    /** Appends one layer's new keys and values (rows, heads, columns, headSize) and returns all of that layer's so far. */
    Tensor[] append(int layer, Tensor key, Tensor value) {
        long columns = key.size(2);
        return new Tensor[] {append(keys.get(layer), key, columns), append(values.get(layer), value, columns)};
    }

    private Tensor append(Tensor memory, Tensor fresh, long columns) {
        try (NoGradGuard guard = new NoGradGuard()) {
            memory.narrow(2, length, columns).copy_(fresh);
            return memory.narrow(2, 0, length + columns);
        }
    }

    /** Called once when every layer has appended. */
    void advance(int columns) {
        length += columns;
    }

    int length() {
        return length;
    }

    @Override
    public void close() {
        keys.forEach(Torch::release);
        values.forEach(Torch::release);
        keys.clear();
        values.clear();
    }
}
