package org.ewc4j.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.bytedeco.javacpp.Loader;
import org.junit.jupiter.api.Test;

class NativeLibraryTest {
    @Test
    void describesItself() {
        NativeLibrary.load();
        NativeLibrary.load();
        assertThat(NativeLibrary.description()).startsWith("libewc ABI 1, host kernels ").contains("CUDA: ");
    }

    /** Two copies of libgomp would be two pools of threads that fight for the cores. */
    @Test
    void oneLibgompForUsAndLibtorch() throws IOException {
        NativeLibrary.load();
        Loader.load(org.bytedeco.pytorch.global.torch.class);
        try (var maps = Files.lines(Path.of("/proc/self/maps"))) {
            List<String> libraries = maps.filter(line -> line.contains("libgomp"))
                    .map(line -> line.substring(line.indexOf('/')))
                    .distinct()
                    .toList();
            assertThat(libraries).hasSize(1);
        }
    }
}
