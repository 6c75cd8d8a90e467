package org.ewc4j.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.ewc4j.config.RunConfig;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** What `train` and `validate` take alike: the configuration and what is put over it. */
final class ConfigurationArguments {
    @Parameters(
            index = "0",
            paramLabel = "CONFIG",
            description = "The configuration, a YAML file (docs/configuration.md).")
    private Path configuration;

    @Option(
            names = "--set",
            paramLabel = "KEY=VALUE",
            description =
                    "Put a value over the file's, such as ewc.lambda=0. May be repeated. Paths are relative to the file.")
    private List<String> settings = new ArrayList<>();

    @Option(
            names = "--output",
            paramLabel = "DIR",
            description = "The output folder, relative to the working directory. Default: output: of the file, else"
                    + " runs/<the file's name>.")
    private Path output;

    RunConfig read(Engine engine) {
        return engine.read(configuration, settings, Optional.ofNullable(output));
    }
}
