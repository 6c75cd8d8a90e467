package org.ewc4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntToDoubleFunction;
import java.util.stream.IntStream;
import org.ewc4j.config.EwcConfig;
import org.ewc4j.config.EwcConfig.AnchorType;
import org.ewc4j.config.EwcConfig.FisherType;
import org.ewc4j.config.EwcConfig.Merge;
import org.ewc4j.config.ModelSource;
import org.ewc4j.config.SaveConfig.StoredType;
import org.ewc4j.report.RunListener;
import org.ewc4j.task.Task;
import org.ewc4j.train.StepMetrics;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Every merge schedule over five tasks against an oracle in double, made of the Fishers and parameters of each task alone.
 * λ is so small that the penalty moves nothing: every schedule then meets the same parameters.
 */
class MergeScheduleTest {
    private static final int TASKS = 5;
    private static final double NO_PULL = 1e-30;
    private static final EwcConfig EWC = EwcConfig.defaults().withLambda(NO_PULL);

    @TempDir
    Path folder;

    private Path model;

    @BeforeEach
    void write() {
        model = TinyRun.model(folder.resolve("model"), "llama");
    }

    /** F, θ* and θ as they were saved after each task, and the penalty of each task's first step. */
    private record Run(List<double[]> fisher, List<double[]> anchor, List<double[]> theta, List<Double> firstPenalty) {}

    private Run run(EwcConfig ewc, double learningRate) {
        Run run = new Run(new ArrayList<>(), new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
        List<Task> tasks = TinyRun.tasks(4, 8);
        List<StepMetrics> steps = new ArrayList<>();
        try (ContinualLearner learner = ContinualLearner.open(
                ModelSource.random(model, 1), TinyRun.training().withEpochs(1).withLearningRate(learningRate), ewc)) {
            learner.addListener(new RunListener() {
                @Override
                public void step(StepMetrics metrics) {
                    steps.add(metrics);
                }
            });
            for (int t = 0; t < TASKS; t++) {
                steps.clear();
                learner.learn(tasks.get(t % tasks.size()));
                Path saved = folder.resolve("saved");
                learner.saveConsolidation(saved);
                learner.saveModel(saved, StoredType.FLOAT32);
                run.firstPenalty().add(steps.get(0).penalty());
                assertThat(steps)
                        .allSatisfy(
                                step -> assertThat(step.loss()).isEqualTo(step.lmLoss() + NO_PULL * step.penalty()));
                run.fisher().add(values(saved.resolve("fisher.safetensors")));
                run.anchor().add(values(saved.resolve("anchor.safetensors")));
                run.theta().add(values(saved.resolve("model.safetensors")));
            }
        }
        return run;
    }

    private static double[] values(Path file) {
        return Golden.allFloats(file).values().stream()
                .flatMapToDouble(values -> IntStream.range(0, values.length).mapToDouble(i -> values[i]))
                .toArray();
    }

    /** The Fisher of each task alone: an average that forgets everything before. */
    private Run alone(double learningRate) {
        return run(EWC.withMerge(Merge.EMA).withAlpha(1), learningRate);
    }

    private static double[] elements(int count, IntToDoubleFunction value) {
        return IntStream.range(0, count).mapToDouble(value).toArray();
    }

    /** Equal to a few roundings of fp32, or of bf16, at the size of each element. */
    private static void assertClose(double[] came, double[] expected, double relative) {
        assertThat(came).hasSameSizeAs(expected);
        for (int i = 0; i < came.length; i++) {
            if (!(Math.abs(came[i] - expected[i]) <= relative * Math.abs(expected[i]) + 1e-37)) {
                assertThat(came[i]).as("element " + i).isEqualTo(expected[i], within(relative * expected[i]));
            }
        }
    }

    private static double[] merged(EwcConfig ewc, double[] old, double[] added, int held) {
        return elements(old.length, i -> switch (ewc.merge()) {
            case RUNNING_MEAN -> (held * old[i] + added[i]) / (held + 1);
            case ONLINE -> ewc.gamma() * old[i] + added[i];
            case EMA -> (1 - ewc.alpha()) * old[i] + ewc.alpha() * added[i];
            case SUM -> old[i] + added[i];
            case MAX -> Math.max(old[i], added[i]);
        });
    }

    @ParameterizedTest
    @CsvSource({
        "RUNNING_MEAN, FP32",
        "ONLINE, FP32",
        "EMA, FP32",
        "SUM, FP32",
        "MAX, FP32",
        "RUNNING_MEAN, BF16",
        "ONLINE, BF16",
        "EMA, BF16",
        "SUM, BF16",
        "MAX, BF16"
    })
    void everyScheduleMergesAsItsEquationSays(Merge merge, FisherType type) {
        EwcConfig ewc = EWC.withMerge(merge)
                .withGamma(0.7)
                .withAlpha(0.3)
                .withStateTypes(type, type == FisherType.BF16 ? AnchorType.INT16 : AnchorType.FP32);
        Run alone = alone(1e-2);

        Run run = run(ewc, 1e-2);

        // Each merge rounds once more.
        double rounding = type == FisherType.BF16 ? TASKS / 256.0 : 1e-6;
        double[] expected = alone.fisher().get(0);
        assertClose(run.fisher().get(0), expected, rounding);
        for (int t = 1; t < TASKS; t++) {
            expected = merged(ewc, expected, alone.fisher().get(t), t);
            assertClose(run.fisher().get(t), expected, rounding);
            if (merge != Merge.SUM && type == FisherType.FP32) {
                assertThat(run.anchor().get(t)).isEqualTo(alone.theta().get(t));
            }
            assertThat(run.theta().get(t)).isEqualTo(alone.theta().get(t));
        }
    }

    /** θ̄ = ΣF_kθ_k/ΣF_k, and the penalty with its constant is the sum of the tasks' own, apart by 1e-5 too. */
    @ParameterizedTest
    @ValueSource(doubles = {1e-2, 1e-5})
    void aSumIsTheSumOfEachTasksOwnPenalty(double learningRate) {
        Run alone = alone(learningRate);

        Run run = run(EWC.withMerge(Merge.SUM), learningRate);

        int count = alone.theta().get(0).length;
        double[] mean = elements(count, i -> {
            double weighted = 0;
            double sum = 0;
            for (int k = 0; k < TASKS; k++) {
                weighted += alone.fisher().get(k)[i] * alone.theta().get(k)[i];
                sum += alone.fisher().get(k)[i];
            }
            return sum == 0 ? alone.theta().get(TASKS - 1)[i] : weighted / sum;
        });
        double[] anchor = run.anchor().get(TASKS - 1);
        for (int i = 0; i < count; i++) {
            double size = 0; // of what the mean is made of, whose roundings it has
            for (int k = 0; k < TASKS; k++) {
                size = Math.max(size, Math.abs(alone.theta().get(k)[i]));
            }
            assertThat(anchor[i]).isEqualTo(mean[i], within(1e-6 * size));
        }
        for (int t = 2; t < TASKS; t++) {
            double explicit = 0;
            double apart = 0;
            for (int k = 0; k < t; k++) {
                for (int i = 0; i < count; i++) {
                    double away = alone.theta().get(t - 1)[i] - alone.theta().get(k)[i];
                    explicit += 0.5 * alone.fisher().get(k)[i] * away * away;
                    apart = Math.max(apart, Math.abs(away));
                }
            }
            assertThat(explicit).isPositive();
            assertThat(apart).isGreaterThan(learningRate / 2).isLessThan(100 * learningRate);
            assertThat(run.firstPenalty().get(t)).isEqualTo(explicit, within(1e-4 * explicit));
        }
    }

    /** Each merge moves a root by 1/510 of its block's largest at most, and its square by twice that of the largest. */
    @ParameterizedTest
    @EnumSource(Merge.class)
    void everyScheduleMergesInEightBits(Merge merge) {
        EwcConfig ewc = EWC.withMerge(merge).withGamma(0.7).withAlpha(0.3);
        Run full = run(ewc, 1e-2);

        Run reduced = run(ewc.withStateTypes(FisherType.INT8, AnchorType.FP32), 1e-2);

        double[] expected = full.fisher().get(TASKS - 1);
        double[] came = reduced.fisher().get(TASKS - 1);
        double off = Math.sqrt(Arrays.stream(elements(came.length, i -> Math.pow(came[i] - expected[i], 2)))
                .sum());
        double size = Math.sqrt(Arrays.stream(elements(came.length, i -> Math.pow(expected[i], 2)))
                .sum());
        assertThat(off).isPositive().isLessThan(TASKS * 2 / 510.0 * size);
        assertThat(reduced.theta().get(TASKS - 1)).isEqualTo(full.theta().get(TASKS - 1)); // λ is next to nothing
    }

    /** With 16-bit state the sum keeps its meaning, to what the types hold. */
    @Test
    void aSumInSixteenBitsIsTheSameSumToTheirRounding() {
        Run full = run(EWC.withMerge(Merge.SUM), 1e-2);

        Run reduced = run(EWC.withMerge(Merge.SUM).withStateTypes(FisherType.BF16, AnchorType.INT16), 1e-2);

        for (int t = 2; t < TASKS; t++) {
            double expected = full.firstPenalty().get(t);
            assertThat(reduced.firstPenalty().get(t)).isEqualTo(expected, within(2e-2 * expected));
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = AnchorType.class,
            names = {"FP32", "INT16"})
    void anAnchorIsThetaToTheRoundingOfItsType(AnchorType type) {
        Run run = run(EWC.withStateTypes(FisherType.FP32, type), 1e-2);

        for (int t = 0; t < TASKS; t++) {
            double[] theta = run.theta().get(t);
            double[] anchor = run.anchor().get(t);
            // An int16 block's step is its largest magnitude over 32767, and no θ here is beyond 1.5.
            double rounding = type == AnchorType.INT16 ? 1.5 / 65534 : 0;
            for (int i = 0; i < theta.length; i++) {
                assertThat(anchor[i]).isEqualTo(theta[i], within(rounding));
            }
        }
    }
}
