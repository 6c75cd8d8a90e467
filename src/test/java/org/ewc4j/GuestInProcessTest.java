package org.ewc4j;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A learner leaves the process that it lives in as it was, but for what docs/reliability.md says. */
class GuestInProcessTest {
    @TempDir
    Path folder;

    /** DJL looks for GPUs through JNA, which keeps what it found; java.util.logging, which JNA uses, has a hook of the JDK's. */
    private static final List<String> KNOWN = List.of(
            "property org.ewc4j.tokenizers.loaded: ",
            "property jna.loaded: ",
            "property jna.platform.library.path: ",
            "property jnidispatch.path: ",
            "shutdown hooks: [] -> [Thread[Logging-Cleaner,5,main]]");

    @Test
    void nothingOfTheProcessChanges() throws Exception {
        List<String> changes = ChildJvm.run(
                folder,
                List.of("--add-opens=java.base/java.lang=ALL-UNNAMED"),
                GuestInProcess.class,
                folder.toString());
        assertThat(changes)
                .filteredOn(change -> KNOWN.stream().noneMatch(change::startsWith))
                .isEmpty();
    }
}
