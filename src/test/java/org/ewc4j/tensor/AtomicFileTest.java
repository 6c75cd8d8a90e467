package org.ewc4j.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.ewc4j.error.RunFailedException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** That folders reach the disk is not seen without a power failure; what else they promise is. */
class AtomicFileTest {
    @TempDir
    Path folder;

    @Test
    void foldersAreMadeAndNamedFromTheOutermostOn() {
        Path deep = folder.resolve("a/b/c");

        assertThat(AtomicFile.createFolders(deep)).containsExactly(folder.resolve("a"), folder.resolve("a/b"), deep);
        assertThat(deep).isDirectory();
        assertThat(AtomicFile.createFolders(deep)).isEmpty();
    }

    @Test
    void anInterruptDoesNotHinderIt() {
        Thread.currentThread().interrupt();
        AtomicFile.createFolders(folder.resolve("a/b"));

        assertThat(Thread.interrupted()).isTrue();
        assertThat(folder.resolve("a/b")).isDirectory();
    }

    @Test
    void aFileInTheWayIsAFailureOfOneLine() throws IOException {
        Path file = Files.writeString(folder.resolve("file"), "x");

        assertThatThrownBy(() -> AtomicFile.createFolders(file.resolve("below")))
                .isInstanceOf(RunFailedException.class)
                .hasMessageStartingWith(file.resolve("below") + ": cannot be made: ");
    }
}
