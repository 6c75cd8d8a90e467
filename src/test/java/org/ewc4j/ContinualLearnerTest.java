package org.ewc4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.ewc4j.config.EwcConfig;
import org.ewc4j.config.EwcConfig.FisherKind;
import org.ewc4j.config.ModelSource;
import org.ewc4j.config.SaveConfig.StoredType;
import org.ewc4j.config.TrainingConfig;
import org.ewc4j.config.TrainingConfig.ClipTarget;
import org.ewc4j.config.TrainingConfig.Schedule;
import org.ewc4j.report.RunListener;
import org.ewc4j.task.Example;
import org.ewc4j.task.Task;
import org.ewc4j.train.StepMetrics;
import org.ewc4j.train.Trainer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The method's quantities, computed again from what a learner saves. */
class ContinualLearnerTest {
    private static final EwcConfig PLAIN = EwcConfig.defaults().withLambda(0);
    private static final double LAMBDA = 0.5;
    private static final EwcConfig EWC = EwcConfig.defaults().withLambda(LAMBDA);

    /** Without moments and far below epsilon AdamW is gradient descent: Δθ = −RATE · gradient. */
    private static final double EPSILON = 1e6;

    private static final double RATE = 0.5;
    private static final TrainingConfig DESCENT =
            TinyRun.training().withBeta1(0).withBeta2(0).withEpsilon(EPSILON).withLearningRate(RATE * EPSILON);

    @TempDir
    Path folder;

    private Path model;

    @BeforeEach
    void write() {
        model = TinyRun.model(folder.resolve("model"), "llama");
    }

    /** What was learned: every step, and θ and F after each task. */
    private record Learned(List<StepMetrics> steps, List<double[]> theta, List<double[]> fisher) {
        StepMetrics last() {
            return steps.get(steps.size() - 1);
        }

        double[] lastTheta() {
            return theta.get(theta.size() - 1);
        }
    }

    /** Learns the tasks, each with its own settings. */
    private Learned learn(EwcConfig ewc, TrainingConfig... settings) throws IOException {
        Learned learned = new Learned(new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
        List<Task> tasks = TinyRun.tasks(settings.length, 10);
        try (ContinualLearner learner = ContinualLearner.open(ModelSource.random(model, 1), settings[0], ewc)) {
            learner.addListener(new RunListener() {
                @Override
                public void step(StepMetrics metrics) {
                    learned.steps().add(metrics);
                }
            });
            for (int i = 0; i < settings.length; i++) {
                learner.learn(tasks.get(i), settings[i], ewc, ewc.lambda() > 0);
                learner.saveModel(folder, StoredType.FLOAT32);
                learned.theta().add(values(folder.resolve("model.safetensors")));
                if (ewc.lambda() > 0) {
                    learner.saveConsolidation(folder);
                    learned.fisher().add(values(folder.resolve("fisher.safetensors")));
                }
            }
        }
        return learned;
    }

    private static double[] values(Path file) throws IOException {
        Map<String, float[]> tensors = Golden.allFloats(file);
        Files.delete(file);
        return tensors.values().stream()
                .flatMapToDouble(values ->
                        java.util.stream.IntStream.range(0, values.length).mapToDouble(i -> values[i]))
                .toArray();
    }

    private static double norm(double[] values) {
        double sum = 0;
        for (double value : values) {
            sum += value * value;
        }
        return Math.sqrt(sum);
    }

    /** a − factor · b */
    private static double[] minus(double[] a, double factor, double[] b) {
        double[] result = new double[a.length];
        for (int i = 0; i < a.length; i++) {
            result[i] = a[i] - factor * b[i];
        }
        return result;
    }

    private static void assertClose(double[] actual, double[] expected, double relative) {
        assertThat(norm(expected)).isPositive();
        assertThat(norm(minus(actual, 1, expected)) / norm(expected)).isLessThan(relative);
    }

    /** λF(θ − θ*) */
    private static double[] penaltyGradient(double[] theta, double[] anchor, double[] fisher) {
        double[] gradient = minus(theta, 1, anchor);
        for (int i = 0; i < gradient.length; i++) {
            gradient[i] *= LAMBDA * fisher[i];
        }
        return gradient;
    }

    @Test
    void accumulatedBatchesAreOneBatch() throws IOException {
        // A large epsilon: else the sign of a gradient that is zero but for rounding decides a whole step.
        TrainingConfig whole =
                TinyRun.training().withEpsilon(1e-3).withBatchSize(6).withShuffle(true);
        TrainingConfig parts = whole.withBatchSize(3).withGradientAccumulation(2);

        Learned expected = learn(EWC, whole, whole);
        Learned actual = learn(EWC, parts, parts);

        assertThat(actual.steps()).hasSameSizeAs(expected.steps()).hasSize(8);
        for (int i = 0; i < 8; i++) {
            StepMetrics step = expected.steps().get(i);
            StepMetrics accumulated = actual.steps().get(i);
            assertThat(accumulated.lmLoss()).isCloseTo(step.lmLoss(), within(1e-5 * step.lmLoss()));
            assertThat(accumulated.gradNorm()).isCloseTo(step.gradNorm(), within(1e-4 * step.gradNorm()));
            assertThat(accumulated.penalty()).isCloseTo(step.penalty(), within(1e-3 * step.penalty()));
            assertThat(accumulated.tokens()).isEqualTo(step.tokens());
        }
        assertClose(actual.lastTheta(), expected.lastTheta(), 1e-5);
        assertClose(actual.fisher().get(1), expected.fisher().get(1), 1e-4);
    }

    @ParameterizedTest
    @EnumSource(Schedule.class)
    void theLearningRateRisesAndFallsWithinEachTask(Schedule schedule) throws IOException {
        TrainingConfig training = TinyRun.training()
                .withWarmupSteps(3)
                .withSchedule(schedule)
                .withEpochs(9)
                .withMaxSteps(11);

        Learned learned = learn(PLAIN, training, training);

        assertThat(learned.steps()).hasSize(22);
        for (int i = 0; i < 22; i++) {
            int step = i % 11;
            double gone = (step - 3) / 8.0;
            double share = step < 3
                    ? (step + 1) / 3.0
                    : switch (schedule) {
                        case CONSTANT -> 1;
                        case LINEAR -> 1 - gone;
                        case COSINE -> (1 + Math.cos(Math.PI * gone)) / 2;
                    };
            assertThat(learned.steps().get(i).learningRate()).isCloseTo(1e-2 * share, within(1e-12));
            assertThat(learned.steps().get(i).step()).isEqualTo(i);
        }
    }

    /** A row that is nothing like those learned before it. */
    @Test
    void aLossThatLeapsIsWarnedOf() {
        List<Example> rows = new ArrayList<>(Collections.nCopies(50, new Example("ra?", "ra?:", "AAA")));
        rows.add(new Example("zz!", "zz!:", "QXJ"));
        TrainingConfig rowByRow = TinyRun.training().withBatchSize(1).withEpochs(1);
        try (ContinualLearner learner = ContinualLearner.open(ModelSource.random(model, 1), rowByRow, PLAIN);
                LoggedWarnings warned = LoggedWarnings.of(Trainer.class)) {
            learner.learn(new Task("rows", rows, List.of()));

            assertThat(warned.messages())
                    .singleElement()
                    .asString()
                    .startsWith("task 'rows', step 50: lm_loss leaps to ");
        }
    }

    @Test
    void theGradientNormIsThatOfTheStep() throws IOException {
        Learned before = learn(PLAIN, DESCENT.withMaxSteps(2));
        Learned after = learn(PLAIN, DESCENT.withMaxSteps(3));

        double moved = norm(minus(after.lastTheta(), 1, before.lastTheta()));
        assertThat(moved).isCloseTo(RATE * after.last().gradNorm(), within(1e-4 * moved));
        assertThat(after.last().penaltyGradNorm()).isZero();
    }

    @Test
    void penaltyAndItsGradientAreThoseOfTheSavedFisherAndAnchor() throws IOException {
        Learned before = learn(EWC, DESCENT, DESCENT.withMaxSteps(3));
        Learned after = learn(EWC, DESCENT, DESCENT.withMaxSteps(4));
        double[] anchor = before.theta().get(0);
        double[] fisher = before.fisher().get(0);

        double[] gradient = penaltyGradient(before.lastTheta(), anchor, fisher);
        double penalty = 0;
        for (int i = 0; i < anchor.length; i++) {
            penalty += 0.5 * fisher[i] * Math.pow(before.lastTheta()[i] - anchor[i], 2);
        }

        assertThat(penalty).isPositive();
        assertThat(after.last().penalty()).isCloseTo(penalty, within(1e-5 * penalty));
        assertThat(after.last().penaltyGradNorm()).isCloseTo(norm(gradient), within(1e-5 * norm(gradient)));
        assertThat(after.last().loss())
                .isEqualTo(after.last().lmLoss() + LAMBDA * after.last().penalty());
        // What is left of the step when the penalty's part is taken off is the language model's gradient.
        double[] rest = minus(minus(after.lastTheta(), 1, before.lastTheta()), -RATE, gradient);
        assertThat(norm(rest)).isCloseTo(RATE * after.last().gradNorm(), within(1e-3 * norm(rest)));
    }

    @ParameterizedTest
    @EnumSource(ClipTarget.class)
    void clippingScalesTheGradientThatItIsMeantFor(ClipTarget target) throws IOException {
        double clip = 0.05;
        TrainingConfig clipped = DESCENT.withClipNorm(clip).withClipTarget(target);
        Learned before = learn(EWC, DESCENT, clipped.withMaxSteps(4));
        Learned after = learn(EWC, DESCENT, clipped.withMaxSteps(5));
        double[] gradient = penaltyGradient(
                before.lastTheta(), before.theta().get(0), before.fisher().get(0));
        double[] moved = minus(after.lastTheta(), 1, before.lastTheta());

        assertThat(after.last().gradNorm()).as("the norm before clipping").isGreaterThan(2 * clip);
        assertThat(norm(gradient)).isPositive();
        double[] part = target == ClipTarget.TOTAL ? moved : minus(moved, -RATE, gradient);
        assertThat(norm(part)).isCloseTo(RATE * clip, within(2e-3 * RATE * clip));
    }

    @Test
    void aNormBelowTheBoundIsLeftAlone() throws IOException {
        assertThat(learn(PLAIN, DESCENT.withClipNorm(1e6)).lastTheta())
                .isEqualTo(learn(PLAIN, DESCENT).lastTheta());
    }

    @Test
    void theFisherOfOneBatchIsItsSquaredGradient() throws IOException {
        TrainingConfig whole = DESCENT.withBatchSize(10).withEpochs(3);
        Learned before = learn(EWC.withFisherBatchSize(10), whole.withMaxSteps(2));
        Learned after = learn(EWC.withFisherBatchSize(10), whole.withMaxSteps(3));

        double[] squared = minus(after.lastTheta(), 1, before.lastTheta());
        for (int i = 0; i < squared.length; i++) {
            squared[i] = Math.pow(squared[i] / RATE, 2);
        }
        assertClose(before.fisher().get(0), squared, 1e-3);
    }

    @Test
    void theFisherIsTheMeanOfItsBatchesByTheirExamples() throws IOException {
        // Gradients of batches of 4, 4 and 2 rows at the same θ: as one-batch Fishers of tasks of those rows.
        TrainingConfig still = TinyRun.training().withLearningRate(0);
        double[] whole = learn(EWC.withFisherBatchSize(4), still).fisher().get(0);

        double[] sum = new double[whole.length];
        Task task = TinyRun.tasks(1, 10).get(0);
        for (int from = 0; from < 10; from += 4) {
            int to = Math.min(10, from + 4);
            Task part = new Task("part", task.train().subList(from, to), List.of());
            try (ContinualLearner learner = ContinualLearner.open(ModelSource.random(model, 1), still, EWC)) {
                learner.learn(part);
                learner.saveConsolidation(folder);
            }
            sum = minus(sum, -(to - from) / 10.0, values(folder.resolve("fisher.safetensors")));
        }
        assertClose(whole, sum, 1e-5);
    }

    /** Of one row, g of the summed loss is as many times that of the mean loss as positions are scored. */
    @Test
    void theExampleFisherOfOneRowIsItsScoredPositionsSquaredTimesTheBatchFisher() throws IOException {
        TrainingConfig still = TinyRun.training().withLearningRate(0).withBatchSize(1);
        Task row = new Task("row", TinyRun.tasks(1, 3).get(0).train().subList(2, 3), List.of());
        Map<FisherKind, double[]> fishers = new java.util.EnumMap<>(FisherKind.class);
        for (FisherKind kind : List.of(FisherKind.BATCH, FisherKind.EXAMPLE, FisherKind.SAMPLED)) {
            try (ContinualLearner learner =
                    ContinualLearner.open(ModelSource.random(model, 1), still, EWC.withFisher(kind))) {
                learner.learn(row);
                learner.saveConsolidation(folder);
            }
            fishers.put(kind, values(folder.resolve("fisher.safetensors")));
        }
        // A space, three letters and the end of the sequence.
        double[] expected = fishers.get(FisherKind.BATCH);
        for (int i = 0; i < expected.length; i++) {
            expected[i] *= 5 * 5;
        }
        assertClose(fishers.get(FisherKind.EXAMPLE), expected, 1e-5);
        assertThat(norm(minus(fishers.get(FisherKind.SAMPLED), 1, expected))).isGreaterThan(0.1 * norm(expected));
    }

    @Test
    void fishersOfTasksAreMergedByTheirMean() throws IOException {
        // With a rate of 0 θ stays, so that each task's Fisher can be had alone.
        TrainingConfig still = TinyRun.training().withLearningRate(0);
        List<double[]> merged = learn(EWC, still, still, still).fisher();
        double[] mean = new double[merged.get(0).length];
        for (Task task : TinyRun.tasks(3, 10)) {
            try (ContinualLearner learner = ContinualLearner.open(ModelSource.random(model, 1), still, EWC)) {
                learner.learn(task);
                learner.saveConsolidation(folder);
            }
            mean = minus(mean, -1 / 3.0, values(folder.resolve("fisher.safetensors")));
        }
        assertClose(merged.get(2), mean, 1e-5);
        assertThat(norm(minus(merged.get(2), 1, merged.get(0)))).isGreaterThan(0.01 * norm(mean));
    }

    @Test
    void replayedRowsAreLearnedAgainAndNeverEnterAFisher() throws IOException {
        // With a rate of 0 θ stays, so that nothing but the rows could make a difference.
        TrainingConfig still = TinyRun.training().withLearningRate(0);

        Learned plain = learn(EWC, still, still, still);
        Learned replayed = learn(EWC, still.withReplay(3), still.withReplay(3), still.withReplay(3));

        // Two epochs of 10, 13 and 16 rows in batches of 4.
        assertThat(replayed.steps().stream().map(StepMetrics::task))
                .hasSize(2 * (3 + 4 + 4))
                .filteredOn(task -> task == 2)
                .hasSize(2 * 4);
        assertThat(tokens(replayed, 0)).isEqualTo(tokens(plain, 0));
        assertThat(tokens(replayed, 1)).isGreaterThan(tokens(plain, 1));
        assertThat(tokens(replayed, 2) - tokens(plain, 2))
                .as("three rows of each of two tasks")
                .isGreaterThan(tokens(replayed, 1) - tokens(plain, 1));
        for (int task = 0; task < 3; task++) {
            assertThat(replayed.fisher().get(task)).isEqualTo(plain.fisher().get(task));
        }
    }

    private static long tokens(Learned learned, int task) {
        return learned.steps().stream()
                .filter(step -> step.task() == task)
                .mapToLong(StepMetrics::tokens)
                .sum();
    }

    /** The same order for each task: were it another one, the mean of two would not be the mean shuffled. */
    @Test
    void aShuffledFisherHasTheSameValuesInEachTensorInOtherPlaces() throws IOException {
        TrainingConfig still = TinyRun.training().withLearningRate(0);
        EwcConfig shuffled = EWC.withFisherOptions(EWC.fisherOptions().withShuffle(true));
        double[][] fishers = {
            learn(EWC, still, still).fisher().get(1),
            learn(shuffled, still, still).fisher().get(1)
        };

        assertThat(norm(minus(fishers[0], 1, fishers[1]))).isGreaterThan(0.5 * norm(fishers[0]));
        // Sorted by name in the file: llama's output embedding is first, of 257 × 16.
        int first = TinyRun.VOCABULARY * 16;
        double[][] sorted = new double[2][];
        for (int i = 0; i < 2; i++) {
            sorted[i] = java.util.Arrays.copyOf(fishers[i], first);
            java.util.Arrays.sort(sorted[i]);
            java.util.Arrays.sort(fishers[i]);
        }
        assertClose(sorted[1], sorted[0], 1e-5);
        assertClose(fishers[1], fishers[0], 1e-5);
    }

    @Test
    void aUniformFisherStaysOne() throws IOException {
        TrainingConfig training = TinyRun.training().withMaxSteps(1);

        Learned learned = learn(EWC.withFisher(FisherKind.UNIFORM), training, training, training);

        for (double[] fisher : learned.fisher()) {
            assertThat(java.util.Arrays.stream(fisher)).allMatch(value -> Math.abs(value - 1) < 1e-6);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"gpt2", "gpt_neox", "llama", "mistral", "qwen2", "qwen3"})
    void everyArchitectureLearnsFromARandomStart(String architecture) throws IOException {
        model = TinyRun.model(folder.resolve(architecture), architecture);

        List<StepMetrics> steps = learn(
                        EWC,
                        TinyRun.training().withEpochs(10),
                        TinyRun.training().withEpochs(10))
                .steps();

        assertThat(steps.get(0).lmLoss()).isCloseTo(Math.log(TinyRun.VOCABULARY), within(0.2));
        assertThat(steps.get(29).lmLoss()).isLessThan(2.5);
        assertThat(steps.get(59).lmLoss()).isLessThan(steps.get(30).lmLoss());
    }
}
