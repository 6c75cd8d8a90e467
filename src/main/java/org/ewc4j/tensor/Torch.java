package org.ewc4j.tensor;

import java.util.concurrent.atomic.AtomicLong;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.global.torch;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.kernel.CudaLibraries;
import org.ewc4j.kernel.KernelUnsupportedException;
import org.ewc4j.kernel.NativeLibrary;

/**
 * What libtorch keeps for the whole process, set once, and the rule by which its objects outlive a pointer scope.
 *
 * <p>Process-wide and set at the first {@link #start}: the number of threads of libtorch and of OpenBLAS, and
 * {@code OMP_WAIT_POLICY=PASSIVE} where the environment does not set it (their idle threads would spin against each other
 * otherwise). Nothing else of the process changes.
 */
public final class Torch {
    private static final AtomicLong KEPT = new AtomicLong();
    private static int threads;

    private Torch() {}

    /**
     * Loads libtorch and our native library and fixes the number of threads.
     *
     * @param requested threads for libtorch's operators and our kernels, at least 1
     * @throws InvalidInputException where the process runs with another number of threads already
     */
    public static synchronized void start(int requested) {
        if (threads == 0) {
            NativeLibrary.load();
            torch.set_num_threads(requested);
            org.bytedeco.openblas.global.openblas.blas_set_num_threads(requested);
            threads = requested;
        } else if (threads != requested) {
            throw new InvalidInputException(
                    "training.threads: " + requested + " is asked for, but libtorch already runs with " + threads
                            + " threads in this process; one number holds for all learners of a process");
        }
    }

    /**
     * One line on where libtorch can run, for diagnosis; loads it.
     *
     * @throws LinkageError where it does not load
     */
    public static String description() {
        NativeLibrary.load();
        CudaLibraries libraries = CudaLibraries.find();
        if (!libraries.cudaBuild()) {
            return "CPU build";
        }
        if (torch.cuda_is_available()) {
            return "CUDA build, " + torch.cuda_device_count() + " device(s)";
        }
        return "CUDA build, but no device: "
                + (libraries.missing().isEmpty() ? noDevice() : "libraries are missing, see above");
    }

    private static String noDevice() {
        try {
            return "libtorch sees none, our kernels see " + NativeLibrary.cudaDevices();
        } catch (KernelUnsupportedException e) {
            return e.getMessage();
        }
    }

    /** Makes an object survive the pointer scope that it was made in; undone by {@link #release}. */
    public static <P extends Pointer> P keep(P pointer) {
        pointer.retainReference();
        KEPT.incrementAndGet();
        return pointer;
    }

    /** Frees an object that {@link #keep} kept. */
    public static void release(Pointer pointer) {
        pointer.releaseReference();
        KEPT.decrementAndGet();
    }

    /** How many kept objects are alive in this process; a test of leaks reads it. */
    public static long keptObjects() {
        return KEPT.get();
    }
}
