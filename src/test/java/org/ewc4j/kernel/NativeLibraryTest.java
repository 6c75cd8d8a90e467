package org.ewc4j.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
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
        assertThat(NativeLibrary.description())
                .startsWith("libewc ABI 1, host kernels ")
                .contains("CUDA: ");
    }

    /** What libgomp itself says it read, in a JVM that nobody prepared. */
    @Test
    void idleThreadsSleepInAnEmbeddedJvm() throws IOException, InterruptedException {
        ProcessBuilder builder = new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                LoadOnly.class.getName());
        builder.environment().remove("OMP_WAIT_POLICY");
        builder.environment().put("OMP_DISPLAY_ENV", "TRUE");
        Process process = builder.redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(output).isZero();
        assertThat(output).contains("OMP_WAIT_POLICY = 'PASSIVE'");
    }

    /** The child JVM's whole program. */
    static final class LoadOnly {
        public static void main(String[] arguments) {
            NativeLibrary.load();
        }
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
