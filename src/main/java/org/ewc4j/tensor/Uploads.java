package org.ewc4j.tensor;

import static org.ewc4j.tensor.Torch.keep;

import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.cuda.CUDAEvent;
import org.bytedeco.pytorch.cuda.CUDAStream;
import org.bytedeco.pytorch.cuda.CUDAStreamGuard;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.bytedeco.pytorch.global.torch_cuda;

/**
 * Brings whole numbers (token ids, positions) to where the model computes. To a CUDA device they travel by pinned memory on
 * a stream of their own, so that a batch arrives while the step before it runs; on the CPU they are where they are.
 *
 * <p>Whoever makes it closes it; used by one thread at a time.
 */
public final class Uploads implements AutoCloseable {
    private final Device device;
    private final CUDAStream stream; // null on the CPU

    public Uploads(Device device) {
        this.device = device;
        try (PointerScope scope = new PointerScope()) {
            this.stream = device.isCuda() ? keep(torch_cuda.getStreamFromPool(false, (byte) device.index())) : null;
        }
    }

    /** Numbers under way to the device, or there. Whoever asks for it closes it, when nothing reads the tensor any more. */
    public static final class Upload implements AutoCloseable {
        private final Device device;
        private final Tensor tensor;
        private final CUDAEvent arrived; // null on the CPU
        private boolean awaited;

        private Upload(Device device, Tensor tensor, CUDAEvent arrived) {
            this.device = device;
            this.tensor = tensor;
            this.arrived = arrived;
        }

        /** The numbers, (length), int64; what the thread's stream is given from now on sees them arrived. */
        public Tensor await() {
            if (arrived != null && !awaited) {
                awaited = true;
                try (PointerScope scope = new PointerScope()) {
                    CUDAStream current = torch_cuda.getCurrentCUDAStream((byte) device.index());
                    arrived.block(current);
                    // Its memory was taken on the other stream: it is not given away before this one has read it.
                    tensor.record_stream(current.asStream());
                }
            }
            return tensor;
        }

        @Override
        public void close() {
            Torch.release(tensor);
            if (arrived != null) {
                Torch.release(arrived);
            }
        }
    }

    /** Sends numbers on their way; the array may be used again at once. */
    public Upload send(long[] values) {
        try (PointerScope scope = new PointerScope();
                NoGradGuard guard = new NoGradGuard()) {
            LongPointer memory = new LongPointer(values);
            Tensor here = torch.from_blob(memory, new long[] {values.length}, new TensorOptions(ScalarType.Long));
            if (stream == null) {
                return new Upload(device, keep(here.clone()), null);
            }
            CUDAStreamGuard onStream = new CUDAStreamGuard(stream.asStream());
            try {
                Tensor there = keep(torch.empty(new long[] {values.length}, device.options(ScalarType.Long), null));
                there.copy_(here.pin_memory(), true);
                CUDAEvent arrived = keep(new CUDAEvent());
                arrived.record(stream);
                return new Upload(device, there, arrived);
            } finally {
                onStream.close();
            }
        }
    }

    @Override
    public void close() {
        if (stream != null) {
            Torch.release(stream);
        }
    }
}
