package org.ewc4j.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StateFolderTest {
    @TempDir
    Path folder;

    /** As 8,000 rows of 512 tokens that are kept for replay make it; Jackson by itself reads 20 million characters. */
    @Test
    void aLongTextThatWasWrittenIsReadAgain() {
        int length = 21_000_000;
        ObjectNode state = StateFolder.newState().put("replayed", "A".repeat(length));

        StateFolder.save(folder.resolve("state"), state, List.of());

        assertThat(StateFolder.open(folder.resolve("state")).state().text("replayed"))
                .hasSize(length);
    }
}
