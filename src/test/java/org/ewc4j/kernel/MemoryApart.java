package org.ewc4j.kernel;

import java.util.concurrent.atomic.AtomicInteger;
import org.bytedeco.javacpp.Pointer;

/**
 * The host's memory for kernels, over buffers that are two, as on a device: bytes travel when they are told to. Counts how often
 * a device would have been waited for.
 */
public final class MemoryApart implements KernelMemory {
    private final KernelMemory host = new HostMemory();
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
        return host.device();
    }

    @Override
    public long stream() {
        return host.stream();
    }

    @Override
    public Buffer allocate(long bytes) {
        Buffer there = host.allocate(bytes);
        Buffer copy = host.allocate(bytes);
        buffers.incrementAndGet();
        return new Buffer() {
            @Override
            public long address() {
                return there.address();
            }

            @Override
            public long hostAddress() {
                return copy.hostAddress();
            }

            @Override
            public void upload(long from, long length) {
                Pointer.memcpy(
                        NativeMemory.at(there.address() + from), NativeMemory.at(copy.hostAddress() + from), length);
            }

            @Override
            public void download() {
                downloads++;
                Pointer.memcpy(NativeMemory.at(copy.hostAddress()), NativeMemory.at(there.address()), bytes);
            }

            @Override
            public void close() {
                buffers.decrementAndGet();
                there.close();
                copy.close();
            }
        };
    }
}
