package org.ewc4j.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.LongPointer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * Kernels whose small buffers lie apart from what Java reads and writes, as on a device: whatever is not brought there
 * before a verb, or back after it, is missing.
 */
class KernelMemoryTest {
    private static final int N = 3000;

    private final List<FloatPointer> memory = new ArrayList<>();

    @AfterEach
    void free() {
        memory.forEach(FloatPointer::close);
    }

    private FloatPointer values(long seed, double low, double high) {
        Random random = new Random(seed);
        float[] values = new float[N];
        for (int i = 0; i < N; i++) {
            values[i] = (float) (low + (high - low) * random.nextDouble());
        }
        FloatPointer tensor = new FloatPointer(values);
        memory.add(tensor);
        return tensor;
    }

    private static TensorList list(FloatPointer tensor) {
        return TensorList.of(ElementType.F32, new long[] {tensor.address()}, new long[] {N});
    }

    private static float[] read(FloatPointer tensor) {
        float[] values = new float[N];
        tensor.get(values);
        return values;
    }

    /** Everything that a learner does, and what came of it. */
    private List<Object> everything(Kernels kernels) {
        List<Object> results = new ArrayList<>();
        FloatPointer theta = values(1, -1, 1);
        FloatPointer first = values(2, -0.1, 0.1);
        FloatPointer second = values(3, 0, 0.1);
        FloatPointer gradient = values(4, -1, 1);
        FloatPointer logits = values(7, -2, 2);
        try (TensorList t = list(theta);
                TensorList m = list(first);
                TensorList v = list(second);
                TensorList g = list(gradient);
                TensorList f = list(values(5, 0, 1));
                TensorList a = list(values(6, -1, 1));
                LongPointer targets = new LongPointer(3, 0, 9);
                StepSlots slots = kernels.slots(3)) {
            results.add(kernels.norm(g));
            results.add(kernels.totalNorm(g, t, a, f, 2));
            results.add(kernels.penalty(t, a, f));
            kernels.penaltyGradient(g, t, a, f, 0.5);
            kernels.penaltyGradient(g, t, a, f, 0.25, slots, 2);
            slots.read();
            results.add(slots.statistics(2));
            kernels.fisherAccumulate(f, g, 0.25);
            results.add(
                    kernels.crossEntropy(logits.address(), ElementType.F32, 3, N / 3, targets.address(), 0.5, true));
            slots.putSkipped(2);
            slots.putLossScale(1, 0.25);
            kernels.crossEntropy(logits.address(), ElementType.F32, 3, N / 3, targets.address(), true, false, slots, 1);
            kernels.crossEntropy(logits.address(), ElementType.F32, 3, N / 3, targets.address(), false, true, slots, 1);
            StepGuard[] guards = {
                StepGuard.NONE, new StepGuard(0.5, true, true), new StepGuard(0.5, false, false),
            };
            for (int slot = 0; slot < 3; slot++) {
                kernels.adamwStep(
                        t,
                        m,
                        v,
                        g,
                        f,
                        a,
                        AdamWOptions.withWeightDecay(0.1),
                        new AdamWStep(10 + slot, 1e-2, 3),
                        guards[slot],
                        StepOutputs.NONE,
                        slots,
                        slot);
            }
            slots.read();
            for (int slot = 0; slot < 3; slot++) {
                results.add(slots.statistics(slot));
                results.add(slots.wasSkipped(slot));
            }
            results.add(slots.loss(1));
            results.add(slots.skipped());
        }
        for (FloatPointer tensor : List.of(theta, first, second, gradient, logits)) {
            results.add(read(tensor));
        }
        return results;
    }

    @Test
    void theSameComesOfMemoryThatLiesApart() {
        MemoryApart apart = new MemoryApart();
        List<Object> there;
        try (Kernels kernels = Kernels.on(apart, 2)) {
            there = everything(kernels);
        }
        try (Kernels kernels = Kernels.host(2)) {
            assertThat(there).usingRecursiveComparison().isEqualTo(everything(kernels));
        }
        assertThat(apart.buffers()).isZero();
    }

    @Test
    void aStepThatIsNotFiniteIsLeftOutAndDoesNotCount() {
        FloatPointer theta = values(1, -1, 1);
        FloatPointer gradient = values(4, -1, 1);
        float[] before = read(theta);
        try (Kernels kernels = Kernels.on(new MemoryApart(), 2);
                TensorList t = list(theta);
                TensorList m = list(values(2, 0, 0));
                TensorList v = list(values(3, 0, 0));
                TensorList g = list(gradient);
                StepSlots slots = kernels.slots(2)) {
            float kept = gradient.get(17);
            gradient.put(17, Float.NaN);
            step(kernels, t, m, v, g, slots, 0, 1);
            assertThat(read(theta)).containsExactly(before);
            gradient.put(17, kept);
            step(kernels, t, m, v, g, slots, 1, 2);
            slots.read();
            assertThat(slots.wasSkipped(0)).isTrue();
            assertThat(slots.wasSkipped(1)).isFalse();
            assertThat(slots.skipped()).isEqualTo(1);
            // The first update of a run moves by the learning rate against the gradient's sign: count 1, not 2.
            for (int i = 0; i < N; i++) {
                assertThat(theta.get(i))
                        .isCloseTo(
                                before[i] - 1e-2f * Math.signum(gradient.get(i)),
                                org.assertj.core.data.Offset.offset(1e-6f));
            }
        }
    }

    private static void step(
            Kernels kernels,
            TensorList theta,
            TensorList first,
            TensorList second,
            TensorList gradient,
            StepSlots slots,
            int slot,
            long count) {
        kernels.adamwStep(
                theta,
                first,
                second,
                gradient,
                null,
                null,
                AdamWOptions.withWeightDecay(0),
                new AdamWStep(count, 1e-2, 0),
                new StepGuard(Double.POSITIVE_INFINITY, false, true),
                StepOutputs.NONE,
                slots,
                slot);
    }
}
