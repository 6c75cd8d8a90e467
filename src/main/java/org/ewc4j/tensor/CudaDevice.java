package org.ewc4j.tensor;

import java.util.Locale;
import org.bytedeco.cuda.cudart.cudaDeviceProp;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.cuda.DeviceStats;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.DeviceType;
import org.bytedeco.pytorch.global.torch_cuda;

/**
 * What a CUDA device is, and what libtorch has taken of its memory.
 *
 * @param name as its maker calls it
 * @param capability compute capability, as in 9.0
 * @param multiprocessors how many
 * @param memoryBytes all of its memory
 * @param allocatedBytes what tensors take now
 * @param peakBytes the most that tensors have taken at once in this process
 */
public record CudaDevice(
        String name, String capability, int multiprocessors, long memoryBytes, long allocatedBytes, long peakBytes) {

    private static final int LEAST_MAJOR = 8;

    /** @param device a CUDA device that this process can use */
    public static CudaDevice of(Device device) {
        byte index = (byte) device.index();
        try (PointerScope scope = new PointerScope()) {
            // Statistics are refused until libtorch's allocator for devices is there, and nothing else here asks for
            // it.
            torch.globalContext().lazyInitDevice(DeviceType.CUDA);
            cudaDeviceProp properties = torch_cuda.getDeviceProperties(index);
            DeviceStats statistics = torch.getDeviceStats(index);
            // The statistics are kept for small and large blocks and for both; the first is both.
            return new CudaDevice(
                    properties.name().getString(),
                    properties.major() + "." + properties.minor(),
                    properties.multiProcessorCount(),
                    properties.totalGlobalMem(),
                    statistics.allocated_bytes().current(),
                    statistics.allocated_bytes().peak());
        }
    }

    /** Null where our kernels are compiled for the device (cmake/CudaLibrary.cmake); libtorch's go back further. */
    static String tooOld(Device device) {
        try (PointerScope scope = new PointerScope()) {
            cudaDeviceProp properties = torch_cuda.getDeviceProperties((byte) device.index());
            return properties.major() >= LEAST_MAJOR
                    ? null
                    : "it is of compute capability " + properties.major() + "." + properties.minor()
                            + ", and ewc4j's kernels need " + LEAST_MAJOR + ".0";
        }
    }

    /** One line. */
    @Override
    public String toString() {
        return String.format(
                Locale.ROOT,
                "%s, compute capability %s, %d multiprocessors, %.1f GiB",
                name,
                capability,
                multiprocessors,
                memoryBytes / (double) (1L << 30));
    }
}
