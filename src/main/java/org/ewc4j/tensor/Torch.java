package org.ewc4j.tensor;

import java.util.concurrent.atomic.AtomicLong;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Context;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch_cuda;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.jfr.FlightEvents;
import org.ewc4j.kernel.CudaLibraries;
import org.ewc4j.kernel.KernelException;
import org.ewc4j.kernel.Kernels;
import org.ewc4j.kernel.LibraryCache;
import org.ewc4j.kernel.NativeLibrary;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What libtorch keeps for the whole process, set once, and the rule by which its objects outlive a pointer scope.
 *
 * <p>Process-wide and set at the first {@link #start}: the number of threads of libtorch and of OpenBLAS, and
 * {@code OMP_WAIT_POLICY=PASSIVE} where the environment does not set it (their idle threads would spin against each other
 * otherwise); where the first learner on a CUDA device is opened, whether fp32 products may use tf32, that algorithms are
 * taken whose bits are the same each time, and that attention is not cuDNN's. Nothing else of the process changes.
 */
public final class Torch {
    private static final Logger LOG = LoggerFactory.getLogger(Torch.class);
    private static final String CUBLAS_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG";
    private static final AtomicLong KEPT = new AtomicLong();
    private static int threads;
    private static Boolean tf32Chosen; // null: not yet

    private Torch() {}

    /**
     * Loads libtorch and our native library and fixes the number of threads.
     *
     * @param requested threads for libtorch's operators and our kernels, at least 1
     * @throws InvalidInputException where the process runs with another number of threads already
     * @throws org.ewc4j.kernel.NativeLibraryException where a library cannot be loaded, with the reason
     */
    public static synchronized void start(int requested) {
        if (threads == 0) {
            NativeLibrary.load();
            try {
                LibraryCache.alone(() -> {
                    torch.set_num_threads(requested);
                    org.bytedeco.openblas.global.openblas.blas_set_num_threads(requested);
                });
            } catch (LinkageError e) {
                throw NativeLibrary.notLoaded("libtorch", e);
            }
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
        LibraryCache.alone(torch::get_num_threads); // loads libtorch
        int processors = torch.get_num_threads();
        if (!CudaLibraries.find().cudaBuild()) {
            return "CPU build, " + processors + " threads unless told otherwise";
        }
        String reason = whyNot(new Device(0));
        if (reason != null) {
            return "CUDA build, but no device: " + reason;
        }
        StringBuilder text = new StringBuilder("CUDA build");
        for (int index = 0; index < torch.cuda_device_count(); index++) {
            Device device = new Device(index);
            text.append(", ").append(device).append(": ").append(CudaDevice.of(device));
        }
        return text.toString();
    }

    /** The number of threads of the process; where none was fixed yet, libtorch's own. */
    public static synchronized int threads() {
        return threads == 0 ? torch.get_num_threads() : threads;
    }

    /**
     * A CUDA device of this process.
     *
     * @throws InvalidInputException where it cannot be used, with the reason
     */
    public static Device cuda(int index) {
        Device device = new Device(index);
        String reason = whyNot(device);
        if (reason != null) {
            throw new InvalidInputException("device: " + device + " cannot be used: " + reason
                    + "; expected cpu, auto or a device that `ewc4j --gpu doctor` lists");
        }
        return device;
    }

    /** The first CUDA device where it can be used, otherwise the CPU. */
    public static Device cudaOrCpu() {
        Device first = new Device(0);
        return whyNot(first) == null ? first : Device.CPU;
    }

    /** Null where the device can be used. Our kernels' library is asked first: it has the clearest reason. */
    private static String whyNot(Device device) {
        int count;
        try {
            count = NativeLibrary.cudaDevices();
        } catch (KernelException e) {
            return e.getMessage();
        }
        if (device.index() >= count) {
            return "this machine has " + count + " CUDA device" + (count == 1 ? "" : "s");
        }
        try {
            if (torch.hasCUDA()) {
                return CudaDevice.tooOld(device);
            }
        } catch (LinkageError e) {
            return "the presets for CUDA do not load: " + e.getMessage();
        }
        // Without one of its libraries the CUDA build behaves as the CPU's, without a word.
        CudaLibraries libraries = CudaLibraries.find();
        return libraries.cudaBuild()
                ? "libtorch's CUDA part was not loaded: " + libraries.description()
                : "libtorch is the build for the CPU; start by ./ewc4j --gpu";
    }

    /**
     * How CUDA devices compute: whether matrix products of fp32 round their operands to 10 bits of mantissa; and, where cuBLAS
     * may ({@link #repeats}), by algorithms whose bits are the same each time ({@link #repeatBits}). libtorch keeps one choice
     * for the process.
     *
     * @throws InvalidInputException where another learner of the process chose the other
     */
    public static synchronized void chooseArithmetic(boolean tf32) {
        if (tf32Chosen == null) {
            Context context = torch.globalContext();
            context.setAllowTF32CuBLAS(tf32);
            context.setAllowTF32CuDNN(tf32);
            context.setSDPUseCuDNN(
                    false); // its backward pass has no fixed order, and it wants more of cuDNN than the rest
            if (repeats(System.getenv(CUBLAS_WORKSPACE))) {
                repeatBits(context);
            } else {
                LOG.info("{}=:4096:8 is not set: last bits may differ from run to run", CUBLAS_WORKSPACE);
            }
            tf32Chosen = tf32;
        } else if (tf32Chosen != tf32) {
            throw new InvalidInputException("precision: " + (tf32 ? "tf32" : "fp32 or bf16")
                    + " is asked for, but libtorch already computes with " + (tf32Chosen ? "tf32" : "full fp32")
                    + " products in this process; one choice holds for all learners on CUDA devices");
        }
    }

    /**
     * Has libtorch take algorithms that leave the same bits each time, which the backward pass of fused attention and sums by
     * index otherwise do not. Not as a mere wish (warn_only): then attention stays as it is, and only warns. What libtorch can do
     * in one way alone it refuses; of CUDA nothing here is among that, by the sources of libtorch 2.10.
     */
    static void repeatBits(Context context) {
        context.setDeterministicAlgorithms(true, false);
        context.setDeterministicFillUninitializedMemory(false); // nothing here reads what it has not written
    }

    /** Whether cuBLAS repeats its bits under this value of {@value #CUBLAS_WORKSPACE}: NVIDIA's manual names two. */
    static boolean repeats(String workspaces) {
        return ":4096:8".equals(workspaces) || ":16:8".equals(workspaces);
    }

    /** Waits for all that was put on the device's current stream. */
    public static void synchronize(Device device) {
        if (device.isCuda()) {
            try (PointerScope scope = new PointerScope()) {
                torch_cuda.getCurrentCUDAStream((byte) device.index()).synchronize();
            }
        }
    }

    /** Our kernels where a learner's tensors lie. */
    public static Kernels kernels(Device device, int threads) {
        return device.isCuda() ? Kernels.on(new CudaMemory(device), threads) : Kernels.host(threads);
    }

    /** Makes an object survive the pointer scope that it was made in; undone by {@link #release}. */
    public static <P extends Pointer> P keep(P pointer) {
        pointer.retainReference();
        KEPT.incrementAndGet();
        return pointer;
    }

    /** Keeps a tensor whose memory stays from step to step, and tells Java Flight Recorder of it. */
    public static Tensor keepMemory(String what, Tensor tensor) {
        FlightEvents.nativeAllocation(what, tensor.device().str().getString(), tensor.nbytes());
        return keep(tensor);
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
