package org.ewc4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A disk that fails at one write, at each in turn: the run says so in a line, what was there stays whole, and it goes on to the bit. */
@Tag("long")
class FailingWriteTest {
    @TempDir
    Path folder;

    @Test
    void eachWriteThatFailsIsSaidAndTheRunGoesOn() throws Exception {
        Path library = shim();
        Path control = Files.write(folder.resolve("control"), new byte[16]);
        // In memory where there is a file system in it: some hundred runs force every file to the disk.
        Path memory = Path.of("/dev/shm");
        Path runs = Files.createTempDirectory(Files.isWritable(memory) ? memory : folder, "ewc4j-failing-write");
        try {
            failAtEach(library, control, runs.toRealPath());
        } finally {
            FailingWrite.remove(runs);
        }
    }

    private void failAtEach(Path library, Path control, Path runs) throws Exception {
        TinyRun.configuration(runs, "gpt2");
        TinyRun.model(runs.resolve("model"), "gpt2", config -> config.put("n_layer", 1)); // each tensor is a write
        TinyRun.tasksFile(runs, 2, 4);
        List<String> lines = ChildJvm.run(
                folder,
                Duration.ofMinutes(10),
                Map.of(
                        "LD_PRELOAD", library.toString(),
                        "EWC_FAILING_FOLDER", runs.toString(),
                        "EWC_FAILING_CONTROL", control.toString()),
                List.of(),
                FailingWrite.class,
                runs.toString(),
                control.toString());
        int writes = Integer.parseInt(lines.get(0));
        int failed = Integer.parseInt(lines.get(1));
        assertThat(writes).as("writes of a run").isGreaterThan(50);
        assertThat(failed).as("of them those that ended it").isEqualTo(writes);
    }

    private Path shim() throws Exception {
        String path = System.getenv("PATH");
        assumeTrue(
                Arrays.stream(path.split(File.pathSeparator)).anyMatch(each -> Files.isExecutable(Path.of(each, "cc"))),
                "no C compiler on the path to build failing_write.c with");
        Path source = Path.of(getClass().getResource("failing_write.c").toURI());
        Path library = folder.resolve("failing_write.so");
        Process compiler = new ProcessBuilder(
                        "cc",
                        "-Wall",
                        "-Wextra",
                        "-Werror",
                        "-O1",
                        "-shared",
                        "-fPIC",
                        "-o",
                        library.toString(),
                        source.toString(),
                        "-ldl")
                .redirectErrorStream(true)
                .start();
        String said = new String(compiler.getInputStream().readAllBytes());
        assertThat(compiler.waitFor()).as(said).isZero();
        return library;
    }
}
