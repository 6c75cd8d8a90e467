package org.ewc4j.tensor;

import static org.ewc4j.tensor.Torch.keep;

import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.bytedeco.pytorch.global.torch_cuda;
import org.ewc4j.kernel.KernelMemory;

/**
 * A CUDA device's memory for our kernels, taken from libtorch's allocator, on the stream that libtorch uses for the thread:
 * so kernels and libtorch's operators are in one order, and nothing has to be waited for between them.
 */
final class CudaMemory implements KernelMemory {
    private final Device device;

    CudaMemory(Device device) {
        this.device = device;
    }

    @Override
    public int device() {
        return device.index();
    }

    @Override
    public long stream() {
        try (PointerScope scope = new PointerScope()) {
            CUstream_st stream = torch_cuda.getCurrentCUDAStream((byte) device.index()).stream();
            return stream == null ? 0 : stream.address(); // the default stream is CUDA's null
        }
    }

    @Override
    public Buffer allocate(long bytes) {
        try (PointerScope scope = new PointerScope()) {
            // First on the device: pinning with nothing there would begin on device 0, whichever is asked for.
            Tensor there = keep(torch.zeros(new long[] {bytes}, device.options(ScalarType.Byte)));
            TensorOptions pinned = Device.CPU.options(ScalarType.Byte).pinned_memory(new BoolOptional(true));
            Tensor copy = keep(torch.zeros(new long[] {bytes}, pinned));
            return new PinnedBuffer(there, copy);
        }
    }

    private record PinnedBuffer(Tensor there, Tensor copy) implements Buffer {
        @Override
        public long address() {
            return there.data_ptr().address();
        }

        @Override
        public long hostAddress() {
            return copy.data_ptr().address();
        }

        @Override
        public void upload(long from, long bytes) {
            try (PointerScope scope = new PointerScope();
                    NoGradGuard guard = new NoGradGuard()) {
                there.narrow(0, from, bytes).copy_(copy.narrow(0, from, bytes), true);
            }
        }

        @Override
        public void download() {
            try (PointerScope scope = new PointerScope();
                    NoGradGuard guard = new NoGradGuard()) {
                copy.copy_(there);
            }
        }

        @Override
        public void close() {
            Torch.release(there);
            Torch.release(copy);
        }
    }
}
