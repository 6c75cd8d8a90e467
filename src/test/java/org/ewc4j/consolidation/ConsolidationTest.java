package org.ewc4j.consolidation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Map;
import java.util.OptionalDouble;
import org.ewc4j.Golden;
import org.ewc4j.config.EwcConfig.FisherKind;
import org.ewc4j.config.FisherOptions.Normalize;
import org.ewc4j.config.FisherOptions.Unit;
import org.ewc4j.error.RunFailedException;
import org.ewc4j.fisher.FisherRecord;
import org.ewc4j.fisher.UniformFisher;
import org.ewc4j.kernel.ElementType;
import org.ewc4j.kernel.Kernels;
import org.ewc4j.tensor.Arena;
import org.ewc4j.tensor.Device;
import org.ewc4j.tensor.ParameterLayout;
import org.ewc4j.tensor.Torch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ConsolidationTest {
    private static final ParameterLayout LAYOUT =
            ParameterLayout.of(Map.of("a", new long[] {512, 100}, "b", new long[] {2048}));
    private static final HeldFisher WHAT = new HeldFisher(
            "a task",
            new FisherRecord(
                    FisherKind.UNIFORM, Unit.SEQUENCE, 8, 3, 4, 2, Normalize.NONE, OptionalDouble.empty(), "abc", ""));

    private Kernels kernels;
    private Arena theta;
    private long keptBefore;

    @BeforeEach
    void open() {
        Torch.start(Golden.THREADS);
        keptBefore = Torch.keptObjects();
        kernels = Kernels.host(Golden.THREADS);
        theta = new Arena(LAYOUT);
    }

    @AfterEach
    void close() {
        theta.close();
        kernels.close();
        assertThat(Torch.keptObjects()).isEqualTo(keptBefore);
    }

    private void add(Consolidation consolidation, double at) {
        theta.fill(at);
        consolidation.add(kernels, new UniformFisher(null), theta, WHAT, done -> {});
    }

    @ParameterizedTest
    @CsvSource({
        "F32, F32, 8",
        "BF16, F32, 6",
        "BF16, F16, 4",
        "BF16, BF16, 4",
        "BF16, I16_BLOCK256, 4.016",
        "F32, I16_BLOCK256, 6.016",
        "U8_BLOCK256, F32, 5.016",
        "U8_BLOCK256, I16_BLOCK256, 3.033" // the gaps between segments included
    })
    void stateIsAsManyBytesAParameterAsItsTypesSay(ElementType fisher, ElementType anchor, double bytes) {
        try (Consolidation consolidation = new Consolidation(
                LAYOUT, new MergeSchedule.RunningMean(), new StateTypes(fisher, anchor), Device.CPU)) {
            add(consolidation, 0.5);
            add(consolidation, 0.25);

            assertThat((double) consolidation.stateBytes() / LAYOUT.elements()).isEqualTo(bytes, within(2e-3));
            assertThat(consolidation.held()).isEqualTo(2);
            try (Arena full = new Arena(LAYOUT)) {
                kernels.convert(full.list(), consolidation.fisher().list());
                assertThat(kernels.norm(full.list())).isEqualTo(Math.sqrt(LAYOUT.elements()), within(1e-3));
            }
        }
    }

    /** Two tasks of F = 1 about 0 and about 1: the sum is ½·2(θ−½)² + ¼ a parameter. */
    @ParameterizedTest
    @CsvSource({"F32, F32", "BF16, I16_BLOCK256", "F32, F16", "BF16, F32", "U8_BLOCK256, F32"})
    void aSumHasTheMeanOfItsAnchorsAndAConstant(ElementType fisher, ElementType anchor) {
        try (Consolidation consolidation =
                new Consolidation(LAYOUT, new MergeSchedule.Sum(), new StateTypes(fisher, anchor), Device.CPU)) {
            add(consolidation, 0);
            assertThat(consolidation.constant()).isZero();
            add(consolidation, 1);

            double n = LAYOUT.elements();
            assertThat(consolidation.constant()).isEqualTo(n / 4, within(1e-9 * n));
            theta.fill(1);
            double penalty = kernels.penalty(
                    theta.list(),
                    consolidation.anchor().list(),
                    consolidation.fisher().list());
            assertThat(penalty + consolidation.constant()).isEqualTo(n / 2, within(1e-4 * n));
        }
    }

    /** What several folders hold joins as if its tasks had come one after another. */
    @Test
    void joiningCountsEveryTaskOfTheOther() {
        try (Consolidation three = new Consolidation(LAYOUT, new MergeSchedule.RunningMean());
                Consolidation one = new Consolidation(LAYOUT, new MergeSchedule.RunningMean())) {
            add(three, 0);
            add(three, 0);
            add(three, 0);
            theta.fill(7);
            one.add(kernels, new UniformFisher(null), theta, WHAT, done -> {});
            kernels.fisherMerge(one.fisher().list(), null, 5, 0);

            three.join(kernels, one);

            assertThat(three.held()).isEqualTo(4);
            assertThat(kernels.norm(three.fisher().list()))
                    .isEqualTo(2 * Math.sqrt(LAYOUT.elements()), within(1e-3)); // (3·1 + 1·5)/4
            assertThat(kernels.norm(three.anchor().list())).isEqualTo(7 * Math.sqrt(LAYOUT.elements()), within(1e-2));
        }
    }

    @Test
    void anAnchorThatFp16CannotHoldIsRefused() {
        try (Consolidation consolidation = new Consolidation(
                LAYOUT, new MergeSchedule.Maximum(), new StateTypes(ElementType.F32, ElementType.F16), Device.CPU)) {
            add(consolidation, 1);
            theta.fill(1e30);
            assertThatThrownBy(() -> consolidation.add(kernels, new UniformFisher(null), theta, WHAT, done -> {}))
                    .isInstanceOf(RunFailedException.class)
                    .hasMessageContainingAll("65504", "ewc.anchor_dtype");
        }
    }
}
