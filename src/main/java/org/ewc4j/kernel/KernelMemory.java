package org.ewc4j.kernel;

/**
 * Where the verbs of one {@link Kernels} run, and the small buffers that they read there and reduce into. The host has
 * one of its own ({@link Kernels#host}); that of a CUDA device comes from whoever owns the device's memory and stream.
 *
 * <p>Used by the thread that uses the kernels.
 */
public interface KernelMemory {
    /** CUDA's number of the device; −1 for the host. */
    int device();

    /** Address of the CUDA stream that the verbs are put on; 0 on the host. */
    long stream();

    /** A buffer of zeros, aligned to 64 bytes at least; whoever asks for it closes it. */
    Buffer allocate(long bytes);

    /**
     * A buffer where the verbs run, and a copy of it that Java reads and writes. On the host both are the same memory. The
     * copy is pinned, so a part that was given to {@link #upload} must not be written again before the next {@link
     * #download} has returned.
     */
    interface Buffer extends AutoCloseable {
        /** The buffer as the verbs see it. */
        long address();

        /** The copy. */
        long hostAddress();

        /** Brings a part of the copy to the buffer, before the verbs that follow and without waiting for anything. */
        void upload(long from, long bytes);

        /** Brings the buffer to the copy, behind all that was put on the stream; waits for it. */
        void download();

        @Override
        void close();
    }
}
