package org.ewc4j;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Training holds its memory: in a process of its own. */
class ResidentMemoryTest {
    @TempDir
    Path folder;

    @Test
    void twoThousandStepsHoldResidentMemoryFlat() throws Exception {
        List<String> lines = ChildJvm.run(folder, ChildJvm.STEADY, ResidentMemory.class, folder.toString());
        long[] kibibytes = lines.stream()
                .filter(Held::isRow)
                .mapToLong(line -> Held.parse(line).kibibytes())
                .toArray();

        assertThat(kibibytes).hasSize(ResidentMemory.STEPS / 100);
        assertThat(kibibytes[kibibytes.length - 1])
                .as("every 100 steps: %s", lines)
                .isLessThan((long) (kibibytes[9] * 1.03)); // the first thousand steps load classes and compile
    }
}
