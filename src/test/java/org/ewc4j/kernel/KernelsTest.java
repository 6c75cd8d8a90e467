package org.ewc4j.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.bytedeco.javacpp.FloatPointer;
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

    @Test
    void halfPrecisionIsRefusedUntilItIsBuilt() {
        long address = new Values(1, -1, 1).tensors[0].address();
        try (TensorList half = TensorList.of(ElementType.BF16, new long[] {address}, new long[] {4})) {
            assertThatThrownBy(() -> kernels.norm(half))
                    .isInstanceOf(KernelUnsupportedException.class)
                    .hasMessageContaining("gradient.dtype");
        }
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
