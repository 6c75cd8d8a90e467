package org.ewc4j.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.ewc4j.cli.CommandLineFixture.run;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.ewc4j.RunBytes;
import org.ewc4j.TinyRun;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Processes that are stopped from outside, at any instant, and what another makes of what they left. */
class StoppedProcessTest {
    @TempDir
    Path folder;

    private Path configuration;
    private Path out;

    @BeforeEach
    void write() throws IOException {
        folder = folder.toRealPath();
        configuration = TinyRun.configuration(folder, "gpt2");
        TinyRun.model(folder.resolve("model"), "gpt2", config -> config.put("resid_pdrop", 0.1));
        TinyRun.tasksFile(folder, 3, 12);
        out = folder.resolve("out");
    }

    private Process start(Object... more) throws IOException {
        return startCommand("train", more);
    }

    private Process startCommand(String command, Object... more) throws IOException {
        List<Object> arguments = new ArrayList<>(List.of(command, configuration));
        arguments.addAll(List.of(more));
        // A build in the background ignores SIGINT, and so would the child.
        return CommandLineFixture.start(folder, List.of("env", "--default-signal=INT"), arguments.toArray())
                .start();
    }

    private String err() throws IOException {
        return Files.readString(folder.resolve("stderr.txt"));
    }

    /** Waits until the process has begun to learn. */
    private void awaitBegin(Process process) throws Exception {
        await(process, " parameters, ");
    }

    /** Waits until it has said something. */
    private void await(Process process, String said) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
        while (!err().contains(said) && process.isAlive()) {
            assertThat(System.nanoTime()).as("a minute passed: %s", err()).isLessThan(deadline);
            Thread.sleep(2);
        }
    }

    private static void signal(Process process, String name) throws Exception {
        new ProcessBuilder("kill", "-" + name, Long.toString(process.pid()))
                .start()
                .waitFor();
    }

    private void assertNoCrash() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            assertThat(files.map(file -> file.getFileName().toString())).noneMatch(name -> name.startsWith("hs_err"));
        }
    }

    @ParameterizedTest
    @CsvSource({"TERM, 143", "INT, 130"})
    void aSignalSavesAndSaysHowToGoOn(String signal, int code) throws Exception {
        Process process = start("--set", "training.epochs=200", "--output", out);
        awaitBegin(process);
        signal(process, signal);
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();

        assertThat(process.exitValue()).as(err()).isEqualTo(code);
        List<String> lines = err().lines().toList();
        assertThat(lines.get(lines.size() - 2)).contains("stopped", "all is saved");
        assertThat(lines.get(lines.size() - 1))
                .isEqualTo(
                        "  ewc4j train " + configuration + " --set training.epochs=200 --output " + out + " --resume");
        assertThat(out.resolve("checkpoints")).isDirectory();
        assertThat(out.resolve(".lock")).doesNotExist();
        assertNoCrash();
        assertThat(run("train", configuration, "--set", "training.epochs=2", "--output", out, "--resume")
                        .err())
                .contains("training.epochs: 200 → 2");
    }

    /** The checkpoints that lie there then are of the run that was to be replaced. */
    @Test
    void aSignalBeforeARunIsReplacedNamesTheWayToReplaceIt() throws Exception {
        Process old = start("--set", "training.epochs=200", "--output", out);
        awaitBegin(old);
        signal(old, "TERM");
        assertThat(old.waitFor(60, TimeUnit.SECONDS)).isTrue();
        Process process =
                start("--overwrite", "--set", "training.epochs=200", "--set", "ewc.lambda=auto", "--output", out);
        awaitBegin(process); // of what is tried to choose λ by
        signal(process, "INT");
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();

        assertThat(process.exitValue()).as(err()).isEqualTo(130);
        List<String> lines = err().lines().toList();
        assertThat(lines.get(lines.size() - 2)).contains("before there was anything to save");
        assertThat(lines.get(lines.size() - 1))
                .isEqualTo("  ewc4j train " + configuration
                        + " --overwrite --set training.epochs=200 --set ewc.lambda=auto --output " + out);
        assertThat(out.resolve("checkpoints")).isDirectory();
    }

    /** The first waits for the end of a step, which has so many micro-batches that the second comes long before. */
    @Test
    void theSecondSignalEndsAtOnce() throws Exception {
        TinyRun.tasksFile(folder, 1, 12_000);
        Process process = start(
                "--set", "training.batch_size=1", "--set", "training.gradient_accumulation=12000", "--output", out);
        awaitBegin(process);
        // One that comes before the process has taken the one before is lost.
        for (int i = 0; i < 100 && !process.waitFor(200, TimeUnit.MILLISECONDS); i++) {
            signal(process, "INT");
        }

        assertThat(process.exitValue()).as(err()).isEqualTo(130);
        assertThat(err()).doesNotContain("stopped");
        assertThat(out.resolve("checkpoints")).doesNotExist();
        assertNoCrash();
        assertThat(run("train", configuration, "--output", out).err())
                .as("the lock ended with the process")
                .contains("not empty")
                .doesNotContain("in use");
    }

    @Test
    void aSignalLeavesWhatASweepHasTried() throws Exception {
        // So many that the signal comes before all are tried.
        String lambdas =
                IntStream.rangeClosed(1, 40).mapToObj(Integer::toString).collect(Collectors.joining(","));
        Process process = startCommand("sweep", "--set", "training.epochs=10", "--lambda", lambdas, "-o", out);
        await(process, "λ 0  average");
        signal(process, "TERM");
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();

        assertThat(process.exitValue()).as(err()).isEqualTo(143);
        assertThat(err().lines())
                .last(InstanceOfAssertFactories.STRING)
                .contains("stopped", "the λ tried until then are in " + out, "--overwrite");
        JsonNode sweep = new JsonMapper().readTree(out.resolve("sweep.json").toFile());
        assertThat(sweep.path("trials").findValuesAsText("lambda"))
                .startsWith("0.0")
                .hasSizeLessThan(41);
        assertThat(out.resolve("sweep.html")).exists();
        assertNoCrash();
    }

    @Test
    void aFolderInUseIsRefusedWhileTheOtherLives() throws Exception {
        Process process = start("--set", "training.epochs=5000", "--output", out);
        try {
            awaitBegin(process);
            for (String flag : List.of("--overwrite", "--resume", "--verbose")) {
                CommandLineFixture.Result result =
                        run("train", configuration, "--set", "training.epochs=5000", "--output", out, flag);
                assertThat(result.code()).isEqualTo(2);
                assertThat(result.err().lines().findFirst().orElseThrow())
                        .contains("output " + out + " is in use by another process", "--output");
            }
        } finally {
            process.destroyForcibly().waitFor();
        }
        assertThat(run("train", configuration, "--output", out, "--overwrite").code())
                .isZero();
    }

    @Test
    void killedAtRandomInstantsARunEndsWithTheSameBytes() throws Exception {
        killedAtRandomInstants(4, 11);
    }

    @Test
    @Tag("long")
    void killedAtFiftyRandomInstantsARunEndsWithTheSameBytes() throws Exception {
        killedAtRandomInstants(50, 12);
    }

    /** Checkpoints behind every step and every batch of the Fisher pass, so that many a kill comes while one is written. */
    private void killedAtRandomInstants(int kills, long seed) throws Exception {
        Object[] settings = {"--set", "training.epochs=8", "--set", "checkpoint.every_minutes=1e-6", "--resume"};
        Path whole = folder.resolve("whole");
        assertThat(run(with(settings, whole)).code()).isZero();
        Random random = new Random(seed);
        int runs = 0;
        for (int done = 0; done < kills; ) {
            Path output = folder.resolve("killed-" + runs);
            Process process = CommandLineFixture.start(folder, List.of(), with(settings, output))
                    .start();
            if (random.nextInt(6) > 0) {
                awaitBegin(process);
                Thread.sleep(random.nextInt(1200));
            } else {
                Thread.sleep(random.nextInt(1500)); // while it starts
            }
            if (process.isAlive()) {
                process.destroyForcibly().waitFor();
                done++;
            } else {
                assertThat(process.exitValue()).as(err()).isZero();
                RunBytes.assertSame(output, whole);
                runs++;
            }
        }
        for (int i = 0; i <= runs; i++) {
            Path output = folder.resolve("killed-" + i);
            CommandLineFixture.Result result = CommandLineFixture.runAlone(folder, with(settings, output));
            assertThat(result.code()).as(result.err()).isZero();
            RunBytes.assertSame(output, whole);
        }
    }

    private Object[] with(Object[] settings, Path output) {
        List<Object> arguments = new ArrayList<>(List.of("train", configuration, "--output", output));
        arguments.addAll(List.of(settings));
        return arguments.toArray();
    }

    @Test
    void resumeAndOverwriteExcludeEachOther() {
        CommandLineFixture.Result result = run("train", configuration, "--resume", "--overwrite");

        assertThat(result.code()).isEqualTo(2);
        assertThat(result.err()).contains("--overwrite and --resume exclude each other");
    }

    @Test
    void whatThereIsToResumeIsSaid() throws Exception {
        CommandLineFixture.Result first = CommandLineFixture.runAlone(folder, "train", configuration, "--resume");
        assertThat(first.code()).as(first.err()).isZero();
        assertThat(first.err()).contains("nothing to resume in " + out + ", the run starts from the beginning");

        CommandLineFixture.Result second = run("train", configuration, "--resume");
        assertThat(second.code()).isZero();
        assertThat(second.out()).contains("has ended already");
    }
}
