package org.ewc4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.ewc4j.ContinualRun;
import org.ewc4j.bench.BenchOptions;
import org.ewc4j.bench.StateResult;
import org.ewc4j.config.EvaluationConfig.Split;
import org.ewc4j.config.RunConfig;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.RunFailedException;
import org.ewc4j.eval.Prediction;
import org.ewc4j.eval.TaskScore;
import org.ewc4j.report.RunListener;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MainTest {
    private final ByteArrayOutputStream outBytes = new ByteArrayOutputStream();
    private final ByteArrayOutputStream errBytes = new ByteArrayOutputStream();
    private final Recorded engine = new Recorded();

    /** Stands where the models are: the commands are under test here, not the learning. */
    private static final class Recorded extends Engine {
        Throwable failure;
        final List<Object> asked = new ArrayList<>();

        @Override
        RunConfig read(Path configuration, List<String> settings, Optional<Path> output) {
            asked.addAll(List.of(configuration, settings, output));
            fail();
            return null;
        }

        @Override
        String validate(RunConfig configuration) {
            return "everything is fine\n";
        }

        @Override
        List<TaskScore> evaluate(Path model, Path tasks, List<String> settings, RunListener progress) {
            asked.addAll(List.of(model, tasks, settings));
            Prediction wrong = new Prediction(0, 0, "capitals", Split.TEST, "Peru?", "Lima", "Quito\u001b[2J", false);
            return List.of(new TaskScore(0, 0, "capitals", Split.TEST, 50, 1.25, List.of(wrong, wrong)));
        }

        @Override
        String generate(Path model, String prompt, OptionalInt maxNewTokens) {
            asked.addAll(List.of(model, prompt, maxNewTokens));
            return ", there was";
        }

        @Override
        ContinualRun.Outcome train(
                RunConfig configuration, ContinualRun.Existing existing, List<RunListener> listeners) {
            throw new InvalidInputException("nothing is trained here");
        }

        @Override
        StateResult benchStates(BenchOptions options) {
            asked.addAll(List.of("states", options.shape(), options.rounds()));
            throw new InvalidInputException("nothing is timed here");
        }

        @Override
        void showRanges() {
            asked.add("ranges");
        }

        @Override
        void profileSteps(RunConfig configuration, long first, long last) {
            asked.add(List.of(first, last));
        }

        @Override
        void endProfiling() {
            asked.add("end");
        }

        @Override
        String nativeLibrary() {
            fail();
            return "libewc 1";
        }

        @Override
        String cudaLibraries() {
            return "complete: 16 in /cuda";
        }

        @Override
        String libtorch() {
            fail();
            return "CPU build";
        }

        private void fail() {
            if (failure instanceof Error error) {
                throw error;
            } else if (failure != null) {
                throw (RuntimeException) failure;
            }
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "train ",
                "validate ",
                "evaluate ",
                "generate ",
                "report ",
                "fisher ",
                "fisher inspect ",
                "fisher merge ",
                "fisher estimate ",
                "bench ",
                "doctor ",
                "completion "
            })
    void everyCommandHasHelp(String command) {
        assertThat(run((command + "--help").split(" "))).isZero();
        assertThat(out()).contains("Usage: ewc4j " + command.strip()).doesNotContain("\u001b");
        assertThat(err()).isEmpty();
    }

    @Test
    void helpListsCommandsExamplesAndExitCodes() {
        run("--help");

        assertThat(out())
                .contains("train", "validate", "evaluate", "generate", "report", "doctor", "Examples:", "Exit codes");
    }

    @Test
    void versionNamesTheLibrariesToo() {
        assertThat(run("--version")).isZero();
        assertThat(out()).contains("ewc4j ", "pytorch 2.", "javacpp 1.");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "tran",
                "train",
                "train a b",
                "train --ovrwrite a",
                "generate model",
                "report",
                "generate m p --max-new-tokens x"
            })
    void mistakesInTheArgumentsAreExitCodeTwo(String line) {
        assertThat(run(line.isEmpty() ? new String[0] : line.split(" "))).isEqualTo(2);
        assertThat(out()).isEmpty();
        assertThat(err()).startsWith("ewc4j: ").contains("--help'.").doesNotContain("\tat ");
    }

    @Test
    void aBenchmarkOfStatesIsOneOfItsOwn() {
        assertThat(run("bench", "--states", "--shape", "gpt2", "--repeat", "3")).isEqualTo(2);
        assertThat(engine.asked).isEqualTo(List.of("states", "gpt2", 3));
        assertThat(err()).contains("nothing is timed here");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"--device gpu", "--precision fp8", "--batch 0", "--length 1", "--length 8 --questions a.yaml"})
    void aBenchmarkThatCannotBeTakenIsRefused(String arguments) {
        assertThat(run(("bench " + arguments).split(" "))).isEqualTo(2);
        assertThat(err()).startsWith("ewc4j: ").contains(arguments.split(" ")[0]);
    }

    @Test
    void theNearestOptionIsNamed() {
        run("train", "--ovrwrite", "a");

        assertThat(err())
                .contains("Unknown option: '--ovrwrite'", "Did you mean --overwrite?", "Try 'ewc4j train --help'.");
    }

    @Test
    void aMistakeInTheInputIsOneLineAndExitCodeTwo() {
        engine.failure = new InvalidInputException("a.yaml: ewc.lambda: expected a number ≥ 0, got -1");

        assertThat(run("train", "a.yaml")).isEqualTo(2);
        assertThat(err()).isEqualTo("ewc4j: a.yaml: ewc.lambda: expected a number ≥ 0, got -1\n");
    }

    @Test
    void aFailureIsOneLineThePlaceOfItsTraceAndExitCodeOne() throws Exception {
        engine.failure = new RunFailedException("loss is NaN in task capitals, step 3");

        assertThat(run("train", "a.yaml")).isEqualTo(1);
        List<String> lines = err().lines().toList();
        assertThat(lines.get(0)).isEqualTo("ewc4j: loss is NaN in task capitals, step 3");
        assertThat(lines).hasSize(2);
        Path trace = Path.of(
                lines.get(1).substring("Trace in ".length(), lines.get(1).indexOf(" (")));
        assertThat(Files.readString(trace)).contains("RunFailedException", "\tat ");
        Files.delete(trace);
    }

    @Test
    void verboseShowsTheTrace() {
        engine.failure = new IllegalStateException("a bug\nof two lines");

        assertThat(run("train", "a.yaml", "--verbose")).isEqualTo(1);
        assertThat(err())
                .startsWith("ewc4j: java.lang.IllegalStateException: a bug of two lines\n")
                .contains("\tat ");
    }

    @Test
    void anErrorOfTheVirtualMachineIsAFailureToo() {
        engine.failure = new OutOfMemoryError("Java heap space");

        assertThat(run("train", "--verbose", "a.yaml")).isEqualTo(1);
        assertThat(err()).startsWith("ewc4j: java.lang.OutOfMemoryError: Java heap space\n");
    }

    @Test
    void validateHandsOnWhatIsPutOverTheFile() {
        int code = run(
                "validate",
                "a.yaml",
                "--set",
                "ewc.lambda=0",
                "--set",
                "prompt=Q: {question}, A:",
                "--output",
                "runs/x");

        assertThat(code).isZero();
        assertThat(engine.asked)
                .containsExactly(
                        Path.of("a.yaml"),
                        List.of("ewc.lambda=0", "prompt=Q: {question}, A:"),
                        Optional.of(Path.of("runs/x")));
        assertThat(out()).isEqualTo("everything is fine\n");
    }

    @Test
    void evaluatePrintsATableAndTheWrongAnswers() {
        int code = run("evaluate", "m", "t.jsonl", "--question-field", "q", "--max-new-tokens", "5", "--wrong", "1");

        assertThat(code).isZero();
        assertThat(engine.asked)
                .containsExactly(
                        Path.of("m"),
                        Path.of("t.jsonl"),
                        List.of("evaluation.max_new_tokens=5", "tasks.question_field=q"));
        assertThat(out())
                .containsPattern("capitals +test +50\\.0 +1\\.2500 +2")
                .containsOnlyOnce("expected Lima, generated Quito\\u001b[2J"); // nothing that a terminal obeys
    }

    @Test
    void aProfilersRangesAndStepsEndWithTheRunThatFails() {
        run("train", "a.yaml", "--nvtx");
        assertThat(engine.asked).endsWith("ranges", "end");

        run("train", "a.yaml", "--profile-steps", "20:29");
        assertThat(engine.asked).endsWith(List.of(20L, 29L), "end");
    }

    @ParameterizedTest
    @ValueSource(strings = {"5", "5:", "9:5", "-1:5", "a:b", "5:99999999999999999999"})
    void stepsToProfileAreTwoStepsInOrder(String steps) {
        assertThat(run("train", "a.yaml", "--profile-steps=" + steps)).isEqualTo(2);
        assertThat(err())
                .isEqualTo("ewc4j: --profile-steps " + steps
                        + ": expected the first and the last step, as 20:29, counted from 0 as in steps.jsonl\n");
        assertThat(engine.asked).doesNotContain("end");
    }

    @Test
    void generatePrintsPromptAndContinuation() {
        assertThat(run("generate", "m", "Once upon a time", "--max-new-tokens", "3"))
                .isZero();
        assertThat(out()).isEqualTo("Once upon a time, there was\n");
        assertThat(engine.asked).contains(OptionalInt.of(3));
        assertThat(run("generate", "m", "p", "--max-new-tokens", "0")).isEqualTo(2);
    }

    @Test
    void generateCanPrintTheContinuationAlone() {
        run("generate", "--only-new", "m", "Once");

        assertThat(out()).isEqualTo(", there was\n");
    }

    @Test
    void doctorSaysWhatIsThere() {
        assertThat(run("doctor")).isZero();
        assertThat(out())
                .contains(
                        "ewc4j ",
                        "pytorch ",
                        "tokenizers ",
                        "processor ",
                        "features ",
                        "physical cores",
                        "GiB",
                        "libewc 1",
                        "complete: 16 in /cuda",
                        "CPU build",
                        "GPU ");
    }

    @Test
    void doctorFailsWhereTheNativeLibraryDoes() {
        engine.failure = new UnsatisfiedLinkError("libewc.so: no such file");

        assertThat(run("doctor")).isEqualTo(1);
        assertThat(out()).contains("BROKEN: libewc.so: no such file", "GPU ");
    }

    @Test
    void completionIsABashScript() {
        assertThat(run("completion")).isZero();
        assertThat(out()).startsWith("#!/usr/bin/env bash").contains("--overwrite", "complete -F");
    }

    @Test
    void reportOfSomethingElseIsAMistake(@TempDir Path folder) {
        assertThat(run("report", folder.toString())).isEqualTo(2);
        assertThat(err()).contains("no results.json");
        assertThat(run(
                        "report",
                        folder.toString(),
                        "-o",
                        folder.resolve("none/page.html").toString()))
                .isEqualTo(2);
    }

    @Test
    void gpusAreNamedOrTheReasonIsGiven(@TempDir Path devices) throws Exception {
        assertThat(MachineFacts.gpus(devices)).singleElement().asString().contains("no NVIDIA device");
        Files.createFile(devices.resolve("nvidiactl"));
        assertThat(MachineFacts.gpus(devices)).singleElement().asString().contains("no NVIDIA device");
        assertThat(MachineFacts.gpus(devices.resolve("none")))
                .singleElement()
                .asString()
                .contains("cannot be read");
    }

    @Test
    void coresAreCountedBySocketAndFeaturesByName() {
        List<String> cpu = List.of(
                "processor\t: 0",
                "model name\t: Fast CPU",
                "physical id\t: 0",
                "core id\t: 0",
                "flags\t: fpu avx2 fma",
                "processor\t: 1",
                "physical id\t: 0",
                "core id\t: 0",
                "processor\t: 2",
                "physical id\t: 1",
                "core id\t: 0");
        MachineFacts facts =
                new MachineFacts(cpu, List.of("MemTotal:       16777216 kB", "MemAvailable:    8388608 kB"));

        assertThat(facts.model()).isEqualTo("Fast CPU");
        assertThat(facts.features()).isEqualTo("avx2 fma");
        assertThat(facts.cores()).startsWith("2 physical cores, 3 threads");
        assertThat(facts.memory()).isEqualTo("16.0 GiB, 8.0 GiB available");
        assertThat(new MachineFacts(List.of(), List.of()).features()).isEqualTo("unknown");
    }

    private int run(String... arguments) {
        outBytes.reset();
        errBytes.reset();
        PrintStream out = new PrintStream(outBytes, true, StandardCharsets.UTF_8);
        PrintStream err = new PrintStream(errBytes, true, StandardCharsets.UTF_8);
        return Main.run(arguments, new Console(out, err, false), engine);
    }

    private String out() {
        return outBytes.toString(StandardCharsets.UTF_8);
    }

    private String err() {
        return errBytes.toString(StandardCharsets.UTF_8);
    }
}
