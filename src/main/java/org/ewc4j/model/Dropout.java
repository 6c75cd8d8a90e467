package org.ewc4j.model;

import static org.ewc4j.tensor.Torch.keep;

import java.util.Arrays;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Generator;
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.bytedeco.pytorch.global.torch_cuda;
import org.ewc4j.tensor.Device;
import org.ewc4j.tensor.Torch;

/**
 * Dropout by a generator of the learner's own, so that neither another learner nor the process's generator changes what
 * is drawn. On while training, off in the Fisher pass and in evaluation.
 */
final class Dropout implements AutoCloseable {
    private final Generator generator;
    private final GeneratorOptional argument;
    private boolean training;

    Dropout(long seed, Device device) {
        try (PointerScope scope = new PointerScope()) {
            generator = keep(generator(device));
            generator.set_current_seed(seed);
            argument = keep(new GeneratorOptional(generator));
        }
    }

    private static Generator generator(Device device) {
        return device.isCuda() ? torch_cuda.make_generator_cuda((byte) device.index()) : torch.createCPUGenerator();
    }

    /** Where the generator stands: libtorch's own encoding of it. */
    byte[] state() {
        try (PointerScope scope = new PointerScope()) {
            Tensor state = generator.get_state();
            byte[] bytes = new byte[Math.toIntExact(state.numel())];
            new BytePointer(state.data_ptr()).get(bytes);
            return bytes;
        }
    }

    /**
     * Sets the generator to where it stood at {@link #state}.
     *
     * @throws RuntimeException where the bytes are no state, or not all of them: libtorch passes over some
     */
    void restore(byte[] state) {
        try (PointerScope scope = new PointerScope()) {
            Tensor here = torch.from_blob(
                    new BytePointer(state), new long[] {state.length}, new TensorOptions(ScalarType.Byte));
            generator.set_state(here.clone());
        }
        if (!Arrays.equals(state, state())) {
            throw new IllegalArgumentException("the state of the generator holds what no generator wrote");
        }
    }

    void training(boolean on) {
        training = on;
    }

    /** Whether a probability of {@code p} drops anything now. */
    boolean active(double p) {
        return training && p > 0;
    }

    /** {@code x} with each element zeroed with probability {@code p} and the rest divided by 1 − p. */
    Tensor apply(Tensor x, double p) {
        if (!active(p)) {
            return x;
        }
        Tensor mask;
        try (NoGradGuard guard = new NoGradGuard()) {
            mask = torch.empty_like(x).bernoulli_(1 - p, argument).div_(new Scalar(1 - p));
        }
        return x.mul(mask);
    }

    @Override
    public void close() {
        Torch.release(argument);
        Torch.release(generator);
    }
}
