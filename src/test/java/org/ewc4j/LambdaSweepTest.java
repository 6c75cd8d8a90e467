package org.ewc4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.ewc4j.config.RunConfig;
import org.ewc4j.config.RunConfigReader;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.eval.LambdaChoice;
import org.ewc4j.eval.LambdaTrial;
import org.ewc4j.report.RunListener;
import org.ewc4j.report.RunStart;
import org.ewc4j.train.StepMetrics;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Several λ from one fork, against the runs that they stand for. */
class LambdaSweepTest {
    private static final int STEPS_OF_A_TASK = 6; // 10 rows in batches of 4, twice

    @TempDir
    Path folder;

    private Path file;

    @BeforeEach
    void write() throws IOException {
        folder = folder.toRealPath();
        file = TinyRun.configuration(folder, "gpt2");
        // Dropout has a stream of its own, which a fork must come back to.
        TinyRun.model(folder.resolve("model"), "gpt2", config -> config.put("resid_pdrop", 0.2));
    }

    private RunConfig config(String... sets) {
        return RunConfigReader.read(file, List.of(sets), Optional.empty(), folder);
    }

    /** What was trained and read. */
    private static final class Count implements RunListener {
        private final List<StepMetrics> steps = new ArrayList<>();
        private final List<String> fisherPasses = new ArrayList<>();
        private final List<Double> started = new ArrayList<>();

        @Override
        public Optional<RunListener> ofTrials() {
            return Optional.of(this);
        }

        @Override
        public void runStarted(RunStart start) {
            started.add(start.lambda());
        }

        @Override
        public void step(StepMetrics metrics) {
            steps.add(metrics);
        }

        @Override
        public void fisherProgress(int task, String taskName, int done, int total) {
            if (done == total) {
                fisherPasses.add(taskName);
            }
        }

        /** The steps of a task's trainings but for their time, one list each. */
        private List<List<String>> trainings(int task) {
            List<List<String>> trainings = new ArrayList<>();
            for (StepMetrics step : steps) {
                if (step.task() == task) {
                    if (step.step() == (long) task * STEPS_OF_A_TASK) {
                        trainings.add(new ArrayList<>());
                    }
                    trainings.get(trainings.size() - 1).add(text(step));
                }
            }
            return trainings;
        }

        private static String text(StepMetrics step) {
            return step.step() + " " + step.lmLoss() + " " + step.penalty() + " " + step.gradNorm() + " "
                    + step.lambda() + " " + step.displacementNorm();
        }
    }

    @Test
    void fiveLambdasCostLessThanFourTrainingsAndAFifth() {
        Count sweep = new Count();
        LambdaChoice choice = LambdaSweep.overAllTasks(config(), List.of(), List.of(sweep), soFar -> {});
        Count run = new Count();
        ContinualRun.execute(config("ewc.lambda=1000"), false, List.of(run));

        assertThat(choice.trials()).hasSize(6);
        assertThat(sweep.steps).hasSize(7 * STEPS_OF_A_TASK);
        assertThat(sweep.fisherPasses).containsExactly("red");
        assertThat((double) sweep.steps.size() / run.steps.size()).isLessThan(4.2);
        assertThat((double) sweep.fisherPasses.size() / run.fisherPasses.size()).isLessThan(4.2);
        assertThat(sweep.trainings(0)).hasSize(1);
        assertThat(sweep.trainings(1)).hasSize(6).doesNotHaveDuplicates();
    }

    @Test
    void theGridBeginsWherePenaltyAndLossWouldWeighAlike() {
        Count sweep = new Count();
        List<LambdaTrial> told = new ArrayList<>();
        RunListener trials = new RunListener() {
            @Override
            public void lambdaTried(LambdaTrial trial) {
                told.add(trial);
            }
        };
        List<LambdaChoice> soFar = new ArrayList<>();
        LambdaChoice choice = LambdaSweep.overAllTasks(config(), List.of(), List.of(sweep, trials), soFar::add);
        double[] ratios = sweep.steps.stream()
                .filter(step -> step.task() == 1)
                .limit(STEPS_OF_A_TASK)
                .filter(step -> step.displacementNorm() > 0)
                .mapToDouble(step -> step.gradNorm() / step.displacementNorm())
                .sorted()
                .toArray();
        double unit = ratios[2]; // of five: the first step stands at the anchor
        assertThat(choice.unit()).isEqualTo(unit);
        assertThat(choice.trials())
                .extracting(LambdaTrial::lambda)
                .containsExactly(0.0, unit, 10 * unit, 100 * unit, 1e3 * unit, 1e4 * unit);
        assertThat(told).hasSize(6).containsExactlyElementsOf(choice.trials());
        assertThat(soFar).hasSize(6).endsWith(choice);
        assertThat(soFar.get(2).trials()).isEqualTo(told.subList(0, 3));
        assertThat(soFar.get(2).unit()).isEqualTo(unit);
        assertThat(choice.questions()).isEqualTo("train");
        assertThat(choice.trials().get(0).penaltyGradRatio()).isNaN();
        assertThat(choice.trials().get(1).penaltyGradRatio()).isBetween(0.05, 20.0);
    }

    @ParameterizedTest
    @CsvSource({"gradient, device", "proximal, mapped"})
    void aBranchIsTheRunThatItStandsFor(String penalty, String anchorMemory) {
        String[] sets = {
            "ewc.penalty=" + penalty,
            "ewc.merge=sum",
            "ewc.lambda_warmup=0.5",
            "training.replay=4",
            "ewc.anchor_memory=" + anchorMemory,
            "ewc.anchor_folder=" + Path.of("target").toAbsolutePath()
        };
        Count sweep = new Count();
        LambdaChoice choice = LambdaSweep.overAllTasks(config(sets), List.of(3e4, 20.0), List.of(sweep), soFar -> {});
        List<List<String>> branches = sweep.trainings(1);
        for (int i = 0; i < 2; i++) {
            double lambda = i == 0 ? 3e4 : 20;
            Count run = new Count();
            List<String> all = new ArrayList<>(List.of(sets));
            all.add("ewc.lambda=" + lambda);
            ContinualRun.execute(config(all.toArray(String[]::new)), true, List.of(run));
            assertThat(branches.get(1 + i)).isEqualTo(run.trainings(1).get(0));
            JsonNode results = Golden.json(folder.resolve("out/results.json"));
            LambdaTrial trial = choice.trials().get(i == 0 ? 2 : 1);
            assertThat(trial.lambda()).isEqualTo(lambda);
            assertThat(trial.average().getAsDouble())
                    .isEqualTo(results.at("/metrics/train/average").asDouble());
            assertThat(trial.tokenLoss().get(1, 0).getAsDouble())
                    .isEqualTo(results.at("/loss/train/1/0").asDouble());
        }
    }

    @Test
    void theRunWithAutoIsTheRunWithTheNumber() throws IOException {
        Count auto = new Count();
        ContinualRun.execute(config("ewc.lambda=auto", "training.epochs=10"), false, List.of(auto));
        JsonNode results = Golden.json(folder.resolve("out/results.json"));
        JsonNode choice = results.path("lambda_choice");
        double lambda = results.path("lambda").asDouble();
        assertThat(choice.path("trials").size()).isEqualTo(6);
        assertThat(choice.at("/trials/" + choice.path("best").asInt() + "/lambda")
                        .asDouble())
                .isEqualTo(lambda);
        assertThat(lambda).isPositive();
        assertThat(auto.started).containsExactly(Double.NaN, lambda);
        assertThat(Files.readString(folder.resolve("out/report.html"))).contains("How λ was chosen");
        assertThat(RunConfigReader.read(folder.resolve("out/config.yaml")).ewc().lambda())
                .isEqualTo(lambda);
        Map<String, String> chosen = files("out");

        Files.move(folder.resolve("out"), folder.resolve("auto"));
        ContinualRun.execute(config("ewc.lambda=" + lambda, "training.epochs=10"), false, List.of());
        assertThat(files("out")).isEqualTo(chosen);
    }

    @Test
    void nobodyElseTakesTheOutputWhileLambdaIsChosen() {
        RunConfig config = config("ewc.lambda=auto", "output=new/out");
        RunListener failing = new RunListener() {
            @Override
            public void lambdaTried(LambdaTrial trial) {
                assertThatThrownBy(() -> ContinualRun.execute(config, true, List.of()))
                        .isInstanceOf(InvalidInputException.class)
                        .hasMessageContaining("is in use by another learner of this process");
                throw new IllegalStateException("enough");
            }
        };
        assertThatThrownBy(() -> ContinualRun.execute(config, false, List.of(failing)))
                .hasMessage("enough");
        assertThat(folder.resolve("new")).as("no run began").doesNotExist();
    }

    /** What must be the same of two runs: predictions, weights and Fisher to the byte, steps but for their time. */
    private Map<String, String> files(String run) throws IOException {
        Map<String, String> files = new java.util.TreeMap<>();
        try (Stream<Path> walk = Files.walk(folder.resolve(run))) {
            for (Path path : walk.filter(Files::isRegularFile).toList()) {
                String name = folder.resolve(run).relativize(path).toString();
                if (name.endsWith(".safetensors")
                        || name.equals("predictions.jsonl")
                        || name.endsWith("consolidation.json")) {
                    files.put(name, java.util.HexFormat.of().formatHex(Files.readAllBytes(path)));
                } else if (name.equals("steps.jsonl") || name.equals("config.yaml")) {
                    files.put(name, Files.readString(path).replaceAll("\"seconds\":[^,}]*", ""));
                }
            }
        }
        assertThat(files).hasSizeGreaterThan(6);
        return files;
    }

    @Test
    void autoLooksAtTheFirstTwoTasksAndNeverAtTestQuestions() throws IOException {
        TinyRun.tasksFile(folder, 3, 10);
        String test = "\"test\":\"";
        String spoiled = Files.readString(folder.resolve("tasks.jsonl")).replace(test, "\"other\":\"");
        Files.writeString(folder.resolve("train.jsonl"), spoiled);
        RunConfig config = config("tasks.file=train.jsonl", "ewc.lambda=auto");
        Count count = new Count();
        LambdaChoice choice = LambdaSweep.overFirstTasks(config, List.of(count), trial -> {});
        assertThat(choice.tasks()).containsExactly("red", "green");
        assertThat(count.steps).extracting(StepMetrics::task).containsOnly(0, 1);
        assertThatThrownBy(() -> ContinualRun.execute(config, false, List.of()))
                .as("the run itself asks test questions")
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("test");
    }

    @Test
    void validationQuestionsTakeThePlaceOfTheTrainingQuestions() throws IOException {
        StringBuilder rows = new StringBuilder();
        for (String task : List.of("red", "green")) {
            rows.append("{\"task\": \"").append(task).append("\", \"question\": \"x?\", \"answer\": \"Z\"}\n");
        }
        Files.writeString(folder.resolve("validation.jsonl"), rows);
        RunConfig config = config("tasks.validation_file=validation.jsonl");
        LambdaChoice choice = LambdaSweep.overAllTasks(config, List.of(100.0), List.of(), soFar -> {});
        assertThat(choice.questions()).isEqualTo("validation");
        double accuracy = choice.trials().get(1).accuracy().get(1, 0).getAsDouble();
        assertThat(accuracy).as("of one question").isIn(0.0, 100.0);
        Files.writeString(folder.resolve("validation.jsonl"), rows.substring(0, rows.indexOf("\n") + 1));
        assertThatThrownBy(() -> LambdaSweep.overAllTasks(config, List.of(100.0), List.of(), soFar -> {}))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage(
                        "task \"green\" has no validation questions, but others have; give each task some, or none");
    }

    @Test
    void whatCannotBeSweptIsRefused() throws IOException {
        assertThatThrownBy(() -> LambdaSweep.overAllTasks(
                        config("task_overrides={green: {lambda: 3}}"), List.of(), List.of(), soFar -> {}))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage(
                        "task_overrides.green.lambda: is given, so that no other λ can be tried there; leave it out to"
                                + " choose one");
        TinyRun.tasksFile(folder, 1, 10);
        assertThatThrownBy(() -> LambdaSweep.overAllTasks(config(), List.of(), List.of(), soFar -> {}))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage(
                        "there is one task only, \"red\", and λ acts from the second on; give at least two to choose a λ by");
    }

    /** What protects the checkpoint is taken in once, and each λ learns the first task under it. */
    @Test
    void aSweepUnderProtectedDataForksBeforeTheFirstTask() {
        String protect = "ewc.protect={data: tasks.jsonl, format: questions}";
        Count sweep = new Count();
        LambdaSweep.overAllTasks(config(protect), List.of(50.0), List.of(sweep), soFar -> {});
        assertThat(sweep.trainings(0)).hasSize(2);
        Count run = new Count();
        ContinualRun.execute(config(protect, "ewc.lambda=50"), false, List.of(run));
        assertThat(sweep.trainings(0).get(1)).isEqualTo(run.trainings(0).get(0));
        assertThat(sweep.trainings(1).get(1)).isEqualTo(run.trainings(1).get(0));
    }

    /** Text has no exact match. */
    @Test
    void textIsChosenForByItsTokenLoss() throws IOException {
        for (String name : List.of("a", "b")) {
            Files.writeString(folder.resolve(name + ".txt"), ("what " + name + " has to say. ").repeat(20));
        }
        LambdaChoice choice = LambdaSweep.overAllTasks(
                config("tasks=[{name: a, text: a.txt}, {name: b, text: b.txt}]"),
                List.of(10.0, 1e6),
                List.of(),
                soFar -> {});
        double least = choice.trials().stream()
                .mapToDouble(trial -> trial.averageTokenLoss().getAsDouble())
                .min()
                .getAsDouble();
        assertThat(choice.best().averageTokenLoss()).hasValue(least);
        assertThat(choice.best().average()).isEmpty();
    }

    /** A run without a test text scores rows of the text itself, which λ is not to be chosen by. */
    @Test
    void whatARunHoldsOutOfATextIsNotLearnedInASweep() throws IOException {
        for (String name : List.of("a", "b")) {
            Files.writeString(folder.resolve(name + ".txt"), ("what " + name + " has to say. ").repeat(20));
        }
        String[] texts = {
            "tasks=[{name: a, text: a.txt}, {name: b, text: b.txt}]",
            "text.test_share=0.4",
            "evaluation.splits=[train, test]",
            "ewc.lambda=10"
        };
        Count sweep = new Count();
        LambdaSweep.overAllTasks(config(texts), List.of(10.0), List.of(sweep), soFar -> {});
        Count run = new Count();
        ContinualRun.execute(config(texts), false, List.of(run));
        assertThat(firstTask(sweep)).isEqualTo(firstTask(run));
    }

    private static List<String> firstTask(Count count) {
        return count.steps.stream()
                .filter(step -> step.task() == 0)
                .map(Count::text)
                .toList();
    }

    @Test
    void zeroAloneIsNotTheDefaultGrid() {
        LambdaChoice choice = LambdaSweep.overAllTasks(config(), List.of(0.0), List.of(), soFar -> {});
        assertThat(choice.trials()).extracting(LambdaTrial::lambda).containsExactly(0.0);
    }

    @Test
    void theFisherPassOfSomeRowsEndsWithAllOfThese() {
        Count run = new Count();
        ContinualRun.execute(config("ewc.lambda=10", "ewc.fisher_max_examples=4"), false, List.of(run));
        assertThat(run.fisherPasses).containsExactly("red", "green");
    }

    /** Under a consolidation that was kept the first task is under a penalty already, so that each λ learns it anew. */
    @Test
    void aSweepUnderAKeptConsolidationForksBeforeTheFirstTask() {
        ContinualRun.execute(config("ewc.lambda=10", "output=before"), false, List.of());
        RunConfig under = config("ewc.from=before/task-00/consolidation", "ewc.from_other_parameters=true");
        Count sweep = new Count();
        LambdaSweep.overAllTasks(under, List.of(50.0), List.of(sweep), soFar -> {});
        assertThat(sweep.trainings(0)).hasSize(2);
        Count run = new Count();
        ContinualRun.execute(under.withEwc(under.ewc().withLambda(50)), false, List.of(run));
        assertThat(sweep.trainings(0).get(1)).isEqualTo(run.trainings(0).get(0));
        assertThat(sweep.trainings(1).get(1)).isEqualTo(run.trainings(1).get(0));
    }
}
