package org.ewc4j.fisher;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The pass over single examples, with its new Fisher, takes less than the forward and backward pass of a training step with
 * its gradients; each in a process of its own, whose heap is touched whole, so that the rest is native memory.
 */
class PeakMemoryTest {
    @TempDir
    Path folder;

    @Test
    void theExampleFisherTakesLessThanAGradient() throws Exception {
        long gradient = peak("gradient");
        long example = peak("example");

        assertThat(example)
                .as("KiB, beside %d of forward and backward", gradient)
                .isLessThan(gradient);
    }

    private long peak(String what) throws Exception {
        Path output = folder.resolve(what + ".txt");
        Path errors = folder.resolve(what + "-errors.txt");
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xms64m",
                        "-Xmx64m",
                        "-XX:+AlwaysPreTouch",
                        "-XX:+UseSerialGC",
                        "-XX:TieredStopAtLevel=1",
                        "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0",
                        "--enable-native-access=ALL-UNNAMED",
                        "-cp",
                        System.getProperty("java.class.path"),
                        PeakMemory.class.getName(),
                        folder.resolve("model").toString(),
                        what)
                .redirectOutput(output.toFile())
                .redirectError(errors.toFile())
                .start();
        assertThat(process.waitFor(100, TimeUnit.SECONDS)).isTrue();
        assertThat(process.exitValue()).as(Files.readString(errors)).isZero();
        return Long.parseLong(Files.readString(output).strip());
    }
}
