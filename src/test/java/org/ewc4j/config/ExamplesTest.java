package org.ewc4j.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class ExamplesTest {
    @Test
    void everyExampleIsAConfiguration() throws IOException {
        List<Path> examples;
        try (Stream<Path> files = Files.list(Path.of("examples"))) {
            examples = files.filter(file -> file.toString().endsWith(".yaml")).toList();
        }
        assertThat(examples).isNotEmpty();
        for (Path example : examples) {
            RunConfig config = RunConfigReader.read(example);
            String name = example.getFileName().toString().replace(".yaml", "");
            assertThat(config.output()).isEqualTo(Path.of("runs", name).toAbsolutePath());
        }
    }
}
