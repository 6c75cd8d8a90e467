package org.ewc4j.kernel;

import java.io.IOException;
import java.net.URL;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Loads the native kernels out of the jar. Safe for use by several threads. */
public final class NativeLibrary {
    private static final Logger LOG = LoggerFactory.getLogger(NativeLibrary.class);
    private static final String PLATFORM = "linux-x86_64";
    private static boolean loaded;

    private NativeLibrary() {}

    /**
     * Loads the library; the second call does nothing. Call it before anything touches libtorch: it also sees to it that
     * idle OpenMP threads sleep instead of spinning (OMP_WAIT_POLICY=PASSIVE, unless set by the user), which libgomp
     * reads only once, when libtorch brings it in.
     *
     * @throws NativeLibraryException on another platform, from a jar without the library, or with another version of it
     */
    public static synchronized void load() {
        if (loaded) {
            return;
        }
        String platform = Loader.getPlatform();
        if (!PLATFORM.equals(platform)) {
            throw new NativeLibraryException(
                    "ewc4j's native library is built for " + PLATFORM + "; this JVM runs on " + platform);
        }
        try {
            LibraryCache.alone(() -> {
                ProcessEnvironment.letIdleThreadsSleep();
                Loader.load(EwcLibrary.class);
                placeCudaLibrary();
            });
        } catch (LinkageError e) {
            throw notLoaded("ewc4j's native library, org/ewc4j/kernel/" + PLATFORM + " in its jar,", e);
        }
        int version = EwcLibrary.ewc_abi_version();
        if (version != EwcLibrary.ABI_VERSION) {
            throw new NativeLibraryException("libewc.so has ABI version " + version + ", expected "
                    + EwcLibrary.ABI_VERSION + ": two versions of ewc4j are on the path");
        }
        loaded = true;
        LOG.debug("{}", describe());
    }

    /**
     * What to throw where the JVM could not load a native library. JavaCPP unpacks them out of their jars first, so that most
     * often it is the place for that which is missing.
     *
     * @param what names the library
     */
    public static NativeLibraryException notLoaded(String what, LinkageError error) {
        Throwable cause = error;
        while (cause.getCause() != null) {
            cause = cause.getCause();
        }
        return new NativeLibraryException(
                what + " could not be loaded: " + cause.getMessage()
                        + "; it is unpacked into .javacpp/cache of the home or the"
                        + " temporary folder, one of which must be writable with 0.5 GB free, or another folder be given by"
                        + " -Dorg.bytedeco.javacpp.cachedir",
                error);
    }

    /** One line for diagnosis: ABI version, instruction set in use, and the CUDA devices, or why there are none. */
    public static String description() {
        load();
        return describe() + ", CUDA: " + cuda();
    }

    private static String describe() {
        return "libewc ABI " + EwcLibrary.ewc_abi_version() + ", host kernels "
                + EwcLibrary.ewc_host_instruction_set().getString();
    }

    private static String cuda() {
        try {
            return cudaDevices() + " device(s)";
        } catch (KernelException e) {
            return "none (" + e.getMessage() + ")";
        }
    }

    /**
     * How many CUDA devices our kernels can run on, at least 1.
     *
     * @throws KernelException with the reason, where there is no library for them, no driver or no device
     */
    public static int cudaDevices() {
        load();
        Pointer memory = NativeMemory.allocate(Integer.BYTES);
        try {
            IntPointer count = new IntPointer(memory);
            KernelStatus.check(EwcLibrary.ewc_cuda_device_count(count));
            return count.get();
        } finally {
            NativeMemory.free(memory);
        }
    }

    /** Whether this build has libewc_cuda.so: it was built where nvcc was found. */
    static boolean hasCudaLibrary() {
        return cudaLibrary() != null;
    }

    private static URL cudaLibrary() {
        return NativeLibrary.class.getResource(PLATFORM + "/libewc_cuda.so");
    }

    /** libewc.so looks for libewc_cuda.so beside itself, where JavaCPP unpacks only what is linked; so unpack it too. */
    private static void placeCudaLibrary() {
        URL resource = cudaLibrary();
        if (resource == null) {
            return;
        }
        try {
            Loader.cacheResource(resource);
        } catch (IOException e) {
            LOG.warn("libewc_cuda.so could not be unpacked; the CPU is used without it: {}", e.getMessage());
        }
    }
}
