package org.ewc4j.consolidation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.List;
import org.ewc4j.ChildJvm;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What F and θ* take of a process's anonymous memory; in one of its own, whose heap is touched whole. */
class StateMemoryTest {
    @TempDir
    Path folder;

    @Test
    void aMappedAnchorTakesFourBytesAParameterLess() throws Exception {
        List<String> bytes = ChildJvm.run(
                folder,
                List.of(
                        "-Xms64m",
                        "-Xmx64m",
                        "-XX:+AlwaysPreTouch",
                        "-XX:TieredStopAtLevel=1",
                        "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0"),
                StateMemory.class,
                Path.of("target").toAbsolutePath().toString());

        assertThat(Double.parseDouble(bytes.get(2))).as("in memory").isCloseTo(8, within(0.1));
        assertThat(Double.parseDouble(bytes.get(3))).as("mapped").isCloseTo(4, within(0.1));
    }
}
