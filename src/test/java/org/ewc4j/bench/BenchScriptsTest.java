package org.ewc4j.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The scripts of bench, by their own tests; nothing is trained, and no device is needed. */
class BenchScriptsTest {
    @TempDir
    Path folder;

    @ParameterizedTest
    @ValueSource(strings = {"bench", "bench/experiments", "bench/gpu"})
    void theScriptsPassTheirTests(String scripts) throws InterruptedException {
        assumeTrue(succeeds("--version"), "needs python3, which is not on the path");

        assertThat(succeeds("-m", "unittest", "discover", "-s", scripts))
                .as(() -> "python3 -m unittest discover -s " + scripts + ":\n" + output())
                .isTrue();
    }

    private boolean succeeds(String... arguments) throws InterruptedException {
        ProcessBuilder python = new ProcessBuilder("python3")
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("output").toFile());
        python.command().addAll(List.of(arguments));
        python.environment().put("PYTHONDONTWRITEBYTECODE", "1");
        try {
            Process process = python.start();
            if (!process.waitFor(120, TimeUnit.SECONDS)) {
                process.destroyForcibly();
                return false;
            }
            return process.exitValue() == 0;
        } catch (IOException e) {
            return false; // no such command
        }
    }

    private String output() {
        try {
            return Files.readString(folder.resolve("output"));
        } catch (IOException e) {
            return "no output: " + e.getMessage();
        }
    }
}
