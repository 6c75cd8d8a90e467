package org.ewc4j.tensor;

import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.pytorch.DeviceOptional;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.DeviceType;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Where tensors lie and the kernels run: the CPU, or one CUDA device. Immutable; which of them this process can use is
 * {@link Torch#start}'s business.
 *
 * @param index CUDA's number of the device, from 0; −1 for the CPU
 */
public record Device(int index) {
    public static final Device CPU = new Device(-1);

    /** @throws IllegalArgumentException for an index that neither CUDA nor libtorch counts to */
    public Device {
        if (index < -1 || index > Byte.MAX_VALUE) {
            throw new IllegalArgumentException("a device from -1 to " + Byte.MAX_VALUE + " is expected, came " + index);
        }
    }

    public boolean isCuda() {
        return index >= 0;
    }

    /** Options for a tensor that is made here; the wrapper belongs to the caller's pointer scope. */
    public TensorOptions options(ScalarType type) {
        return new TensorOptions().dtype(new ScalarTypeOptional(type)).device(new DeviceOptional(torch()));
    }

    /** Whole numbers here, int64 of shape (values), with a memory of their own; they belong to the caller's pointer scope. */
    public Tensor longs(long[] values) {
        Tensor onCpu = torch.from_blob(
                new LongPointer(values), new long[] {values.length}, new TensorOptions(ScalarType.Long));
        return isCuda()
                ? torch.empty(new long[] {values.length}, options(ScalarType.Long), null)
                        .copy_(onCpu)
                : onCpu;
    }

    /** libtorch's name for it; the wrapper belongs to the caller's pointer scope. */
    public org.bytedeco.pytorch.Device torch() {
        return isCuda()
                ? new org.bytedeco.pytorch.Device(DeviceType.CUDA, (byte) index)
                : new org.bytedeco.pytorch.Device(DeviceType.CPU);
    }

    /** As configurations write it: {@code cpu}, {@code cuda:0}. */
    @Override
    public String toString() {
        return isCuda() ? "cuda:" + index : "cpu";
    }
}
