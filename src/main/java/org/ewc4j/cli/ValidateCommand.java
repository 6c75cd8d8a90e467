package org.ewc4j.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code ewc4j validate}. */
@Command(
        name = "validate",
        mixinStandardHelpOptions = true,
        versionProvider = Main.Version.class,
        header = "Check a configuration and all it names; train nothing.",
        description = {
            "",
            "Reads the model, the tokenizer and every row of the tasks, and shows parameters, the memory needed, and the"
                    + " first examples as tokens with the mask of what is scored.",
            ""
        },
        footer = {"", "Example:", "  ewc4j validate my.yaml --set model=checkpoints/pythia-70m"})
final class ValidateCommand implements Callable<Integer> {
    private final Console console;
    private final Engine engine;

    @Mixin
    private ConfigurationArguments arguments;

    ValidateCommand(Console console, Engine engine) {
        this.console = console;
        this.engine = engine;
    }

    @Override
    public Integer call() {
        console.out().println(engine.validate(arguments.read(engine)).stripTrailing());
        return 0;
    }
}
