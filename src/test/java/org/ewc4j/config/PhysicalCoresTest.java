package org.ewc4j.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PhysicalCoresTest {
    @Test
    void hardwareThreadsOfOneCoreCountOnce(@TempDir Path cpus) throws IOException {
        for (int cpu = 0; cpu < 8; cpu++) {
            Path topology = Files.createDirectories(cpus.resolve("cpu" + cpu + "/topology"));
            Files.writeString(topology.resolve("thread_siblings_list"), cpu % 4 + "," + (cpu % 4 + 4) + "\n");
        }
        Files.createDirectory(cpus.resolve("cpufreq"));
        assertThat(PhysicalCores.count(cpus, 8)).isEqualTo(4);
        assertThat(PhysicalCores.count(cpus, 2)).as("a container's limit").isEqualTo(2);
        assertThat(PhysicalCores.count(cpus.resolve("none"), 3))
                .as("without sysfs")
                .isEqualTo(3);
    }
}
