package org.ewc4j.tensor;

import static org.ewc4j.tensor.Torch.keep;

import java.util.Locale;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.ewc4j.error.RunFailedException;
import org.ewc4j.kernel.ElementType;
import org.ewc4j.kernel.TensorList;
import org.ewc4j.tensor.ParameterLayout.Parameter;

/**
 * One flat fp32 tensor that holds a value per parameter element: θ, a moment, F or θ*.
 *
 * <p>The memory is a libtorch tensor; the native kernels see it as {@link #list()}, one segment per parameter. Owned by
 * whoever made it and closed by them. Not safe for use by two threads at once.
 */
public final class Arena implements AutoCloseable {
    private final ParameterLayout layout;
    private final Tensor flat;
    private final TensorList list;
    private boolean closed;

    /**
     * An arena of zeros.
     *
     * @throws RunFailedException where there is not that much memory
     */
    public Arena(ParameterLayout layout) {
        this.layout = layout;
        try (PointerScope scope = new PointerScope()) {
            this.flat = keep(torch.zeros(layout.arenaElements()));
        } catch (RuntimeException e) {
            throw new RunFailedException(
                    String.format(
                            Locale.ROOT,
                            "there is no memory for %,d MB more (%,d parameters of 4 bytes)",
                            layout.arenaElements() * Float.BYTES / 1_000_000,
                            layout.elements()),
                    e);
        }
        long[] addresses = new long[layout.parameters().size()];
        long[] counts = new long[addresses.length];
        for (int i = 0; i < addresses.length; i++) {
            Parameter parameter = layout.parameters().get(i);
            addresses[i] = flat.data_ptr().address() + parameter.offset() * Float.BYTES;
            counts[i] = parameter.elements();
        }
        this.list = TensorList.of(ElementType.F32, addresses, counts);
    }

    public ParameterLayout layout() {
        return layout;
    }

    /** The segments, in layout order, as the kernels take them. Valid until close. */
    public TensorList list() {
        requireOpen();
        return list;
    }

    /** A view of one parameter in its own shape; shares the memory. The caller's pointer scope frees the wrapper. */
    public Tensor view(Parameter parameter) {
        requireOpen();
        return flat.narrow(0, parameter.offset(), parameter.elements()).view(parameter.shapeArray());
    }

    /** Address of the first byte of a parameter. */
    public long address(Parameter parameter) {
        requireOpen();
        return flat.data_ptr().address() + parameter.offset() * Float.BYTES;
    }

    /** Copies every element of another arena of the same layout. */
    public void copyFrom(Arena other) {
        requireOpen();
        other.requireOpen();
        if (other.layout != layout) {
            throw new IllegalArgumentException("the arenas have different layouts");
        }
        try (PointerScope scope = new PointerScope();
                NoGradGuard guard = new NoGradGuard()) {
            flat.copy_(other.flat);
        }
    }

    /** Sets every element. */
    public void fill(double value) {
        requireOpen();
        try (PointerScope scope = new PointerScope();
                NoGradGuard guard = new NoGradGuard()) {
            flat.fill_(new Scalar(value));
        }
    }

    /** Adds a number to every element. */
    public void add(double value) {
        requireOpen();
        try (PointerScope scope = new PointerScope();
                NoGradGuard guard = new NoGradGuard()) {
            flat.add_(new Scalar(value));
        }
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException("this arena is closed");
        }
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            list.close();
            Torch.release(flat);
        }
    }
}
