package org.ewc4j;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Training holds its memory: in a process of its own, whose heap is touched whole, so that the rest is native memory. */
class ResidentMemoryTest {
    @TempDir
    Path folder;

    @Test
    void twoThousandStepsHoldResidentMemoryFlat() throws Exception {
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xms128m",
                        "-Xmx128m",
                        "-XX:+AlwaysPreTouch",
                        "-XX:+UseSerialGC",
                        "-XX:TieredStopAtLevel=1",
                        "--enable-native-access=ALL-UNNAMED",
                        "-cp",
                        System.getProperty("java.class.path"),
                        ResidentMemory.class.getName(),
                        folder.toString())
                .redirectOutput(folder.resolve("stdout.txt").toFile())
                .redirectError(folder.resolve("stderr.txt").toFile())
                .start();
        assertThat(process.waitFor(120, TimeUnit.SECONDS)).isTrue();
        List<String> lines = Files.readAllLines(folder.resolve("stdout.txt"));

        assertThat(process.exitValue())
                .as(Files.readString(folder.resolve("stderr.txt")))
                .isZero();
        long[] kibibytes = lines.stream()
                .mapToLong(line -> Long.parseLong(line.split(" ")[1]))
                .toArray();
        assertThat(kibibytes).hasSize(ResidentMemory.STEPS / 100);
        assertThat(kibibytes[kibibytes.length - 1])
                .as("KiB every 100 steps: %s", lines)
                .isLessThan((long) (kibibytes[9] * 1.03)); // the first thousand steps load classes and compile
    }
}
