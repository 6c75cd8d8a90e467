package org.ewc4j.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Random;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.PointerScope;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The verbs through JNI against a plain double[] oracle; sizes, misalignment and dispatch are the native tests'. */
class KernelsTest {
    private static final int[] SIZES = {7, 0, 33, 20_000};

    private final List<FloatPointer> memory = new ArrayList<>();
    private final List<TensorList> lists = new ArrayList<>();
    private long openBefore;
    private Kernels kernels;

    @BeforeEach
    void open() {
        openBefore = NativeResource.openCount();
        kernels = Kernels.host(2);
    }

    @AfterEach
    void close() {
        lists.forEach(TensorList::close);
        kernels.close();
        memory.forEach(FloatPointer::close);
        assertThat(NativeResource.openCount()).isEqualTo(openBefore);
    }

    /** Random values in a list of tensors, and where to read them back. */
    private final class Values {
        final TensorList list;
        final FloatPointer[] tensors = new FloatPointer[SIZES.length];

        Values(long seed, double low, double high) {
            Random random = new Random(seed);
            long[] addresses = new long[SIZES.length];
            long[] counts = new long[SIZES.length];
            for (int i = 0; i < SIZES.length; i++) {
                tensors[i] = new FloatPointer((long) Math.max(1, SIZES[i]));
                memory.add(tensors[i]);
                for (int j = 0; j < SIZES[i]; j++) {
                    tensors[i].put(j, (float) (low + (high - low) * random.nextDouble()));
                }
                addresses[i] = tensors[i].address();
                counts[i] = SIZES[i];
            }
            list = TensorList.of(ElementType.F32, addresses, counts);
            lists.add(list);
        }

        double[] read() {
            double[] all = new double[7 + 33 + 20_000];
            int at = 0;
            for (int i = 0; i < SIZES.length; i++) {
                for (int j = 0; j < SIZES[i]; j++) {
                    all[at++] = tensors[i].get(j);
                }
            }
            return all;
        }
    }

    @Test
    void theLargerFisherOfEachElementStays() {
        Values fisher = new Values(1, 0, 1);
        Values newFisher = new Values(2, 0, 1);
        double[] before = fisher.read();
        double[] added = newFisher.read();
        kernels.fisherMax(fisher.list, newFisher.list);
        double[] after = fisher.read();
        for (int i = 0; i < after.length; i++) {
            assertThat(after[i]).isEqualTo(Math.max(before[i], added[i]));
        }
    }

    /** In place, by way of D, and in one pass: the same mean, the same constant. */
    @Test
    void anchorsMergeToTheirMeanByFisher() {
        Values anchor = new Values(1, -1, 1);
        Values theta = new Values(2, -1, 1);
        Values fisher = new Values(3, 0, 1);
        Values added = new Values(4, 0, 1);
        Values sameAnchor = new Values(1, -1, 1);
        Values sameFisher = new Values(3, 0, 1);
        double[] a = anchor.read();
        double[] t = theta.read();
        double[] f = fisher.read();
        double[] n = added.read();
        double expected = 0;
        for (int i = 0; i < a.length; i++) {
            expected += 0.5 * f[i] * n[i] / (f[i] + n[i]) * (a[i] - t[i]) * (a[i] - t[i]);
        }

        double constant = kernels.anchorDisplace(anchor.list, theta.list, fisher.list);
        kernels.fisherMerge(fisher.list, added.list, 1, 1);
        constant -= kernels.anchorRestore(anchor.list, theta.list, fisher.list);
        assertThat(kernels.anchorMerge(sameAnchor.list, theta.list, sameFisher.list, added.list))
                .isEqualTo(expected, within(1e-6 * expected));

        assertThat(constant).isEqualTo(expected, within(1e-5 * expected));
        double[] mean = anchor.read();
        double[] sameMean = added.read(); // where the merge in one pass leaves it
        for (int i = 0; i < mean.length; i++) {
            double exact = (f[i] * a[i] + n[i] * t[i]) / (f[i] + n[i]);
            assertThat(mean[i]).isEqualTo(exact, within(1e-6));
            assertThat(sameMean[i]).isEqualTo(exact, within(1e-6));
        }
        assertThat(sameFisher.read()).isEqualTo(fisher.read());
    }

    @Test
    void accumulatesSquaredGradients() {
        Values fisher = new Values(1, 0, 1);
        Values gradient = new Values(2, -2, 2);
        double[] before = fisher.read();
        kernels.fisherAccumulate(fisher.list, gradient.list, 0.25);
        double[] g = gradient.read();
        double[] after = fisher.read();
        for (int i = 0; i < after.length; i++) {
            assertThat(after[i]).isCloseTo(before[i] + 0.25 * g[i] * g[i], within(1e-6));
        }
    }

    /** Two examples of two and one positions, and an empty one between them. */
    @Test
    void accumulatesSquaresOfEachExamplesGradient() {
        long[] offsets = {0, 2, 2, 3};
        Matrix outputGradients = matrix(2, 1, 2, 3, 4, 5, 6);
        Matrix inputs = matrix(1, 1, -1, 2);
        FloatPointer fisher = memory(1, 0);
        kernels.fisherAccumulateLinear(fisher.address(), outputGradients, inputs, offsets, 0.5);
        // Gradients: (1 - 3, 2 - 4) and (10, 12).
        assertThat(fisher.get(0)).isEqualTo(1 + 0.5f * (4 + 100));
        assertThat(fisher.get(1)).isEqualTo(0.5f * (4 + 144));
        kernels.fisherAccumulateLinear(fisher.address(), inputs, outputGradients, new long[] {2, 3}, 1.0);
        assertThat(fisher.get(1)).isEqualTo(0.5f * (4 + 144) + 144);
        FloatPointer bias = memory(0, 0);
        kernels.fisherAccumulateBias(bias.address(), outputGradients, offsets, 1.0);
        assertThat(bias.get(0)).isEqualTo(16 + 25);
        assertThat(bias.get(1)).isEqualTo(36 + 36);
    }

    @Test
    void examplesThatDoNotFitAreRefusedByName() {
        Matrix one = matrix(1, 1, 2, 3);
        long fisher = memory(0).address();
        assertThatThrownBy(() -> kernels.fisherAccumulateBias(fisher, one, new long[] {0, 2, 1}, 1.0))
                .isInstanceOf(KernelArgumentException.class)
                .hasMessageContaining("offsets[2]: expected 2, the offset before, or more, came 1");
        assertThatThrownBy(() -> kernels.fisherAccumulateBias(fisher, one, new long[0], 1.0))
                .isInstanceOf(KernelArgumentException.class)
                .hasMessageContaining("offsets: expected one more than examples, came none");
        Matrix narrow = new Matrix(ElementType.F32, one.address(), 2, 1);
        assertThatThrownBy(() -> kernels.fisherAccumulateLinear(fisher, narrow, one, new long[] {0, 1}, 1.0))
                .isInstanceOf(KernelArgumentException.class)
                .hasMessageContaining("left->stride: expected 2, the columns, or more, came 1");
        Matrix halves = new Matrix(ElementType.BF16, one.address(), 1, 1);
        assertThatThrownBy(() -> kernels.fisherAccumulateLinear(fisher, one, halves, new long[] {0, 1}, 1.0))
                .isInstanceOf(KernelArgumentException.class)
                .hasMessageContaining("right->dtype: expected that of left (0), came 2");
    }

    private FloatPointer memory(float... values) {
        FloatPointer pointer = new FloatPointer(values.length);
        pointer.put(values);
        memory.add(pointer);
        return pointer;
    }

    private Matrix matrix(long columns, float... values) {
        return Matrix.contiguous(ElementType.F32, memory(values).address(), columns);
    }

    @Test
    void mergesAndScales() {
        Values fisher = new Values(1, 0, 1);
        Values added = new Values(2, 0, 1);
        double[] before = fisher.read();
        kernels.fisherMerge(fisher.list, added.list, 0.5, 2.0);
        kernels.fisherMerge(fisher.list, null, 0.5, 1.0);
        double[] f = added.read();
        double[] after = fisher.read();
        for (int i = 0; i < after.length; i++) {
            assertThat(after[i]).isCloseTo(0.5 * (0.5 * before[i] + 2.0 * f[i]), within(1e-6));
        }
    }

    @Test
    void penaltyItsGradientAndNorms() {
        Values theta = new Values(1, -1, 1);
        Values anchor = new Values(2, -1, 1);
        Values fisher = new Values(3, 0, 1);
        Values gradient = new Values(4, -1, 1);
        double[] t = theta.read();
        double[] a = anchor.read();
        double[] f = fisher.read();
        double[] g = gradient.read();
        double penalty = 0;
        double norm = 0;
        double total = 0;
        for (int i = 0; i < t.length; i++) {
            penalty += 0.5 * f[i] * (a[i] - t[i]) * (a[i] - t[i]);
            norm += g[i] * g[i];
            total += Math.pow(g[i] + 3.0 * f[i] * (t[i] - a[i]), 2);
        }
        assertThat(kernels.penalty(theta.list, anchor.list, fisher.list)).isCloseTo(penalty, within(1e-7 * penalty));
        assertThat(kernels.norm(gradient.list)).isCloseTo(Math.sqrt(norm), within(1e-9 * norm));
        assertThat(kernels.totalNorm(gradient.list, theta.list, anchor.list, fisher.list, 3.0))
                .isCloseTo(Math.sqrt(total), within(1e-7 * total));
        kernels.penaltyGradient(gradient.list, theta.list, anchor.list, fisher.list, 3.0);
        double[] after = gradient.read();
        for (int i = 0; i < t.length; i++) {
            assertThat(after[i]).isCloseTo(g[i] + 3.0 * f[i] * (t[i] - a[i]), within(2e-6));
        }
    }

    @Test
    void thePenaltysGradientLeavesItsValueInASlot() {
        Values theta = new Values(1, -1, 1);
        Values anchor = new Values(2, -1, 1);
        Values fisher = new Values(3, 0, 1);
        Values gradient = new Values(4, -1, 1);
        Values same = new Values(4, -1, 1);
        kernels.penaltyGradient(same.list, theta.list, anchor.list, fisher.list, 3.0);
        try (StepSlots slots = kernels.slots(2)) {
            kernels.penaltyGradient(gradient.list, theta.list, anchor.list, fisher.list, 3.0, slots, 1);
            slots.read();

            assertThat(gradient.read()).isEqualTo(same.read());
            assertThat(slots.statistics(1).penalty()).isEqualTo(kernels.penalty(theta.list, anchor.list, fisher.list));
            assertThat(slots.statistics(1).lambda()).isEqualTo(3.0);
        }
    }

    @Test
    void stepsAsTheFormulaSays() {
        Values theta = new Values(1, -1, 1);
        Values anchor = new Values(2, -1, 1);
        Values fisher = new Values(3, 0, 1);
        Values gradient = new Values(4, -1, 1);
        Values first = new Values(5, -0.1, 0.1);
        Values second = new Values(6, 0, 0.1);
        double[] t = theta.read();
        double[] a = anchor.read();
        double[] f = fisher.read();
        double[] g = gradient.read();
        double[] m = first.read();
        double[] v = second.read();
        AdamWOptions options = new AdamWOptions(0.9, 0.999, 1e-8, 0.1);
        StepStatistics statistics = kernels.adamwStep(
                theta.list,
                first.list,
                second.list,
                gradient.list,
                fisher.list,
                anchor.list,
                options,
                new AdamWStep(3, 1e-2, 2.0, 0.5, 0.25));
        double[] after = theta.read();
        double penalty = 0;
        double weighted = 0;
        for (int i = 0; i < t.length; i++) {
            double pull = 2.0 * f[i] * (t[i] - a[i]);
            penalty += 0.5 * f[i] * (t[i] - a[i]) * (t[i] - a[i]);
            weighted += pull * pull;
            double scaled = 0.5 * g[i] + 0.25 * pull;
            m[i] = 0.9 * m[i] + 0.1 * scaled;
            v[i] = 0.999 * v[i] + 0.001 * scaled * scaled;
            double update = m[i] / (1 - Math.pow(0.9, 3)) / (Math.sqrt(v[i] / (1 - Math.pow(0.999, 3))) + 1e-8);
            assertThat(after[i]).isCloseTo(t[i] * (1 - 1e-2 * 0.1) - 1e-2 * update, within(1e-6));
        }
        assertThat(statistics.penalty()).isCloseTo(penalty, within(1e-7 * penalty));
        assertThat(statistics.gradientNorm()).isEqualTo(kernels.norm(gradient.list));
        assertThat(statistics.penaltyGradientNorm()).isCloseTo(Math.sqrt(weighted), within(1e-7 * weighted));
        assertThat(gradient.read()).isEqualTo(g);
    }

    @Test
    void plainStepHasNoPenalty() {
        Values theta = new Values(1, -1, 1);
        Values first = new Values(5, 0, 0.1);
        Values second = new Values(6, 0, 0.1);
        Values gradient = new Values(4, -1, 1);
        StepStatistics statistics = kernels.adamwStep(
                theta.list,
                first.list,
                second.list,
                gradient.list,
                null,
                null,
                AdamWOptions.withWeightDecay(5e-4),
                new AdamWStep(1, 1e-5, 5000));
        assertThat(statistics.penalty()).isZero();
        assertThat(statistics.penaltyGradientNorm()).isZero();
        assertThat(statistics.gradientNorm()).isPositive();
    }

    @Test
    void listsThatDoNotFitAreRefusedByName() {
        Values theta = new Values(1, -1, 1);
        try (TensorList other =
                TensorList.of(ElementType.F32, new long[] {memory.get(0).address()}, new long[] {7})) {
            assertThatThrownBy(() -> kernels.penalty(theta.list, other, theta.list))
                    .isInstanceOf(KernelArgumentException.class)
                    .hasMessageContaining("ewc_penalty: anchor: expected as many segments as theta has (4), came 1");
        }
        assertThatThrownBy(() -> TensorList.of(ElementType.F32, new long[1], new long[2]))
                .isInstanceOf(KernelArgumentException.class);
        assertThatThrownBy(() -> Kernels.host(0)).isInstanceOf(KernelArgumentException.class);
    }

    /** A list of one tensor of that type, over memory of its own. */
    private TensorList tensor(ElementType type, long elements) {
        FloatPointer block = new FloatPointer((type.bytes(elements) + 3) / 4);
        memory.add(block);
        TensorList list = TensorList.of(type, new long[] {block.address()}, new long[] {elements});
        lists.add(list);
        return list;
    }

    private TensorList tensor(float... values) {
        TensorList list = tensor(ElementType.F32, values.length);
        memory.get(memory.size() - 1).put(values);
        return list;
    }

    private float[] read(TensorList list) {
        TensorList floats = tensor(ElementType.F32, list.elementCount());
        kernels.convert(floats, list);
        float[] values = new float[(int) list.elementCount()];
        memory.get(memory.size() - 1).get(values);
        return values;
    }

    @Test
    void convertsToSixteenBitsAndBack() {
        assertThat(ElementType.I16_BLOCK256.bytes(257)).isEqualTo(2 * 258 + 2 * 4);
        TensorList source = tensor(1.0f, -2.0f, 1.00390625f, 0.5f);
        for (ElementType type : EnumSet.complementOf(EnumSet.of(ElementType.U8_BLOCK256))) {
            TensorList kept = tensor(type, 4);
            kernels.convert(kept, source);
            float[] values = read(kept);
            assertThat(values[1]).isEqualTo(-2.0f);
            assertThat(values[2]).isCloseTo(1.00390625f, within(type == ElementType.BF16 ? 0.004f : 4e-5f));
        }
        assertThatThrownBy(() -> ElementType.F32.bytes(-1)).isInstanceOf(KernelArgumentException.class);
    }

    @Test
    void mergesAnF32AccumulatorIntoABf16Fisher() {
        TensorList fisher = tensor(ElementType.BF16, 3);
        kernels.convert(fisher, tensor(1.0f, 2.0f, 4.0f));
        kernels.fisherMerge(fisher, tensor(1.0f, 1.0f, 0.0f), 0.5, 2.0);
        assertThat(read(fisher)).containsExactly(2.5f, 3.0f, 2.0f);
        assertThatThrownBy(() -> kernels.fisherAccumulate(fisher, tensor(1, 1, 1), 1.0))
                .isInstanceOf(KernelArgumentException.class)
                .hasMessageContaining("fisher.dtype: expected EWC_F32 (0), came 2");
    }

    @Test
    void stepsWithRatesOfItsOwnZeroesAndCopies() {
        TensorList theta = tensor(1.0f, -1.0f);
        TensorList gradient = tensor(0.5f, 0.5f);
        TensorList copy = tensor(ElementType.BF16, 2);
        TensorList first = tensor(0, 0);
        TensorList second = tensor(0, 0);
        AdamWOptions options =
                new AdamWOptions(0.9, 0.999, 1e-8, 0.5, new double[] {0.25}, new double[] {0.0}, null, false);
        kernels.adamwStep(
                theta,
                first,
                second,
                gradient,
                null,
                null,
                options,
                new AdamWStep(1, 0.5, 0),
                new StepOutputs(true, copy));
        assertThat(read(theta)[0]).isCloseTo(0.875f, within(1e-6f)); // no decay, and a first step of learning rate 1/8
        assertThat(read(copy)[0]).isEqualTo(0.875f);
        assertThat(read(gradient)).containsExactly(0.0f, 0.0f);
        AdamWOptions two = new AdamWOptions(0.9, 0.999, 1e-8, 0.5, new double[2], null, null, false);
        assertThatThrownBy(() -> kernels.adamwStep(
                        theta, first, second, gradient, null, null, two, new AdamWStep(2, 0.5, 0), StepOutputs.NONE))
                .isInstanceOf(KernelArgumentException.class)
                .hasMessageContaining("segmentLearningRate: expected one value for each tensor of theta (1), came 2");
    }

    @Test
    void pullsTowardsTheAnchorBehindAProximalStep() {
        TensorList theta = tensor(1.0f, -1.0f, 0.5f);
        TensorList anchor = tensor(2.0f, 2.0f, 2.0f);
        TensorList fisher = tensor(0.0f, 1e-3f, 1.0f);
        AdamWOptions options = new AdamWOptions(0, 0, 1e-8, 0, null, null, new double[] {0.5}, true);
        StepStatistics statistics = kernels.adamwStep(
                theta,
                tensor(0, 0, 0),
                tensor(0, 0, 0),
                tensor(4.0f, 4.0f, 4.0f),
                fisher,
                anchor,
                options,
                new AdamWStep(1, 0.25, 64_000));
        // Without moments the step is the learning rate, and s = 0.25 / 4: s lambda f F is 0, 2 and 2000.
        assertThat(read(theta)[0]).isEqualTo(0.75f);
        assertThat(read(theta)[1]).isCloseTo(-1.25f + 2f / 3 * 3.25f, within(1e-6f));
        assertThat(read(theta)[2]).isCloseTo(0.25f + 2000f / 2001 * 1.75f, within(1e-6f));
        double moved = Math.sqrt(Math.pow(0.5e-3 * 3, 2) + Math.pow(0.5 * 1.5, 2));
        assertThat(statistics.displacementNorm()).isCloseTo(moved, within(1e-7));
        assertThat(statistics.penaltyGradientNorm()).isEqualTo(64_000 * statistics.displacementNorm());
        assertThat(statistics.penalty()).isCloseTo(0.5 * 0.5 * (1e-3 * 9 + 2.25), within(1e-7));
        AdamWOptions two = new AdamWOptions(0, 0, 1e-8, 0, null, null, new double[2], true);
        assertThatThrownBy(() -> kernels.adamwStep(
                        theta, tensor(0, 0, 0), tensor(0, 0, 0), anchor, null, null, two, new AdamWStep(2, 1, 1)))
                .isInstanceOf(KernelArgumentException.class)
                .hasMessageContaining("segmentLambda: expected one value for each tensor of theta (1), came 2");
    }

    /** What clipping of the total measures has the factors of λ in it. */
    @Test
    void clipsTheTotalWithTheFactorsOfLambda() {
        TensorList theta = tensor(3.0f);
        TensorList moment = tensor(0);
        AdamWOptions options = new AdamWOptions(0, 0, 1e6, 0, null, null, new double[] {0.25}, false);
        try (StepSlots slots = kernels.slots(1)) {
            kernels.adamwStep(
                    theta,
                    moment,
                    tensor(0),
                    tensor(1.0f),
                    tensor(2.0f),
                    tensor(1.0f),
                    options,
                    new AdamWStep(1, 1e6, 8),
                    new StepGuard(0.5, true, false),
                    StepOutputs.NONE,
                    slots,
                    0);
        }
        // 1 + 8 · 0.25 · 2 · (3 − 1) = 9, scaled to a half; without moments and far below epsilon a plain descent.
        assertThat(read(moment)[0]).isCloseTo(0.5f, within(1e-6f));
        assertThat(read(theta)[0]).isCloseTo(2.5f, within(1e-5f));
    }

    @Test
    void aSkippedStepUpdatesNothing() {
        TensorList theta = tensor(1.0f, -1.0f);
        TensorList gradient = tensor(3.0f, Float.NaN);
        TensorList first = tensor(0.5f, 0.5f);
        TensorList second = tensor(0.25f, 0.25f);
        AdamWOptions options = AdamWOptions.withWeightDecay(0.5);
        StepOutputs zeroing = new StepOutputs(true, null);
        StepStatistics statistics = kernels.adamwStep(
                theta, first, second, gradient, null, null, options, new AdamWStep(AdamWStep.SKIPPED, 0.5, 0), zeroing);
        assertThat(statistics.gradientNorm()).isNaN();
        assertThat(read(theta)).containsExactly(1.0f, -1.0f);
        assertThat(read(first)).containsExactly(0.5f, 0.5f);
        assertThat(read(second)).containsExactly(0.25f, 0.25f);
        assertThat(read(gradient)).containsExactly(0.0f, 0.0f);
        assertThatThrownBy(() -> kernels.adamwStep(
                        theta, first, second, gradient, null, null, options, new AdamWStep(-1, 0.5, 0), zeroing))
                .isInstanceOf(KernelArgumentException.class)
                .hasMessageContaining("values->step: expected 0 or more, came -1");
    }

    @Test
    void accumulatesAndZeroes() {
        TensorList gradient = tensor(2.0f, 3.0f);
        TensorList fisher = tensor(1.0f, 1.0f);
        kernels.fisherAccumulate(fisher, gradient, 1.0, true);
        assertThat(read(fisher)).containsExactly(5.0f, 10.0f);
        assertThat(read(gradient)).containsExactly(0.0f, 0.0f);
    }

    @Test
    void crossEntropyAndItsGradient() {
        int rows = 3;
        int columns = 5;
        double scale = 0.5;
        float[] logits = new float[rows * columns];
        Random random = new Random(7);
        for (int i = 0; i < logits.length; i++) {
            logits[i] = 4 * random.nextFloat();
        }
        long[] targets = {4, 0, 2};
        double expected = 0;
        double[] gradient = new double[logits.length];
        for (int row = 0; row < rows; row++) {
            double sum = 0;
            for (int c = 0; c < columns; c++) {
                sum += Math.exp(logits[row * columns + c]);
            }
            expected += Math.log(sum) - logits[row * columns + (int) targets[row]];
            for (int c = 0; c < columns; c++) {
                double softmax = Math.exp(logits[row * columns + c]) / sum;
                gradient[row * columns + c] = scale * (softmax - (c == targets[row] ? 1 : 0));
            }
        }
        try (FloatPointer matrix = new FloatPointer(logits);
                LongPointer ids = new LongPointer(targets)) {
            double loss =
                    kernels.crossEntropy(matrix.address(), ElementType.F32, rows, columns, ids.address(), scale, false);
            assertThat(loss).isCloseTo(expected, within(1e-6));
            assertThat(matrix.get(7)).isEqualTo(logits[7]);
            loss = kernels.crossEntropy(matrix.address(), ElementType.F32, rows, columns, ids.address(), scale, true);
            assertThat(loss).isCloseTo(expected, within(1e-6));
            for (int i = 0; i < logits.length; i++) {
                assertThat((double) matrix.get(i)).isCloseTo(gradient[i], within(1e-7));
            }
            assertThat(kernels.crossEntropy(0, ElementType.BF16, 0, columns, 0, scale, true))
                    .isZero();
            ids.put(1, columns);
            assertThatThrownBy(() -> kernels.crossEntropy(
                            matrix.address(), ElementType.F32, rows, columns, ids.address(), scale, true))
                    .isInstanceOf(KernelArgumentException.class)
                    .hasMessageContaining("targets[1]: expected 0 or more, below the columns (5), came 5");
        }
    }

    @Test
    void aLinearLayerOfFewRowsAndItsGradients() {
        FloatPointer x = memory(1, 2, 3, 4, 5, 6); // 2 rows of 3
        FloatPointer weight = memory(1, 0, -1, 2, 1, 0); // 2 of 3
        FloatPointer y = memory(9, 9, 9, 9);
        kernels.linear(x.address(), weight.address(), 2, 2, 3, y.address());
        assertThat(values(y, 4)).containsExactly(-2, 4, -2, 13);

        FloatPointer gradient = memory(1, 2, -1, 3);
        FloatPointer ofX = memory(9, 9, 9, 9, 9, 9);
        FloatPointer ofWeight = memory(1, 1, 1, 1, 1, 1);
        long[] matrices = {gradient.address(), x.address(), weight.address()};
        kernels.linearBackward(matrices[0], matrices[1], matrices[2], 2, 2, 3, true, ofX.address(), ofWeight.address());
        assertThat(values(ofX, 6)).containsExactly(5, 2, -1, 5, 3, 1);
        assertThat(values(ofWeight, 6)).containsExactly(-2, -2, -2, 15, 20, 25);
        kernels.linearBackward(
                matrices[0], matrices[1], matrices[2], 2, 2, 3, false, ofX.address(), ofWeight.address());
        assertThat(values(ofWeight, 6)).containsExactly(-3, -3, -3, 14, 19, 24);
        kernels.linearBackward(matrices[0], matrices[1], matrices[2], 2, 2, 3, false, ofX.address(), 0);

        assertThatThrownBy(() -> kernels.linear(x.address(), weight.address(), 2, 2, 0, y.address()))
                .isInstanceOf(KernelArgumentException.class)
                .hasMessageContaining("ewc_linear: in: expected 1 to 2^31 - 1, came 0");
    }

    private static float[] values(FloatPointer from, int count) {
        float[] values = new float[count];
        from.get(values);
        return values;
    }

    @Test
    void closedIsClosed() {
        Values theta = new Values(1, -1, 1);
        Kernels other = Kernels.host(1);
        other.close();
        other.close();
        assertThatThrownBy(() -> other.norm(theta.list))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("Kernels is closed");
        theta.list.close();
        assertThatThrownBy(() -> kernels.norm(theta.list)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> theta.list.setAddress(0, 1)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void listsOutliveThePointerScopeTheyWereMadeIn() {
        Values gradient;
        double expected;
        Kernels made;
        try (PointerScope scope = new PointerScope()) {
            gradient = new Values(1, -1, 1);
            for (FloatPointer tensor : gradient.tensors) {
                tensor.retainReference();
            }
            made = Kernels.host(1);
            expected = kernels.norm(gradient.list);
        }
        new Values(2, 0, 1); // whatever was freed is overwritten
        assertThat(made.norm(gradient.list)).isEqualTo(expected);
        made.close();
    }

    @Test
    void setAddressPointsElsewhere() {
        Values one = new Values(1, -1, 1);
        Values two = new Values(2, -1, 1);
        double expected = kernels.norm(two.list);
        for (int i = 0; i < SIZES.length; i++) {
            one.list.setAddress(i, two.tensors[i].address());
        }
        assertThat(kernels.norm(one.list)).isEqualTo(expected);
        assertThat(one.list.size()).isEqualTo(4);
        assertThat(one.list.elementCount()).isEqualTo(20_040);
    }
}
