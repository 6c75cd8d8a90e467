package org.ewc4j;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.assertj.core.data.Percentage;
import org.ewc4j.tensor.SafetensorsFile;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Where memory is short, micro-batches are halved and the mathematics stay: under a limit of the address space. */
class ScarceMemoryTest {
    private static final long SCARCE_PASS_MEGABYTES = 60;

    @TempDir
    Path folder;

    private record Result(int code, List<String> lines, String err) {}

    private Result run(String name, long megabytes, String what) throws Exception {
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
                        Long.toString(megabytes),
                        what)
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
        Result plenty = run("plenty", 0, "steps");
        assertThat(plenty.code()).as(plenty.err()).isZero();
        Result scarce = run("scarce", 120, "steps");
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

    @ParameterizedTest
    @CsvSource({"BATCH", "EXAMPLE"})
    @Tag("long")
    void theFisherPassTakesSmallerMicroBatchesAndNothingIsAddedTwice(String kind) throws Exception {
        Assumptions.assumeTrue(Files.isExecutable(Path.of("/usr/bin/prlimit")), "needs prlimit");
        Result plenty = run("plenty", 0, kind);
        assertThat(plenty.code()).as(plenty.err()).isZero();
        Result scarce = run("scarce", SCARCE_PASS_MEGABYTES, kind);
        assertThat(scarce.code()).as(scarce.err()).isZero();

        assertThat(plenty.err()).doesNotContain("no memory for micro-batches");
        assertThat(scarce.err())
                .contains("no memory for micro-batches of 384 rows in the Fisher pass")
                .contains("no memory for micro-batches of 384 rows in the evaluation");
        assertSameFisher(folder.resolve("scarce"), folder.resolve("plenty"));
        double[] expected = steps(plenty).get(0);
        double[] found = steps(scarce).get(0);
        assertThat(found[0]).isCloseTo(expected[0], Percentage.withPercentage(1e-3));
        assertThat(found[1]).isEqualTo(expected[1]);
    }

    @Test
    @Tag("long")
    void trainingWaitsForACheckpointWhereThereIsNoMemoryForItsCopy() throws Exception {
        Assumptions.assumeTrue(Files.isExecutable(Path.of("/usr/bin/prlimit")), "needs prlimit");
        Result scarce = run("scarce", 10, "checkpoint");

        assertThat(scarce.code()).as(scarce.err()).isZero();
        assertThat(scarce.err()).contains("training waits for this checkpoint to be written: there is no memory for");
        assertThat(scarce.lines()).last().isEqualTo("true");
    }

    /** Up to rounding: a row that is counted twice or not at all would be a part in 384. */
    private static void assertSameFisher(Path found, Path expected) {
        double difference = 0;
        double size = 0;
        try (SafetensorsFile first = SafetensorsFile.open(found.resolve("consolidation/fisher.safetensors"));
                SafetensorsFile second = SafetensorsFile.open(expected.resolve("consolidation/fisher.safetensors"))) {
            for (String name : second.entries().keySet()) {
                double[] one = values(first, name);
                double[] other = values(second, name);
                for (int i = 0; i < other.length; i++) {
                    difference += Math.pow(one[i] - other[i], 2);
                    size += Math.pow(other[i], 2);
                }
            }
        }
        assertThat(size).isPositive();
        assertThat(Math.sqrt(difference / size)).isLessThan(1e-4);
    }

    private static double[] values(SafetensorsFile file, String name) {
        SafetensorsFile.Entry entry = file.entries().get(name);
        double[] values = new double[Math.toIntExact(entry.elements())];
        int[] count = {0};
        file.forEachFloat(entry, floats -> {
            while (floats.hasRemaining()) {
                values[count[0]++] = floats.get();
            }
        });
        return values;
    }
}
