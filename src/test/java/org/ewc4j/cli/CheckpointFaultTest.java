package org.ewc4j.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.ewc4j.cli.CommandLineFixture.run;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.ewc4j.RunBytes;
import org.ewc4j.TinyRun;
import org.ewc4j.cli.CommandLineFixture.Result;
import org.ewc4j.tensor.SafetensorsFile;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs whose disk fills up, or whose loss is lost, while they write checkpoints behind every step. */
class CheckpointFaultTest {
    @TempDir
    Path folder;

    private Path configuration;

    @BeforeEach
    void write() throws IOException {
        folder = folder.toRealPath();
        configuration = TinyRun.configuration(folder, "gpt2");
    }

    private Result train(Path output, String... more) {
        Object[] arguments = Stream.concat(
                        Stream.of("train", configuration, "--output", output, "--set", "checkpoint.every_steps=1"),
                        Stream.of(more))
                .toArray();
        return run(arguments);
    }

    @Test
    void aDiskThatFillsUpIsNamedAndTheRunGoesOnWhenThereIsRoom() throws Exception {
        fillUp(IntStream.of(90, 230, 310, 390, 470, 550));
    }

    @Test
    @Tag("long")
    void aDiskThatFillsUpAtAnyWrite() throws Exception {
        fillUp(IntStream.iterate(8, size -> size < 700, size -> size + 12));
    }

    private void fillUp(IntStream kibibytes) throws Exception {
        Path whole = folder.resolve("whole");
        assertThat(train(whole).code()).isZero();
        int failed = 0;
        for (int size : kibibytes.toArray()) {
            Path disk = Files.createDirectories(folder.resolve("disk-" + size));
            Assumptions.assumeTrue(
                    mount("mount", "-t", "tmpfs", "-o", "size=" + size + "k", "ewc4j-test", disk.toString()),
                    "cannot mount a small disk here");
            try {
                Path output = disk.resolve("run");
                Result full = train(output);
                if (full.code() != 0) {
                    failed++;
                    assertThat(full.code()).as(full.err()).isEqualTo(1);
                    assertThat(full.err().lines().filter(line -> line.startsWith("ewc4j: ")))
                            .as(full.err())
                            .singleElement()
                            .asString()
                            .contains("cannot be written", "No space left");
                    removeTrace(full);
                }
                assertThat(mount("mount", "-o", "remount,size=20m", disk.toString()))
                        .isTrue();
                Result resumed = train(output, "--resume");
                assertThat(resumed.code())
                        .as(size + " KiB: " + full.err() + resumed.err())
                        .isZero();
                RunBytes.assertSame(output, whole);
            } finally {
                mount("umount", disk.toString());
            }
        }
        assertThat(failed).as("disks that were too small").isGreaterThanOrEqualTo(4);
    }

    private static boolean mount(String... command) throws Exception {
        return new ProcessBuilder(command).redirectErrorStream(true).start().waitFor() == 0;
    }

    private static void removeTrace(Result result) throws IOException {
        for (String line :
                result.err().lines().filter(l -> l.startsWith("Trace in ")).toList()) {
            Files.delete(Path.of(line.substring("Trace in ".length(), line.indexOf(" ("))));
        }
    }

    @Test
    void whatIsNotFiniteIsNeverSaved() throws IOException {
        Path output = folder.resolve("run");
        String[] settings = {"--set", "task_overrides.green.learning_rate=1e30"};
        Result failed = train(output, settings);
        assertThat(failed.code()).isEqualTo(1);
        assertThat(failed.err()).contains("task 'green'", "what was saved before stands");
        removeTrace(failed);

        int files = 0;
        try (Stream<Path> found = Files.walk(output.resolve("checkpoints"))) {
            for (Path file :
                    found.filter(f -> f.toString().endsWith(".safetensors")).toList()) {
                files++;
                assertFinite(file);
            }
        }
        assertThat(files).isEqualTo(2 * 3 + 2);
        Result again = train(output, "--set", settings[1], "--resume");
        removeTrace(again);
        assertThat(again.code()).isEqualTo(1);
        assertThat(line(again)).isEqualTo(line(failed));
    }

    private static List<String> line(Result result) {
        return result.err().lines().filter(l -> l.startsWith("ewc4j: ")).toList();
    }

    private static void assertFinite(Path file) {
        try (SafetensorsFile stored = SafetensorsFile.open(file)) {
            stored.entries()
                    .values()
                    .forEach(entry -> stored.forEachFloat(entry, values -> {
                        while (values.hasRemaining()) {
                            assertThat(values.get())
                                    .as(file + " " + entry.name())
                                    .isFinite();
                        }
                    }));
        }
    }
}
