package org.ewc4j;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** As in a container that gives each application its libraries. */
class TwoClassLoadersTest {
    @TempDir
    Path folder;

    @Test
    void eachLearnsAsIfItWereAlone() throws Exception {
        List<String> digests = ChildJvm.run(folder, List.of(), TwoClassLoaders.class, folder.toString());
        assertThat(digests).hasSize(2).allMatch(digest -> digest.matches("[0-9a-f]{64}"));
        assertThat(digests.get(1)).isEqualTo(digests.get(0));
    }
}
