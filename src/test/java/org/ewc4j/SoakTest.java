package org.ewc4j;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.time.Duration;
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
        List<String> lines = ChildJvm.run(
                folder,
                Duration.ofMinutes(40),
                ChildJvm.STEADY,
                Soak.class,
                folder.toString(),
                Integer.toString(TASKS));
        List<String> rows = lines.stream().filter(Held::isRow).toList();
        assertThat(rows).hasSize(TASKS / Soak.TASKS_A_ROW);
        Held first = Held.parse(rows.get(0));
        Held last = Held.parse(rows.get(rows.size() - 1));

        assertThat(rows).last().asString().startsWith("| " + TASKS * Soak.STEPS_A_TASK + " |");
        assertThat(last.kibibytes()).as("resident memory: %s", lines).isLessThan((long) (first.kibibytes() * 1.05));
        assertThat(last.files()).as("file descriptors: %s", lines).isLessThanOrEqualTo(first.files());
        assertThat(last.threads()).as("threads: %s", lines).isLessThanOrEqualTo(first.threads());
        assertThat(last.tensors()).as("kept tensors: %s", lines).isEqualTo(first.tensors());
        assertThat(last.resources()).as("native resources: %s", lines).isEqualTo(first.resources());
        assertThat(lines).last().isEqualTo("left behind: 0 tensors, 0 native resources");
    }
}
