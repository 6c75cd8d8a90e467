package org.ewc4j;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.ewc4j.tensor.Fingerprint;

/** What two runs must have alike when one was stopped and went on: every file but config.yaml, without seconds. */
public final class RunBytes {
    private RunBytes() {}

    /** The files of a run by name: text without seconds, otherwise fingerprints. */
    public static Map<String, String> of(Path run) {
        Map<String, String> files = new TreeMap<>();
        try (Stream<Path> found = Files.walk(run)) {
            for (Path file : found.filter(Files::isRegularFile).toList()) {
                files.put(run.relativize(file).toString(), content(file));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        files.remove("config.yaml"); // has the output folder and the intervals of checkpoints
        return files;
    }

    private static String content(Path file) throws IOException {
        return switch (file.getFileName().toString()) {
            case "steps.jsonl" -> text(file).replaceAll("\"seconds\":[0-9.eE+-]+", "");
            case "results.json" -> text(file).replaceAll("(?s)\"seconds\" : \\{.*?}", "");
            case "predictions.jsonl" -> text(file);
            case "report.html" -> "is there"; // shows seconds and the output folder
            default -> Fingerprint.of(file);
        };
    }

    private static String text(Path file) throws IOException {
        return Files.readString(file, StandardCharsets.UTF_8);
    }

    /** That a run has the files of another, and nothing else, bit for bit. */
    public static void assertSame(Path run, Path reference) {
        Map<String, String> files = of(run);
        Map<String, String> expected = of(reference);
        assertThat(files.keySet()).isEqualTo(expected.keySet());
        expected.forEach((name, content) -> assertThat(files.get(name)).as(name).isEqualTo(content));
    }
}
