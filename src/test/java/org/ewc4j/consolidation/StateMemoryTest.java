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
    void everyStateTakesTheBytesThatTheTableOfMethodsSays() throws Exception {
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

        List<StateMemory.State> states = StateMemory.states();
        assertThat(bytes).hasSameSizeAs(states);
        for (int i = 0; i < states.size(); i++) {
            assertThat(Double.parseDouble(bytes.get(i)))
                    .as(states.get(i).toString())
                    .isCloseTo(states.get(i).bytesPerParameter(), within(0.1));
        }
    }
}
