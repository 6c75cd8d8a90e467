package org.ewc4j.tensor;

import java.util.Locale;
import org.ewc4j.kernel.KernelException;
import org.ewc4j.kernel.KernelStatus;

/** Tells whether what was thrown says that native memory, the machine's or a device's, was not to be had. */
public final class OutOfMemory {
    private OutOfMemory() {}

    /**
     * The kernels say it by their status. libtorch has no type of its own for it that reaches Java, so its words are read:
     * those of the CPU's and of CUDA's allocator, of cuBLAS, cuDNN and their like, of C++ and of JavaCPP. A full Java heap is not meant: a smaller batch
     * would not help.
     */
    public static boolean isMeantBy(Throwable thrown) {
        if (thrown instanceof KernelException kernel && kernel.status() == KernelStatus.OUT_OF_MEMORY) {
            return true;
        }
        String message = String.valueOf(thrown.getMessage()).toLowerCase(Locale.ROOT);
        if (thrown instanceof OutOfMemoryError) {
            return message.contains("physical memory") || message.contains("allocate");
        }
        return message.contains("can't allocate memory")
                || message.contains("out of memory")
                || message.contains("_status_alloc_failed") // CUBLAS_, CUDNN_, CUSOLVER_, CUSPARSE_
                || message.contains("bad_alloc");
    }
}
