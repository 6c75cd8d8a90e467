package org.ewc4j;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.ewc4j.ContinualRun.Existing;
import org.ewc4j.checkpoint.StateFolder;
import org.ewc4j.config.RunConfig;
import org.ewc4j.config.RunConfigReader;
import org.ewc4j.error.RunFailedException;
import org.ewc4j.report.RunFolder;

/** A run again and again under failing_write.c, each time with another write that fails, and resumed. */
public final class FailingWrite {
    private final Path folder;
    private final LongBuffer control;

    private FailingWrite(Path folder, LongBuffer control) {
        this.folder = folder;
        this.control = control;
    }

    /**
     * {@code args}: the folder with run.yaml whose runs fail, the file by which failing_write.c is told when. Prints how many
     * writes a run has, and how many of them failed it.
     */
    public static void main(String[] args) throws IOException {
        try (FileChannel file = FileChannel.open(Path.of(args[1]), StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            ByteBuffer mapped = file.map(MapMode.READ_WRITE, 0, 16).order(ByteOrder.nativeOrder());
            new FailingWrite(Path.of(args[0]), mapped.asLongBuffer()).failAtEach();
        }
    }

    private void failAtEach() throws IOException {
        Path whole = folder.resolve("whole");
        failAt(0);
        ContinualRun.execute(config(whole), Existing.AS_CONFIGURED, List.of());
        long writes = control.get(1);
        int failed = 0;
        for (int write = 1; write <= writes; write++) {
            Path output = folder.resolve("write-" + write);
            failAt(write);
            try {
                ContinualRun.execute(config(output), Existing.AS_CONFIGURED, List.of());
            } catch (RunFailedException e) {
                failed++;
                assertThat(e.getMessage())
                        .as("write %d", write)
                        .contains(output.toString(), "Input/output error")
                        .doesNotContain("\n");
            }
            failAt(0);
            requireWholeCheckpoints(output);
            ContinualRun.execute(config(output), Existing.RESUME, List.of());
            RunBytes.assertSame(output, whole);
            remove(output);
        }
        System.out.println(writes);
        System.out.println(failed);
    }

    private void failAt(long write) {
        control.put(1, 0);
        control.put(0, write);
    }

    private RunConfig config(Path output) {
        return RunConfigReader.read(
                folder.resolve("run.yaml"),
                List.of("training.epochs=1", "checkpoint.every_steps=4"),
                Optional.of(output),
                folder);
    }

    /** What has the name of a checkpoint is one, to the last byte. */
    private static void requireWholeCheckpoints(Path output) throws IOException {
        Path checkpoints = RunFolder.checkpoints(output);
        if (Files.isDirectory(checkpoints)) {
            try (Stream<Path> entries = Files.list(checkpoints)) {
                entries.filter(entry -> entry.getFileName().toString().startsWith("checkpoint-"))
                        .forEach(StateFolder::open);
            }
        }
    }

    static void remove(Path run) throws IOException {
        try (Stream<Path> files = Files.walk(run)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }
}
