package org.ewc4j;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * 20,000 steps with 100 tasks, evaluations and checkpoints, in 5 to 30 minutes: what the process holds stays what it was after the
 * first tenth. A record is in bench/results.
 */
@Tag("long")
class SoakTest {
    private static final int TASKS = 100;

    @TempDir
    Path folder;

    @Test
    void twentyThousandStepsHoldMemoryFilesThreadsAndBuffers() throws Exception {
        // The heap is touched whole at the start, so that what grows is native. One compiler, so that no thread comes
        // later, and the first one only: the second takes some 15 MB, and where the machine is busy long behind the
        // first row.
        List<String> options = List.of(
                "-Xms128m",
                "-Xmx128m",
                "-XX:+AlwaysPreTouch",
                "-XX:TieredStopAtLevel=1",
                "-XX:-UseDynamicNumberOfCompilerThreads");
        List<String> lines = ChildJvm.run(
                folder, Duration.ofMinutes(40), options, Soak.class, folder.toString(), Integer.toString(TASKS));
        long[][] rows = lines.stream()
                .filter(line -> line.matches("[| 0-9]+"))
                .map(line -> Arrays.stream(line.split("\\|"))
                        .map(String::strip)
                        .filter(cell -> !cell.isEmpty())
                        .mapToLong(Long::parseLong)
                        .toArray())
                .toArray(long[][]::new);
        long[] first = rows[0];
        long[] last = rows[rows.length - 1];

        assertThat(last[0]).isEqualTo((long) TASKS * Soak.STEPS_A_TASK);
        assertThat(last[1]).as("resident memory: %s", lines).isLessThan((long) (first[1] * 1.05));
        assertThat(last[2]).as("file descriptors: %s", lines).isLessThanOrEqualTo(first[2]);
        assertThat(last[3]).as("threads: %s", lines).isLessThanOrEqualTo(first[3]);
        assertThat(last[4]).as("kept tensors: %s", lines).isEqualTo(first[4]);
        assertThat(last[5]).as("native resources: %s", lines).isEqualTo(first[5]);
        assertThat(lines).last().isEqualTo("left behind: 0 tensors, 0 native resources");
    }
}
