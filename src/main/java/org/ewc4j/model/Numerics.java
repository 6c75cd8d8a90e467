package org.ewc4j.model;

import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.ewc4j.config.DeviceSetting;
import org.ewc4j.config.TrainingConfig;
import org.ewc4j.config.TrainingConfig.Precision;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.kernel.ElementType;
import org.ewc4j.tensor.Device;
import org.ewc4j.tensor.Torch;

/**
 * Where forward and backward pass compute, and in what floating type. θ lies there too, in fp32.
 *
 * @param type f32 or bf16
 */
public record Numerics(Device device, ElementType type) {
    /** fp32 on the CPU. */
    public static final Numerics CPU = new Numerics(Device.CPU, ElementType.F32);

    /** @throws IllegalArgumentException for a type that no pass computes in */
    public Numerics {
        if (type != ElementType.F32 && type != ElementType.BF16) {
            throw new IllegalArgumentException("f32 or bf16 is expected, came " + type);
        }
    }

    /**
     * What the settings ask for, on this machine. Makes libtorch's choices for CUDA devices ({@link
     * Torch#chooseArithmetic}) where the device is one.
     *
     * @throws InvalidInputException where the device cannot be used, with the reason, or does not compute so
     */
    public static Numerics of(TrainingConfig config) {
        DeviceSetting setting = config.device();
        Precision precision = config.precision();
        Device device = setting instanceof DeviceSetting.Cuda cuda
                ? Torch.cuda(cuda.index())
                : setting instanceof DeviceSetting.Auto ? Torch.cudaOrCpu() : Device.CPU;
        if (device.isCuda()) {
            Torch.chooseArithmetic(precision == Precision.TF32);
        } else if (precision == Precision.TF32) {
            throw new InvalidInputException(
                    "precision: tf32 is how CUDA devices multiply, and this would run on the CPU;"
                            + " expected fp32 or bf16, or device: cuda:N");
        }
        return new Numerics(device, precision == Precision.BF16 ? ElementType.BF16 : ElementType.F32);
    }

    ScalarType floats() {
        return type == ElementType.BF16 ? ScalarType.BFloat16 : ScalarType.Float;
    }

    /** Options for a tensor of the pass's floating type; the wrapper belongs to the caller's pointer scope. */
    TensorOptions options() {
        return device.options(floats());
    }
}
