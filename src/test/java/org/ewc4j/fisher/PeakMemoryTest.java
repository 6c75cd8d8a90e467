package org.ewc4j.fisher;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What steps, merges and Fisher passes take at most, each in a process of its own, whose heap is touched whole, so that the rest is
 * native memory.
 */
class PeakMemoryTest {
    @TempDir
    Path folder;

    private record Peak(long kibibytes, long ofParameters) {
        /** How many fp32 copies of all parameters this is more. */
        double copiesBeyond(Peak other) {
            return (double) (kibibytes - other.kibibytes) / ofParameters;
        }
    }

    /** With its new Fisher, than a step with its gradients and moments: no gradient is formed beside the Fisher. */
    @Test
    void aFisherOfSingleExamplesTakesLessThanATrainingStep() throws Exception {
        Peak full = peak("plain", "full");
        Peak padded = peak("plain", "padded");

        assertThat(peak("example", "full").copiesBeyond(full)).isNegative();
        assertThat(peak("example", "padded").copiesBeyond(padded)).isNegative();
        assertThat(peak("sampled", "padded").copiesBeyond(padded)).isNegative();
    }

    /** Of θ's size are the moments, F and the anchor, and a step's gradients, which no Fisher pass adds to. */
    @Test
    void noStepAndNoMergeTakesACopyOfTheParametersForAWhile() throws Exception {
        Peak gradient = peak("gradient", "few");
        Peak plain = peak("plain", "few");
        Peak ewc = peak("ewc", "few");
        Peak merge = peak("merge", "few");

        assertThat(plain.copiesBeyond(gradient)).as("moments").isLessThan(2.5);
        assertThat(ewc.copiesBeyond(plain)).as("F and anchor").isLessThan(2.5);
        assertThat(merge.copiesBeyond(ewc)).as("Fisher pass and merge").isLessThan(0.5);
    }

    private Peak peak(String what, String rows) throws Exception {
        Path output = folder.resolve(what + ".txt");
        Path errors = folder.resolve(what + "-errors.txt");
        ProcessBuilder builder = new ProcessBuilder(
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
                        what,
                        rows)
                .redirectOutput(output.toFile())
                .redirectError(errors.toFile());
        if (rows.equals("few")) {
            // A tensor that is freed goes back to the system at once: in a heap, chance decides what fits its place.
            builder.environment().put("MALLOC_MMAP_THRESHOLD_", "131072");
        }
        Process process = builder.start();
        try {
            assertThat(process.waitFor(240, TimeUnit.SECONDS)).isTrue();
        } finally {
            process.destroyForcibly();
        }
        assertThat(process.exitValue()).as(Files.readString(errors)).isZero();
        String[] numbers = Files.readString(output).strip().split(" ");
        return new Peak(Long.parseLong(numbers[0]), Long.parseLong(numbers[1]));
    }
}
