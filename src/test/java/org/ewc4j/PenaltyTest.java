package org.ewc4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.ewc4j.config.EwcConfig;
import org.ewc4j.config.EwcConfig.FisherKind;
import org.ewc4j.config.FisherOptions;
import org.ewc4j.config.ModelSource;
import org.ewc4j.config.ParameterGroup;
import org.ewc4j.config.PenaltyOptions;
import org.ewc4j.config.PenaltyOptions.Kind;
import org.ewc4j.config.SaveConfig.StoredType;
import org.ewc4j.config.TrainingConfig;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.report.RunListener;
import org.ewc4j.task.Task;
import org.ewc4j.tensor.NamePattern;
import org.ewc4j.train.StepMetrics;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** How the penalty acts, on whole learners: as a gradient or proximal, by groups, over a task, and on what is not frozen. */
class PenaltyTest {
    private static final TrainingConfig TRAINING = TinyRun.training();
    private static final List<Task> TASKS = TinyRun.tasks(2, 10);

    @TempDir
    Path folder;

    private Path model;

    @BeforeEach
    void write() {
        model = TinyRun.model(folder.resolve("model"), "llama");
    }

    /** A learner's tensors by name. */
    private record State(Map<String, float[]> theta, Map<String, float[]> fisher) {}

    /** What two tasks left: the state after each, and the steps. */
    private record Learned(List<State> after, List<StepMetrics> steps) {
        List<StepMetrics> ofSecond() {
            return steps.stream().filter(step -> step.task() == 1).toList();
        }
    }

    private Learned learn(Path directory, TrainingConfig training, EwcConfig ewc) {
        Learned learned = new Learned(new ArrayList<>(), new ArrayList<>());
        try (ContinualLearner learner = ContinualLearner.open(ModelSource.random(directory, 1), training, ewc)) {
            learner.addListener(new RunListener() {
                @Override
                public void step(StepMetrics metrics) {
                    learned.steps.add(metrics);
                }
            });
            for (Task task : TASKS) {
                learner.learn(task);
                learner.saveModel(folder.resolve("out"), StoredType.FLOAT32);
                learner.saveConsolidation(folder.resolve("kept"));
                learned.after.add(new State(
                        Golden.allFloats(folder.resolve("out").resolve("model.safetensors")),
                        Golden.allFloats(folder.resolve("kept").resolve("fisher.safetensors"))));
            }
        }
        return learned;
    }

    private static EwcConfig ewc(double lambda, PenaltyOptions options) {
        return EwcConfig.defaults().withLambda(lambda).withPenaltyOptions(options);
    }

    private static PenaltyOptions proximal() {
        return PenaltyOptions.defaults().withKind(Kind.PROXIMAL);
    }

    /** The largest distance between the states after both tasks, over the elements whose F is above a bound. */
    private static double furthest(Learned learned, double bound) {
        double furthest = 0;
        for (String name : learned.after.get(0).theta.keySet()) {
            float[] before = learned.after.get(0).theta.get(name);
            float[] after = learned.after.get(1).theta.get(name);
            float[] fisher = learned.after.get(0).fisher.get(name);
            for (int i = 0; i < before.length; i++) {
                furthest = fisher[i] > bound ? Math.max(furthest, Math.abs(after[i] - before[i])) : furthest;
            }
        }
        return furthest;
    }

    @ParameterizedTest
    @ValueSource(doubles = {1e12, 1e38, 1e200})
    void theProximalPenaltyHoldsStillAtAnyLambda(double lambda) {
        Learned learned = learn(model, TRAINING, ewc(lambda, proximal()));
        assertThat(furthest(learned, 1e-8)).isLessThan(1e-5);
        assertThat(furthest(learned, -1)).as("what has no importance learns").isGreaterThan(1e-3);
        assertThat(learned.ofSecond())
                .allSatisfy(step -> assertThat(step.loss()).isFinite());
    }

    @Test
    void theGradientsPenaltySwingsThereByTheLearningRate() {
        Learned learned = learn(model, TRAINING, ewc(1e12, PenaltyOptions.defaults()));
        assertThat(furthest(learned, 1e-8)).isGreaterThan(0.5 * TRAINING.learningRate());
    }

    @Test
    void aProximalPenaltyKeepsMoreTheStrongerItIs() {
        double before = Double.POSITIVE_INFINITY;
        for (double lambda : new double[] {1, 1e3, 1e6}) {
            double moved = furthest(learn(model, TRAINING, ewc(lambda, proximal())), 1e-4);
            assertThat(moved).isLessThan(before);
            before = moved;
        }
    }

    /** Each group's factor alone, on the second step of a task, where θ is where AdamW's first step left it. */
    @Test
    void theFactorsWeighTheTermsOfTheirGroups() {
        double all = secondPenalty(List.of());
        double mlp = secondPenalty(List.of(ParameterGroup.of("*.mlp.*", 1), ParameterGroup.of("*", 0)));
        double rest = secondPenalty(List.of(ParameterGroup.of("*.mlp.*", 0)));
        double weighed = secondPenalty(List.of(ParameterGroup.of("*.mlp.*", 3), ParameterGroup.of("*", 0.25)));
        assertThat(mlp).isPositive();
        assertThat(rest).isPositive();
        assertThat(mlp + rest).isCloseTo(all, within(1e-12 * all));
        assertThat(3 * mlp + 0.25 * rest).isCloseTo(weighed, within(1e-12 * weighed));
    }

    private double secondPenalty(List<ParameterGroup> groups) {
        EwcConfig ewc = ewc(1, PenaltyOptions.defaults().withGroups(groups));
        return learn(model, TRAINING, ewc).ofSecond().get(1).penalty();
    }

    @ParameterizedTest
    @EnumSource(FisherKind.class)
    void whatIsFrozenKeepsItsBitsAndHasNoFisher(FisherKind kind) {
        for (String architecture : List.of("llama", "gpt2")) {
            Path directory = TinyRun.model(folder.resolve(architecture), architecture);
            String[] frozen = architecture.equals("llama")
                    ? new String[] {"lm_head.*", "model.layers.0.*"}
                    : new String[] {"transformer.wte.*", "transformer.h.0.*", "*.bias"};
            EwcConfig ewc = ewc(10, PenaltyOptions.defaults())
                    .withFisher(kind)
                    .withFisherOptions(FisherOptions.defaults().withClamp(1e6));
            Learned learned = learn(directory, TRAINING.withWeightDecay(0.1).withFreeze(frozen), ewc);
            Learned untouched = learn(directory, TRAINING.withLearningRate(0), ewc);
            int kept = 0;
            for (String name : learned.after.get(1).theta.keySet()) {
                boolean isFrozen = Arrays.stream(frozen).anyMatch(pattern -> new NamePattern(pattern).matches(name));
                float[] start = untouched.after.get(0).theta.get(name);
                float[] end = learned.after.get(1).theta.get(name);
                float[] fisher = learned.after.get(1).fisher.get(name);
                if (isFrozen) {
                    assertThat(end).as(name).isEqualTo(start);
                    assertThat(fisher).as(name).containsOnly(0);
                    kept++;
                } else {
                    assertThat(end).as(name).isNotEqualTo(start);
                    assertThat(sum(fisher)).as(name).isPositive();
                }
            }
            assertThat(kept).isGreaterThan(1);
        }
    }

    private static double sum(float[] values) {
        double sum = 0;
        for (float value : values) {
            sum += value;
        }
        return sum;
    }

    @Test
    void theOthersLearnAsIfTheFrozenHadALearningRateOfNothing() {
        // A frozen last layer leaves every other gradient as it is, to the bit, on the first step.
        TrainingConfig one = TRAINING.withMaxSteps(1);
        Map<String, float[]> all = learn(
                        model, one, ewc(0, PenaltyOptions.defaults()).withLambda(1))
                .after
                .get(0)
                .theta;
        Map<String, float[]> some = learn(model, one.withFreeze("lm_head.*"), ewc(1, PenaltyOptions.defaults()))
                .after
                .get(0)
                .theta;
        Map<String, float[]> others = new TreeMap<>(all);
        others.remove("lm_head.weight");
        others.forEach((name, values) -> assertThat(some.get(name)).as(name).isEqualTo(values));
        assertThat(some.get("lm_head.weight")).isNotEqualTo(all.get("lm_head.weight"));
    }

    @Test
    void onlyTheOutputEmbeddingMayBeTrained() {
        Learned learned = learn(model, TRAINING.withFreeze("model.*"), ewc(10, PenaltyOptions.defaults()));
        assertThat(learned.steps().get(0).lmLoss())
                .isGreaterThan(learned.steps().get(5).lmLoss());
        assertThat(learned.after.get(1).theta.get("model.norm.weight"))
                .isEqualTo(learned.after.get(0).theta.get("model.norm.weight"));
    }

    @Test
    void lambdaFollowsItsScheduleAndEachStepTellsIt() {
        PenaltyOptions options = PenaltyOptions.defaults().withLambdaWarmup(1);
        Learned learned = learn(model, TRAINING, ewc(60, options));
        assertThat(learned.steps().subList(0, 6))
                .extracting(StepMetrics::lambda)
                .containsOnly(0.0);
        assertThat(learned.ofSecond())
                .extracting(StepMetrics::lambda)
                .containsExactly(10.0, 20.0, 30.0, 40.0, 50.0, 60.0);
        StepMetrics last = learned.ofSecond().get(5);
        assertThat(last.loss()).isEqualTo(last.lmLoss() + 60 * last.penalty());
        assertThat(last.penaltyGradRatio()).isEqualTo(60 * last.displacementNorm() / last.gradNorm());
    }

    @Test
    void patternsAreCheckedAgainstTheModel() {
        assertThatThrownBy(() -> learn(model, TRAINING.withFreeze("transformer.*"), EwcConfig.defaults()))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageStartingWith(
                        "training.freeze: \"transformer.*\" matches no parameter of the model; names are those of"
                                + " model.safetensors, such as model.layers.");
        assertThatThrownBy(() -> learn(
                        model,
                        TRAINING,
                        ewc(1, PenaltyOptions.defaults().withGroups(List.of(ParameterGroup.of("h.*", 1))))))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageStartingWith("ewc.groups: \"h.*\" matches no parameter of the model");
        assertThatThrownBy(() ->
                        learn(model, TRAINING.withClipTarget(TrainingConfig.ClipTarget.TOTAL), ewc(1, proximal())))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageStartingWith("training.clip_of: total does not go with ewc.penalty: proximal");
    }
}
