package org.ewc4j.consolidation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Map;
import org.ewc4j.Golden;
import org.ewc4j.config.EwcConfig;
import org.ewc4j.error.RunFailedException;
import org.ewc4j.fisher.UniformFisher;
import org.ewc4j.kernel.ElementType;
import org.ewc4j.kernel.Kernels;
import org.ewc4j.tensor.Arena;
import org.ewc4j.tensor.Device;
import org.ewc4j.tensor.ParameterLayout;
import org.ewc4j.tensor.Torch;
import org.ewc4j.tensor.TrainedParameters;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ConsolidationTest {
    private static final ParameterLayout LAYOUT =
            ParameterLayout.of(Map.of("a", new long[] {512, 100}, "b", new long[] {2048}));
    private static final HeldFisher WHAT = HeldFishers.uniform("a task");

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
        consolidation.add(
                kernels, new UniformFisher(null, TrainedParameters.all(theta.layout())), theta, WHAT, done -> {});
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
                LAYOUT, new MergeSchedule.RunningMean(), new StateTypes(fisher, anchor), StatePlaces.on(Device.CPU))) {
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

    /** F = 1 throughout; what came first is then set to 5 under the mean, so that the counts show. */
    @ParameterizedTest
    @CsvSource({
        "running-mean, F32, 3, 1, 4", // (3·5 + 1·1)/4
        "running-mean, F32, 1, 3, 2", // (1·5 + 3·1)/4
        "running-mean, BF16, 3, 1, 4",
        "online, F32, 3, 1, 2.5", // ½·3 + 1
        "online, F32, 1, 3, 3.5", // ½·1 + 3
        "online, BF16, 1, 3, 3.5",
        "ema, F32, 3, 1, 2.5", // ¾·3 + ¼·1
        "ema, F32, 1, 3, 1.5", // ¾·1 + ¼·3
        "sum, F32, 3, 1, 4",
        "sum, BF16, 1, 3, 4",
        "max, F32, 3, 1, 3",
        "max, F32, 1, 3, 3"
    })
    void aWeightCountsAsSoManyTasks(String merge, ElementType type, double first, double second, double expected) {
        EwcConfig ewc = EwcConfig.defaults()
                .withMerge(EwcConfig.Merge.valueOf(merge.toUpperCase().replace('-', '_')))
                .withGamma(0.5)
                .withAlpha(0.25);
        StateTypes types = new StateTypes(type, ElementType.F32);
        try (Consolidation consolidation =
                new Consolidation(LAYOUT, MergeSchedule.of(ewc), types, StatePlaces.on(Device.CPU))) {
            theta.fill(0);
            consolidation.add(
                    kernels,
                    new UniformFisher(null, TrainedParameters.all(theta.layout())),
                    theta,
                    weighing(first),
                    done -> {});
            if (ewc.merge() == EwcConfig.Merge.RUNNING_MEAN) {
                assertThat(element(consolidation.fisher())).isEqualTo(1, within(1e-6));
                consolidation.fisher().fill(5);
            }
            theta.fill(1);
            consolidation.add(
                    kernels,
                    new UniformFisher(null, TrainedParameters.all(theta.layout())),
                    theta,
                    weighing(second),
                    done -> {});

            assertThat(element(consolidation.fisher())).isEqualTo(expected, within(1e-2));
            double anchor = ewc.merge() == EwcConfig.Merge.SUM ? second / (first + second) : 1;
            assertThat(element(consolidation.anchor())).isEqualTo(anchor, within(1e-6));
        }
    }

    private static HeldFisher weighing(double weight) {
        return new HeldFisher(WHAT.task(), WHAT.estimate(), weight);
    }

    /** What every element of an arena is. */
    private double element(Arena arena) {
        return kernels.norm(arena.list()) / Math.sqrt(LAYOUT.elements());
    }

    @Test
    void joiningCountsTheWeightsOfTheOther() {
        try (Consolidation base = new Consolidation(LAYOUT, new MergeSchedule.RunningMean());
                Consolidation heavy = new Consolidation(LAYOUT, new MergeSchedule.RunningMean())) {
            add(base, 0);
            heavy.add(
                    kernels,
                    new UniformFisher(null, TrainedParameters.all(theta.layout())),
                    theta,
                    weighing(3),
                    done -> {});
            heavy.fisher().fill(5);

            base.join(kernels, heavy);

            assertThat(element(base.fisher())).isEqualTo(4, within(1e-5)); // (1·1 + 3·5)/4
        }
    }

    /** Of γ ½: a, then b₁ and b₂, is a/4 + b₁/2 + b₂, whether b₁ and b₂ come one by one or merged. */
    @Test
    void joiningFadesByEveryTaskOfTheOther() {
        MergeSchedule online = new MergeSchedule.Online(0.5);
        try (Consolidation base = new Consolidation(LAYOUT, online);
                Consolidation sequence = new Consolidation(LAYOUT, online);
                Consolidation two = new Consolidation(LAYOUT, online)) {
            add(base, 0);
            add(two, 0);
            add(two, 0);
            add(sequence, 0);
            add(sequence, 0);
            add(sequence, 0);

            base.join(kernels, two);

            assertThat(element(base.fisher())).isEqualTo(1.75, within(1e-6)).isEqualTo(element(sequence.fisher()));
        }
    }

    /** Two tasks of F = 1 about 0 and about 1: the sum is ½·2(θ−½)² + ¼ a parameter. */
    @ParameterizedTest
    @CsvSource({"F32, F32", "BF16, I16_BLOCK256", "F32, F16", "BF16, F32", "U8_BLOCK256, F32"})
    void aSumHasTheMeanOfItsAnchorsAndAConstant(ElementType fisher, ElementType anchor) {
        try (Consolidation consolidation = new Consolidation(
                LAYOUT, new MergeSchedule.Sum(), new StateTypes(fisher, anchor), StatePlaces.on(Device.CPU))) {
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
            one.add(kernels, new UniformFisher(null, TrainedParameters.all(theta.layout())), theta, WHAT, done -> {});
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
                LAYOUT,
                new MergeSchedule.Maximum(),
                new StateTypes(ElementType.F32, ElementType.F16),
                StatePlaces.on(Device.CPU))) {
            add(consolidation, 1);
            theta.fill(1e30);
            assertThatThrownBy(() -> consolidation.add(
                            kernels,
                            new UniformFisher(null, TrainedParameters.all(theta.layout())),
                            theta,
                            WHAT,
                            done -> {}))
                    .isInstanceOf(RunFailedException.class)
                    .hasMessageContainingAll("65504", "ewc.anchor_dtype");
        }
    }
}
