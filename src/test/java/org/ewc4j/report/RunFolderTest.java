package org.ewc4j.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.RunFailedException;
import org.ewc4j.train.StepMetrics;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.yaml.snakeyaml.Yaml;

class RunFolderTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir
    Path temp;

    @Test
    void aRunLeavesItsFilesAndNothingElse() throws IOException {
        Path folder = run("a");

        assertThat(names(folder))
                .containsExactlyInAnyOrder(
                        "config.yaml", "steps.jsonl", "predictions.jsonl", "results.json", "report.html");
    }

    @Test
    void stepsHaveTheKeysInOrderAndEveryStepIsThere() throws IOException {
        List<String> rows = Files.readAllLines(run("a").resolve("steps.jsonl"));

        assertThat(rows).hasSize(12);
        List<String> keys = new ArrayList<>();
        JSON.readTree(rows.get(5)).fieldNames().forEachRemaining(keys::add);
        assertThat(keys)
                .containsExactly(
                        "task",
                        "epoch",
                        "task_name",
                        "step",
                        "lm_loss",
                        "penalty",
                        "loss",
                        "grad_norm",
                        "penalty_grad_norm",
                        "penalty_grad_ratio",
                        "lambda",
                        "learning_rate",
                        "tokens",
                        "seconds");
        assertThat(JSON.readTree(rows.get(5)).get("step").asLong()).isEqualTo(5);
        assertThat(JSON.readTree(rows.get(5)).get("task_name").asText()).isEqualTo("elements");
    }

    @Test
    void numbersReadBackAsTheSameDoubles() throws IOException {
        double[] losses = {Math.PI, 1.0 / 3, 2e-3, 1e-5, 5.0E-324, 2.0e23, 1.7976931348623157E308, 5.684341886080802E-14
        };
        Path folder = temp.resolve("doubles");
        try (RunFolder run = RunFolder.create(folder, false, SampleRun.CONFIGURATION, 7)) {
            SampleRun.small().start(run);
            for (int k = 0; k < losses.length; k++) {
                run.step(new StepMetrics(0, "capitals", 0, k, losses[k], 0, losses[k], 1, 0, 0, 1e-5, 10, 0.1));
            }
        }

        List<String> rows = Files.readAllLines(folder.resolve("steps.jsonl"));
        for (int k = 0; k < losses.length; k++) {
            assertThat(JSON.readTree(rows.get(k)).get("lm_loss").asDouble()).isEqualTo(losses[k]);
        }
        assertThat(rows.get(7)).as("shortest, on JDK 17 too").contains("\"lm_loss\":5.684341886080802E-14");
    }

    @Test
    void numbersThatAreNotFiniteAreNull() throws IOException {
        Path folder = temp.resolve("nan");
        try (RunFolder run = RunFolder.create(folder, false, SampleRun.CONFIGURATION, 7)) {
            SampleRun.small().start(run);
            double infinite = Double.POSITIVE_INFINITY;
            run.step(new StepMetrics(0, "capitals", 0, 0, Double.NaN, 0, Double.NaN, infinite, 0, 0, 1e-5, 10, 0.1));
        }

        String text = Files.readString(folder.resolve("steps.jsonl"));
        assertThat(text).contains("\"lm_loss\":null", "\"grad_norm\":null").doesNotContain("NaN", "Infinity");
    }

    @Test
    void resultsHaveTheMatricesAndTheMetrics() throws IOException {
        JsonNode results = JSON.readTree(run("a").resolve("results.json").toFile());

        assertThat(results.get("tasks")).hasToString("[\"capitals\",\"elements\",\"languages\"]");
        assertThat(results.at("/matrix/train")).hasToString("[[100.0,null,null],[50.0,100.0,null],[30.0,50.0,100.0]]");
        assertThat(results.at("/loss/test/0/0").asDouble()).isEqualTo(2.0);
        assertThat(results.at("/loss/test/0/1").isNull()).isTrue();
        assertThat(results.at("/metrics/train/average").asDouble()).isEqualTo(60.0);
        assertThat(results.at("/metrics/train/average_incremental").asDouble()).isEqualTo((100 + 75 + 60) / 3.0);
        assertThat(results.at("/metrics/train/forgetting").asDouble()).isEqualTo((70 + 50) / 2.0);
        assertThat(results.at("/metrics/train/backward_transfer").asDouble()).isEqualTo(-60.0);
        assertThat(results.at("/metrics/test").size()).isEqualTo(4);
        assertThat(results.get("seconds")).hasToString("{\"train\":12.5,\"fisher\":1.25,\"evaluate\":3.0}");
        assertThat(results.get("parameters").asLong()).isEqualTo(1_234_567);
        assertThat(results.get("lambda").asDouble()).isEqualTo(5000.0);
    }

    @Test
    void predictionsAreThereForEachEvaluation() throws IOException {
        List<String> rows = Files.readAllLines(run("a").resolve("predictions.jsonl"));

        assertThat(rows).hasSize(10 * 2 * (1 + 2 + 3));
        assertThat(rows.get(0))
                .isEqualTo("{\"after_task\":0,\"task\":0,\"task_name\":\"capitals\",\"split\":\"train\",\"question\":"
                        + "\"What is <b>number 0</b> of capitals?\",\"expected\":\"answer 0\",\"generated\":\"Answer 0\","
                        + "\"correct\":true}");
    }

    @Test
    void configurationReadsAsOneAgainAndNamesVersionsAndSeed() throws IOException {
        String text = Files.readString(run("a").resolve("config.yaml"));

        assertThat(text).contains("# seed 7", "pytorch 2.", "java " + Runtime.version());
        assertThat(new Yaml().<Object>load(text)).isEqualTo(new Yaml().<Object>load(SampleRun.CONFIGURATION));
    }

    @Test
    void theSameRunLeavesTheSameBytes() throws IOException {
        Path a = run("one/run");
        Path b = run("two/run");

        for (String name : names(a)) {
            assertThat(b.resolve(name)).hasSameBinaryContentAs(a.resolve(name));
        }
    }

    @Test
    void finishedTasksAreVisibleWhileTheNextOneRuns() throws IOException {
        Path folder = temp.resolve("running");
        SampleRun sample = SampleRun.small();
        try (RunFolder run = RunFolder.create(folder, false, SampleRun.CONFIGURATION, 7)) {
            sample.start(run);
            sample.task(run, 0);
            sample.steps(run, 1);

            assertThat(Files.readAllLines(folder.resolve("steps.jsonl"))).hasSize(4);
            JsonNode results = JSON.readTree(folder.resolve("results.json").toFile());
            assertThat(results.at("/matrix/train/0/0").asDouble()).isEqualTo(100.0);
            assertThat(results.at("/metrics/train/average").isNull()).isTrue();
            assertThat(results.at("/seconds/train").isNull()).isTrue();
            assertThat(folder.resolve("report.html")).exists();
        }
        assertThat(Files.readAllLines(folder.resolve("steps.jsonl")))
                .as("published when closed")
                .hasSize(8);
        assertThat(names(folder)).noneMatch(name -> name.startsWith("."));
    }

    @Test
    void writingFailsAsAFailedRunThatNamesTheFile() throws IOException {
        Path folder = temp.resolve("full");
        SampleRun sample = SampleRun.small();
        try (RunFolder run = RunFolder.create(folder, false, SampleRun.CONFIGURATION, 7)) {
            sample.start(run);
            // A folder in its place makes the rename fail as a full disk would make the write fail.
            Files.createDirectories(folder.resolve("results.json/blocked"));
            assertThatThrownBy(() -> sample.task(run, 0))
                    .isInstanceOf(RunFailedException.class)
                    .hasMessageContaining("results.json");
            Files.delete(folder.resolve("results.json/blocked"));
            Files.delete(folder.resolve("results.json"));
        }
        assertThat(names(folder)).noneMatch(name -> name.startsWith("."));
    }

    @Test
    void anUnpairedSurrogateDoesNotEndTheRun() throws IOException {
        Path folder = temp.resolve("surrogate");
        try (RunFolder run = RunFolder.create(folder, false, SampleRun.CONFIGURATION, 7)) {
            new SampleRun(List.of("odd \ud800 name"), 1, 1).feed(run);
        }

        assertThat(Files.readAllLines(folder.resolve("predictions.jsonl"))).hasSize(20);
    }

    @Test
    void placesOfCheckpoints() {
        try (RunFolder run = RunFolder.create(temp.resolve("p"), false, SampleRun.CONFIGURATION, 7)) {
            assertThat(run.model()).isEqualTo(temp.resolve("p/model"));
            assertThat(run.taskModel(3)).isEqualTo(temp.resolve("p/task-03/model"));
            assertThat(run.consolidation(12)).isEqualTo(temp.resolve("p/task-12/consolidation"));
        }
    }

    @Test
    void aFolderThatIsNotEmptyIsRefused() throws IOException {
        Path folder = run("a");
        byte[] before = Files.readAllBytes(folder.resolve("results.json"));

        assertThatThrownBy(() -> RunFolder.create(folder, false, SampleRun.CONFIGURATION, 7))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("not empty")
                .hasMessageContaining("--overwrite");
        assertThat(Files.readAllBytes(folder.resolve("results.json"))).isEqualTo(before);
    }

    @Test
    void overwriteReplacesARunWithItsCheckpoints() throws IOException {
        Path folder = run("a");
        for (String file : List.of(
                "model/model.safetensors",
                "model/config.json",
                "model/tokenizer.json",
                "task-00/consolidation/fisher.safetensors",
                "task-00/model/model-00001-of-00002.safetensors",
                ".steps.jsonl.partial",
                ".ewc4j-1234567890.map",
                "model/.model.safetensors.tmp")) {
            Files.createDirectories(folder.resolve(file).getParent());
            Files.writeString(folder.resolve(file), "old");
        }

        RunFolder.check(folder, true);
        assertThat(folder.resolve("model/model.safetensors"))
                .as("a check changes nothing")
                .exists();
        RunFolder.create(folder, true, SampleRun.CONFIGURATION, 7).close();

        assertThat(names(folder)).containsExactlyInAnyOrder("config.yaml", "steps.jsonl", "predictions.jsonl");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "notes.txt",
                "model/notes.txt",
                "task-00/thesis.tex",
                "other/x",
                ".hidden",
                "model/model.safetensors/x"
            })
    void overwriteLeavesAFolderWithAForeignFileAlone(String foreign) throws IOException {
        Path folder = run("a");
        Files.createDirectories(folder.resolve(foreign).getParent());
        Files.writeString(folder.resolve(foreign), "mine");

        assertThatThrownBy(() -> RunFolder.create(folder, true, SampleRun.CONFIGURATION, 7))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("no ewc4j run made");
        assertThat(folder.resolve(foreign)).hasContent("mine");
        assertThat(folder.resolve("results.json")).exists();
    }

    @Test
    void overwriteFollowsNoLinkOutOfTheFolder() throws IOException {
        Path folder = run("a");
        Path outside = Files.createDirectories(temp.resolve("outside"));
        Files.writeString(outside.resolve("config.json"), "mine");
        Files.createSymbolicLink(folder.resolve("model"), outside);

        assertThatThrownBy(() -> RunFolder.check(folder, true)).isInstanceOf(InvalidInputException.class);
        assertThat(outside.resolve("config.json")).exists();
    }

    @Test
    void overwriteLeavesAFolderThatIsNoRunAlone() throws IOException {
        Path folder = Files.createDirectories(temp.resolve("config only"));
        Files.writeString(folder.resolve("config.yaml"), "# ewc4j example of mine\nmodel: x\n");

        assertThatThrownBy(() -> RunFolder.check(folder, true))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("not an ewc4j run");
    }

    @Test
    void anOutputThatIsAFileOrCannotBeWrittenIsRefused() throws IOException {
        Path file = Files.writeString(temp.resolve("file"), "x");

        assertThatThrownBy(() -> RunFolder.check(file, true))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("is a file");
        assertThatThrownBy(() -> RunFolder.check(file.resolve("below"), false))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("cannot be written");
        assertThatThrownBy(() -> RunFolder.check(Path.of("/proc/ewc4j-run"), false))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("cannot be written");
    }

    @Test
    void checkingAFolderThatIsNotThereMakesNothing() throws IOException {
        RunFolder.check(temp.resolve("new/deep"), false);

        assertThat(names(temp)).isEmpty();
    }

    private Path run(String name) {
        Path folder = temp.resolve(name);
        try (RunFolder run = RunFolder.create(folder, false, SampleRun.CONFIGURATION, 7)) {
            SampleRun.small().feed(run);
        }
        return folder;
    }

    private static List<String> names(Path folder) throws IOException {
        try (Stream<Path> entries = Files.list(folder)) {
            return entries.map(entry -> entry.getFileName().toString()).sorted().toList();
        }
    }
}
