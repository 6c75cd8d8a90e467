package org.ewc4j.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.ewc4j.cli.CommandLineFixture.run;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.ewc4j.TinyRun;
import org.ewc4j.cli.CommandLineFixture.Result;
import org.ewc4j.config.RunConfigReader;
import org.ewc4j.tensor.SafetensorsFile;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Runs that cannot be ended: a loss that is not finite, a full disk, a kill. What they leave is whole. */
class BrokenRunTest {
    private static final JsonMapper JSON = JsonMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    @TempDir
    Path folder;

    private Path configuration;
    private Path out;

    @BeforeEach
    void write() throws IOException {
        folder = folder.toRealPath();
        configuration = TinyRun.configuration(folder, "llama");
        out = folder.resolve("out");
    }

    /** One line for the failure, naming what is expected, and one for the place of the trace, which is removed. */
    private static void assertFailed(Result result, String... expected) throws IOException {
        assertThat(result.code()).as(result.err()).isEqualTo(1);
        List<String> lines = result.err()
                .lines()
                .dropWhile(line -> !line.startsWith("ewc4j: "))
                .toList();
        assertThat(lines).as(result.err()).hasSize(2);
        assertThat(lines.get(0)).contains(expected).doesNotContain("Exception");
        Files.delete(Path.of(
                lines.get(1).substring("Trace in ".length(), lines.get(1).indexOf(" ("))));
    }

    /** Whatever has a name of its own is whole. */
    private static void assertWhole(Path out) throws IOException {
        try (Stream<Path> files = Files.walk(out)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                String name = file.getFileName().toString();
                if (name.startsWith(".")) {
                    assertThat(name).as("hidden files are temporary").matches(".*\\.(tmp|partial)|\\.lock");
                } else if (name.endsWith(".jsonl")) {
                    String text = Files.readString(file);
                    assertThat(text.isEmpty() || text.endsWith("\n")).as(name).isTrue();
                    for (String line : text.lines().toList()) {
                        assertThat(JSON.readTree(line).isObject()).as(line).isTrue();
                    }
                } else if (name.endsWith(".json")) {
                    assertThat(JSON.readTree(file.toFile()).isObject()).as(name).isTrue();
                } else if (name.endsWith(".safetensors")) {
                    SafetensorsFile.open(file).close();
                } else if (name.equals("report.html")) {
                    assertThat(Files.readString(file).strip()).endsWith("</html>");
                } else {
                    assertThat(name).isEqualTo("config.yaml");
                    RunConfigReader.read(file);
                }
            }
        }
    }

    private static void assertNothingTemporary(Path out) throws IOException {
        try (Stream<Path> files = Files.walk(out)) {
            assertThat(files.filter(file -> file.getFileName().toString().startsWith(".")))
                    .isEmpty();
        }
    }

    @ParameterizedTest
    @CsvSource({
        "task_overrides.green.learning_rate=1e30, task 'green'",
        "task_overrides.green.lambda=1e300, task 'green'",
    })
    void aLossThatIsNotFiniteStopsTheRunAtOnce(String setting, String expected) throws IOException {
        Result result = run("train", configuration, "--set", setting, "--set", "save.keep=all");

        assertFailed(result, expected, "epoch ", "step ", "training rows [", "what was saved before stands");
        assertWhole(out);
        assertNothingTemporary(out);
        assertThat(out.resolve("task-00/consolidation/fisher.safetensors")).exists();
        assertThat(out.resolve("task-00/model/model.safetensors")).exists();
        assertThat(out.resolve("task-01")).doesNotExist();
        assertThat(out.resolve("model")).doesNotExist();
        List<String> steps = Files.readAllLines(out.resolve("steps.jsonl"));
        int named = Integer.parseInt(result.err().replaceAll("(?s).*, step (\\d+):.*", "$1"));
        assertThat(steps).hasSize(named).hasSizeGreaterThan(6);
        JsonNode last = JSON.readTree(steps.get(named - 1));
        assertThat(last.get("step").asInt()).isEqualTo(named - 1);
        assertThat(last.get("lm_loss").isNumber()).isTrue();
        JsonNode results = JSON.readTree(out.resolve("results.json").toFile());
        assertThat(results.at("/matrix/train/0/0").isNumber()).isTrue();
        assertThat(results.at("/matrix/train/1/0").isNull()).isTrue();
        assertThat(run("report", out).code()).as("the run can be looked at").isZero();
    }

    @ParameterizedTest
    @CsvSource({"1000, batch, Fisher", "0, batch, evaluation", "1e-3, uniform, evaluation"})
    void parametersLostInATasksLastStepAreNoticedToo(String lambda, String fisher, String expected) throws IOException {
        TinyRun.configuration(folder, "gpt2");
        Result result = run(
                "train",
                configuration,
                "--set",
                "task_overrides.green={learning_rate: 1e38, max_steps: 1}",
                "--set",
                "ewc={lambda: " + lambda + ", fisher: " + fisher + "}");

        assertFailed(result, "task '", expected);
        assertWhole(out);
        assertThat(out.resolve("model")).doesNotExist();
    }

    @ParameterizedTest
    @ValueSource(strings = {"0k", "4k", "8k", "20k", "60k", "100k", "140k", "200k"})
    void aFullDiskIsNamedAndLeavesNoHalfFile(String size) throws Exception {
        Path disk = Files.createDirectory(folder.resolve("disk"));
        String bytes = size.equals("0k") ? "nr_blocks=1" : "size=" + size;
        Process mount = new ProcessBuilder("mount", "-t", "tmpfs", "-o", bytes, "ewc4j-test", disk.toString())
                .redirectErrorStream(true)
                .start();
        String answer = new String(mount.getInputStream().readAllBytes());
        Assumptions.assumeTrue(mount.waitFor() == 0, "cannot mount a small disk here: " + answer);
        try {
            Result result = run("train", configuration, "--set", "save.keep=all", "--output", disk.resolve("run"));

            assertFailed(result, disk.resolve("run").toString(), "cannot be written", "No space left");
            assertWhole(disk);
            assertNothingTemporary(disk);
        } finally {
            new ProcessBuilder("umount", disk.toString()).start().waitFor();
        }
    }

    @ParameterizedTest
    @CsvSource({"1000, task-00/consolidation/fisher.safetensors", "0, model/model.safetensors"})
    void aFileThatMayNotGrowIsNamed(String lambda, String file) throws Exception {
        // A shell's limit on the size of a file, in KiB: what a quota does.
        Process process = CommandLineFixture.start(
                        folder,
                        List.of("bash", "-c", "ulimit -f 34; exec \"$@\"", "limited"),
                        "train",
                        configuration,
                        "--set",
                        "ewc.lambda=" + lambda,
                        "--set",
                        "evaluation.every_task=false",
                        "--set",
                        "evaluation.splits=[train]")
                .start();
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();

        assertFailed(
                new Result(process.exitValue(), "", Files.readString(folder.resolve("stderr.txt"))),
                out.resolve(file).toString(),
                "cannot be written",
                "File too large");
        assertWhole(out);
        assertThat(out.resolve(file)).doesNotExist();
        assertThat(Files.readAllLines(out.resolve("steps.jsonl"))).isNotEmpty();
    }

    @Test
    void aKilledRunLeavesNoHalfFile() throws Exception {
        TinyRun.tasksFile(folder, 4, 10);
        for (int i = 0; i < 4; i++) {
            Process process = CommandLineFixture.start(
                            folder,
                            List.of(),
                            "train",
                            configuration,
                            "--overwrite",
                            "--set",
                            "save.keep=all",
                            "--set",
                            "training.epochs=1")
                    .start();
            // The first kill comes as early as there is something, the others while models and results are written.
            long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
            Path sign = out.resolve(i == 0 ? ".steps.jsonl.partial" : "task-0" + (i - 1) + "/consolidation");
            while (!Files.exists(sign) && process.isAlive() && System.nanoTime() < deadline) {
                Thread.sleep(1);
            }
            Thread.sleep(7L * i);
            process.destroyForcibly().waitFor();

            assertThat(out).as(Files.readString(folder.resolve("stderr.txt"))).exists();
            assertWhole(out);
        }
        // What is left can be replaced by a run.
        assertThat(run("train", configuration, "--overwrite").code()).isZero();
        assertNothingTemporary(out);
    }
}
