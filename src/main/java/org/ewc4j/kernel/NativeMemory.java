package org.ewc4j.kernel;

import org.bytedeco.javacpp.Pointer;

/**
 * Plain calloc and free. JavaCPP's own allocation would tie the memory to whatever PointerScope is open on the thread,
 * and it would be gone at the end of the step that happened to be running.
 */
final class NativeMemory {
    private NativeMemory() {}

    static Pointer allocate(long bytes) {
        Pointer address = Pointer.calloc(1, Math.max(bytes, 1));
        if (address == null || address.isNull()) {
            throw new KernelException(KernelStatus.OUT_OF_MEMORY, "no native memory for " + bytes + " bytes");
        }
        return address;
    }

    /** An address as JavaCPP takes it; owns nothing. */
    static Pointer at(long firstByte) {
        return new Pointer() {
            {
                this.address = firstByte;
            }
        };
    }

    static void free(Pointer address) {
        Pointer.free(address);
    }
}
