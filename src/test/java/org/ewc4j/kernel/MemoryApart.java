package org.ewc4j.kernel;

import java.util.concurrent.atomic.AtomicInteger;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;

/**
 * The host's memory for kernels, over buffers that are two, as on a device: bytes travel when they are told to. Counts how often
 * a device would have been waited for.
 */
public final class MemoryApart implements KernelMemory {
    private final AtomicInteger buffers = new AtomicInteger();
    private int downloads;

    /** How often a buffer was brought to its copy, for which a device is waited for. */
    public int downloads() {
        return downloads;
    }

    /** Those that nobody has closed. */
    int buffers() {
        return buffers.get();
    }

    @Override
    public int device() {
        return -1;
    }

    @Override
    public long stream() {
        return 0;
    }

    @Override
    public Buffer allocate(long bytes) {
        BytePointer there = new BytePointer(NativeMemory.allocate(bytes)).capacity(bytes);
        BytePointer copy = new BytePointer(NativeMemory.allocate(bytes)).capacity(bytes);
        buffers.incrementAndGet();
        return new Buffer() {
            @Override
            public long address() {
                return there.address();
            }

            @Override
            public long hostAddress() {
                return copy.address();
            }

            @Override
            public void upload(long from, long length) {
                Pointer.memcpy(NativeMemory.at(there.address() + from), NativeMemory.at(copy.address() + from), length);
            }

            @Override
            public void download() {
                downloads++;
                Pointer.memcpy(copy, there, bytes);
            }

            @Override
            public void close() {
                buffers.decrementAndGet();
                NativeMemory.free(there);
                NativeMemory.free(copy);
            }
        };
    }
}
