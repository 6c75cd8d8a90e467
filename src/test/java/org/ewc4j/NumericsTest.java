package org.ewc4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.ewc4j.config.DeviceSetting;
import org.ewc4j.config.EwcConfig;
import org.ewc4j.config.ModelSource;
import org.ewc4j.config.SaveConfig.StoredType;
import org.ewc4j.config.TrainingConfig;
import org.ewc4j.config.TrainingConfig.OnNonfinite;
import org.ewc4j.config.TrainingConfig.Precision;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.RunFailedException;
import org.ewc4j.kernel.KernelException;
import org.ewc4j.kernel.NativeLibrary;
import org.ewc4j.report.RunListener;
import org.ewc4j.task.Task;
import org.ewc4j.train.StepMetrics;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Where and how a learner computes: device, precision, how often it is read, and what is not finite. */
class NumericsTest {
    private static final EwcConfig EWC = EwcConfig.defaults().withLambda(1e4);

    @TempDir
    Path folder;

    private record Learned(List<StepMetrics> steps, Map<String, float[]> weights, double tokenLoss) {}

    private Learned learn(String architecture, TrainingConfig training) {
        Path model = folder.resolve(architecture);
        if (!Files.exists(model)) {
            TinyRun.model(model, architecture);
        }
        List<StepMetrics> steps = new ArrayList<>();
        List<Task> tasks = TinyRun.tasks(2, 10);
        try (ContinualLearner learner = ContinualLearner.open(ModelSource.random(model, 1), training, EWC)) {
            learner.addListener(listener(steps::add));
            tasks.forEach(learner::learn);
            learner.saveModel(folder.resolve("saved"), StoredType.FLOAT32);
            double loss = learner.evaluate(Map.of(0, tasks.get(0))).get(0).tokenLoss();
            return new Learned(steps, Golden.allFloats(folder.resolve("saved/model.safetensors")), loss);
        }
    }

    private static RunListener listener(Consumer<StepMetrics> steps) {
        return new RunListener() {
            @Override
            public void step(StepMetrics metrics) {
                steps.accept(metrics);
            }
        };
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 3, 100})
    void howOftenStepsAreReadChangesNothing(int logEvery) {
        TrainingConfig training = TinyRun.training().withEpochs(3);
        Learned each = learn("llama", training);
        Learned blocks = learn("llama", training.withLogEvery(logEvery));
        assertThat(blocks.steps())
                .usingRecursiveFieldByFieldElementComparatorIgnoringFields("seconds")
                .isEqualTo(each.steps());
        assertThat(blocks.steps()).allSatisfy(step -> assertThat(step.seconds()).isPositive());
        assertThat(blocks.weights()).usingRecursiveComparison().isEqualTo(each.weights());
    }

    /** bf16 has 8 bits: what it computes is near, the parameters it trains are of fp32. */
    @ParameterizedTest
    @ValueSource(strings = {"gpt2", "gpt_neox", "llama"})
    void bf16LearnsWhatFp32Learns(String architecture) {
        TrainingConfig training = TinyRun.training().withEpochs(4).withLearningRate(1e-3);
        Learned full = learn(architecture, training);
        Learned half = learn(architecture, training.withPrecision(Precision.BF16));
        for (int i = 0; i < full.steps().size(); i++) {
            double expected = full.steps().get(i).lmLoss();
            assertThat(half.steps().get(i).lmLoss()).isCloseTo(expected, within(0.02 * expected));
        }
        assertThat(half.steps().get(0).lmLoss())
                .isNotEqualTo(full.steps().get(0).lmLoss());
        assertThat(half.tokenLoss()).isCloseTo(full.tokenLoss(), within(0.02 * full.tokenLoss()));
        boolean finerThanBf16 = half.weights().values().stream()
                .anyMatch(values -> values.length > 0 && (Float.floatToRawIntBits(values[0]) & 0xffff) != 0);
        assertThat(finerThanBf16).isTrue();
    }

    @Test
    void aNormThatIsNotFiniteStopsTheRunOrIsSkippedUntilTooManyAre() {
        Path model = TinyRun.model(folder.resolve("huge"), "gpt_neox", config -> config.put("initializer_range", 1e25));
        List<StepMetrics> steps = new ArrayList<>();
        TrainingConfig training = TinyRun.training().withEpochs(20).withBatchSize(5);
        Task task = TinyRun.tasks(1, 10).get(0);
        try (ContinualLearner learner = ContinualLearner.open(ModelSource.random(model, 1), training, EWC)) {
            assertThatThrownBy(() -> learner.learn(task))
                    .isInstanceOf(RunFailedException.class)
                    .hasMessageContaining("step 0: lm_loss is ");
        }
        try (ContinualLearner learner =
                ContinualLearner.open(ModelSource.random(model, 1), training.withOnNonfinite(OnNonfinite.SKIP), EWC)) {
            learner.addListener(listener(steps::add));
            learner.saveModel(folder.resolve("before"), StoredType.FLOAT32);
            assertThatThrownBy(() -> learner.learn(task))
                    .isInstanceOf(RunFailedException.class)
                    .hasMessageContaining("step 20: ")
                    .hasMessageContaining("21 steps one after the other");
            learner.saveModel(folder.resolve("after"), StoredType.FLOAT32);
        }
        assertThat(steps).hasSize(20).allMatch(StepMetrics::skipped);
        assertThat(Golden.allFloats(folder.resolve("after/model.safetensors")))
                .usingRecursiveComparison()
                .isEqualTo(Golden.allFloats(folder.resolve("before/model.safetensors")));
    }

    /** Losses and norms are finite then, and θ would stay where it is for ever: m ÷ √v is 0. */
    @Test
    void aGradientWhoseSquareOverflowsTheSecondMomentStopsTheRun() {
        Path model = TinyRun.model(folder.resolve("model"), "llama");
        List<Task> tasks = TinyRun.tasks(2, 10);
        try (ContinualLearner learner =
                ContinualLearner.open(ModelSource.random(model, 1), TinyRun.training(), EWC.withLambda(1e35))) {
            learner.learn(tasks.get(0));
            learner.consolidate(tasks.get(0));
            assertThatThrownBy(() -> learner.learn(tasks.get(1)))
                    .isInstanceOf(RunFailedException.class)
                    .hasMessageContaining("overflows the second moment, with the penalty's its norm is ");
        }
    }

    @Test
    void skippingLeavesAFiniteRunAsItIs() {
        TrainingConfig training = TinyRun.training().withEpochs(3);
        Learned stop = learn("llama", training);
        Learned skip = learn("llama", training.withOnNonfinite(OnNonfinite.SKIP));
        assertThat(skip.steps())
                .usingRecursiveFieldByFieldElementComparatorIgnoringFields("seconds")
                .isEqualTo(stop.steps());
        assertThat(skip.weights()).usingRecursiveComparison().isEqualTo(stop.weights());
    }

    @Test
    void tf32IsNotForTheCpu() {
        assertThatThrownBy(() -> learn(
                        "llama",
                        TinyRun.training().withDevice(new DeviceSetting.Cpu()).withPrecision(Precision.TF32)))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("precision: tf32");
    }

    @Test
    void aDeviceThatIsNotThereIsRefusedWithTheReasonAndAutoTakesTheCpu() {
        assumeTrue(noCudaDevice(), "this machine has a CUDA device");
        Path model = TinyRun.model(folder.resolve("model"), "llama");
        TrainingConfig training = TinyRun.training();
        assertThatThrownBy(() -> ContinualLearner.open(
                        ModelSource.random(model, 1), training.withDevice(new DeviceSetting.Cuda(0)), EWC))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageStartingWith("device: cuda:0 cannot be used: ")
                .hasMessageNotContaining("\n");
        try (ContinualLearner learner = ContinualLearner.open(
                ModelSource.random(model, 1), training.withDevice(new DeviceSetting.Auto()), EWC)) {
            assertThat(learner.device()).isEqualTo("cpu");
        }
    }

    private static boolean noCudaDevice() {
        try {
            return NativeLibrary.cudaDevices() == 0;
        } catch (KernelException e) {
            return true;
        }
    }
}
