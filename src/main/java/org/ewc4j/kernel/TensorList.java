package org.ewc4j.kernel;

import java.util.Arrays;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;

/**
 * Addresses and sizes of tensors, in native memory, as the verbs of {@link Kernels} take them. A flat arena is a list of
 * one. The tensors stay the caller's and must live as long as the list is used; closing frees the list only.
 *
 * <p>Whoever calls {@link #of} closes. Not thread-safe.
 */
public final class TensorList implements AutoCloseable {
    private final int size;
    private final long elementCount;
    private final EwcLibrary.ewc_list list;
    private final ElementType type;
    private final LongPointer data;
    private final LongPointer elements;
    private final NativeResource resource;

    private TensorList(ElementType type, long[] addresses, long[] elementCounts) {
        size = addresses.length;
        elementCount = Arrays.stream(elementCounts).reduce(0, Math::addExact);
        // One block: the struct, then the addresses, then the sizes.
        long arrayBytes = (long) Long.BYTES * size;
        Pointer block = NativeMemory.allocate(EwcLibrary.ewc_list.BYTES + 2 * arrayBytes);
        resource = new NativeResource(this, "TensorList", () -> NativeMemory.free(block));
        list = new EwcLibrary.ewc_list(block);
        data = new LongPointer(block.getPointer(EwcLibrary.ewc_list.BYTES)).capacity(size);
        LongPointer numel = new LongPointer(block.getPointer(EwcLibrary.ewc_list.BYTES + arrayBytes)).capacity(size);
        data.put(addresses, 0, size);
        numel.put(elementCounts, 0, size);
        list.count(size);
        list.numel(numel);
        list.data(data);
        list.dtype(type.code());
        this.type = type;
        this.elements = numel;
    }

    /**
     * @param type of every tensor
     * @param addresses of the first element of each tensor, aligned to the element
     * @param elementCounts of each tensor, as many as addresses
     * @throws KernelArgumentException where the two differ in length, or a count is negative
     * @throws NativeLibraryException where the native library cannot be loaded
     */
    public static TensorList of(ElementType type, long[] addresses, long[] elementCounts) {
        NativeLibrary.load();
        if (addresses.length != elementCounts.length) {
            throw new KernelArgumentException("TensorList.of: expected as many element counts as addresses ("
                    + addresses.length + "), came " + elementCounts.length);
        }
        for (int i = 0; i < elementCounts.length; i++) {
            if (elementCounts[i] < 0) {
                throw new KernelArgumentException(
                        "TensorList.of: elementCounts[" + i + "]: expected 0 or more, came " + elementCounts[i]);
            }
        }
        return new TensorList(type, addresses, elementCounts);
    }

    /** A list of one tensor; see {@link #of(ElementType, long[], long[])}. */
    public static TensorList of(ElementType type, long address, long elementCount) {
        return of(type, new long[] {address}, new long[] {elementCount});
    }

    /** A list of some of the tensors, as they lie now. Whoever calls closes it; this one stays open. */
    public TensorList select(int[] indices) {
        resource.requireOpen();
        long[] addresses = new long[indices.length];
        long[] counts = new long[indices.length];
        for (int i = 0; i < indices.length; i++) {
            addresses[i] = address(indices[i]);
            counts[i] = elements.get(indices[i]);
        }
        return new TensorList(type, addresses, counts);
    }

    /** How many tensors. */
    public int size() {
        return size;
    }

    /** Elements of all tensors together. */
    public long elementCount() {
        return elementCount;
    }

    /** Address of the first element of one tensor. */
    public long address(int index) {
        resource.requireOpen();
        return data.get(java.util.Objects.checkIndex(index, size));
    }

    /**
     * Points one entry elsewhere: gradients may move from step to step. The size stays.
     *
     * @throws IllegalStateException after close
     * @throws IndexOutOfBoundsException where index is not one of the list
     */
    public void setAddress(int index, long address) {
        resource.requireOpen();
        data.put(java.util.Objects.checkIndex(index, size), address);
    }

    @Override
    public void close() {
        resource.close();
    }

    /** The struct, for a verb that runs now. */
    EwcLibrary.ewc_list open() {
        resource.requireOpen();
        return list;
    }
}
