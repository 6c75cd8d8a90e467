package org.ewc4j.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The committed reference is the one that the settings make. To write it anew:
 * {@code mvn -Dtest=ConfigurationReferenceTest -Dewc4j.write-docs=true test}.
 */
class ConfigurationReferenceTest {
    @ParameterizedTest
    @CsvSource({"docs/configuration.md", "docs/config.schema.json"})
    void committedFileIsUpToDate(Path file) throws IOException {
        String made =
                file.toString().endsWith(".md") ? ConfigurationReference.markdown() : ConfigurationReference.schema();
        if (Boolean.getBoolean("ewc4j.write-docs")) {
            Files.writeString(file, made);
        }
        assertThat(Files.readString(file))
                .as("%s; write it anew by mvn -Dtest=ConfigurationReferenceTest -Dewc4j.write-docs=true test", file)
                .isEqualTo(made);
    }
}
