package org.ewc4j.kernel;

import org.bytedeco.javacpp.Pointer;

/** The host's own memory: what the verbs see is what Java writes, so nothing travels. */
final class HostMemory implements KernelMemory {
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
        Pointer memory = NativeMemory.allocate(bytes);
        return new Buffer() {
            @Override
            public long address() {
                return memory.address();
            }

            @Override
            public long hostAddress() {
                return memory.address();
            }

            @Override
            public void upload(long from, long length) {
                // is there already
            }

            @Override
            public void download() {
                // is there already
            }

            @Override
            public void close() {
                NativeMemory.free(memory);
            }
        };
    }
}
