package org.ewc4j.error;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.Timeout.ThreadMode;
import org.junit.jupiter.api.io.TempDir;

class JsonFileTest {
    @TempDir
    Path folder;

    @Test
    @Timeout(value = 30, threadMode = ThreadMode.SEPARATE_THREAD)
    void aPipeIsRefusedAndNotWaitedFor() throws Exception {
        Path pipe = folder.resolve("pipe.json");
        assertThat(new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor())
                .isZero();
        assertRefused(pipe, "pipe.json: cannot be read: not a regular file");
        assertRefused(folder, "cannot be read: not a regular file");
    }

    @Test
    void whatIsNotThereOrTooLargeIsRefused() throws Exception {
        assertRefused(folder.resolve("none.json"), "none.json: is missing");
        Path large = Files.writeString(folder.resolve("large.json"), "{}" + " ".repeat(2 << 20));
        assertRefused(large, "large.json: larger than 1 MiB, not a list of nothing");
    }

    private static void assertRefused(Path file, String reason) {
        assertThatThrownBy(() -> JsonFile.readObject(new ObjectMapper(), file, 1 << 20, "a list of nothing"))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining(reason);
    }
}
