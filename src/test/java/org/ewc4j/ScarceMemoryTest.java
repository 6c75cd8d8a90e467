package org.ewc4j;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Where memory is short, micro-batches are halved and the mathematics stay: under a limit of the address space. */
class ScarceMemoryTest {
    @TempDir
    Path folder;

    private record Result(int code, List<String> lines, String err) {}

    private Result run(String name, long megabytes) throws Exception {
        Path place = Files.createDirectory(folder.resolve(name));
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xms256m",
                        "-Xmx256m",
                        "-XX:+UseSerialGC",
                        "-XX:TieredStopAtLevel=1",
                        "--enable-native-access=ALL-UNNAMED",
                        "-cp",
                        System.getProperty("java.class.path"),
                        "org.ewc4j.ScarceMemory",
                        place.toString(),
                        Long.toString(megabytes))
                .redirectOutput(place.resolve("out").toFile())
                .redirectError(place.resolve("err").toFile())
                .start();
        assertThat(process.waitFor(120, TimeUnit.SECONDS)).isTrue();
        // Log lines of the tests' configuration may go to stdout.
        return new Result(process.exitValue(), Files.readAllLines(place.resolve("out")), text(place));
    }

    private static String text(Path place) throws IOException {
        return Files.readString(place.resolve("err")) + Files.readString(place.resolve("out"));
    }

    private static List<double[]> steps(Result result) {
        return result.lines().stream()
                .filter(line -> line.matches("[0-9.E-]+ [0-9.E-]+"))
                .map(line -> line.split(" "))
                .map(words -> new double[] {Double.parseDouble(words[0]), Double.parseDouble(words[1])})
                .toList();
    }

    @Test
    @Tag("long")
    void microBatchesAreHalvedAndTheStepStaysTheSame() throws Exception {
        Assumptions.assumeTrue(Files.isExecutable(Path.of("/usr/bin/prlimit")), "needs prlimit");
        Result plenty = run("plenty", 0);
        assertThat(plenty.code()).as(plenty.err()).isZero();
        Result scarce = run("scarce", 120);
        assertThat(scarce.code()).as(scarce.err()).isZero();

        List<double[]> expected = steps(plenty);
        List<double[]> steps = steps(scarce);
        assertThat(steps).hasSameSizeAs(expected).hasSize(2);
        for (int i = 0; i < steps.size(); i++) {
            assertThat(steps.get(i)[0]).isCloseTo(expected.get(i)[0], Percentage.withPercentage(1e-3));
            assertThat(steps.get(i)[1]).isCloseTo(expected.get(i)[1], Percentage.withPercentage(1e-2));
        }
        assertThat(plenty.err()).doesNotContain("no memory for micro-batches");
        assertThat(scarce.err()).contains("no memory for micro-batches of 384 rows");
        int inForce = Integer.parseInt(scarce.lines().get(scarce.lines().size() - 1));
        assertThat(inForce).isBetween(1, 192);
        assertThat(plenty.lines().get(plenty.lines().size() - 1)).isEqualTo(Integer.toString(Integer.MAX_VALUE));
    }
}
