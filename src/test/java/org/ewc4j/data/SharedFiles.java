package org.ewc4j.data;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;

/** Files that lie beside the project and may not be part of it. */
final class SharedFiles {
    private SharedFiles() {}

    /** The file or folder; the test is skipped where it is not there. */
    static Path require(String path) {
        Path file = Path.of("../shared").resolve(path);
        Assumptions.assumeTrue(Files.exists(file), file + " is not there; it cannot be part of the project");
        return file;
    }
}
