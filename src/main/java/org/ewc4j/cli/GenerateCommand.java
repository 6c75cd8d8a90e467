package org.ewc4j.cli;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.OptionalInt;
import java.util.concurrent.Callable;
import org.ewc4j.error.InvalidInputException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code ewc4j generate}. */
@Command(
        name = "generate",
        mixinStandardHelpOptions = true,
        versionProvider = Main.Version.class,
        header = "Continue a prompt greedily.",
        description = {"", "Prints the prompt and its continuation. Stops at the model's end-of-sequence token.", ""},
        footer = {
            "",
            "Examples:",
            "  ewc4j generate model/ \"Once upon a time\" --max-new-tokens 100",
            "  echo \"Once upon a time\" | ewc4j generate model/ -"
        })
final class GenerateCommand implements Callable<Integer> {
    private final Console console;
    private final Engine engine;

    @Parameters(index = "0", paramLabel = "MODEL", description = "A Hugging Face model directory.")
    private Path model;

    @Parameters(
            index = "1",
            paramLabel = "PROMPT",
            description = "The text to continue; - reads it from standard input.")
    private String prompt;

    @Option(
            names = "--max-new-tokens",
            paramLabel = "N",
            description = "Default: as many as the model has positions for.")
    private Integer maxNewTokens;

    @Option(names = "--only-new", description = "Print the continuation without the prompt.")
    private boolean onlyNew;

    GenerateCommand(Console console, Engine engine) {
        this.console = console;
        this.engine = engine;
    }

    @Override
    public Integer call() throws IOException {
        if (maxNewTokens != null && maxNewTokens < 1) {
            throw new InvalidInputException("--max-new-tokens: expected at least 1, got " + maxNewTokens);
        }
        String text = prompt.equals("-") ? read(System.in) : prompt;
        OptionalInt limit = maxNewTokens == null ? OptionalInt.empty() : OptionalInt.of(maxNewTokens);
        String continuation = engine.generate(model, text, limit);
        console.out().println(onlyNew ? continuation : text + continuation);
        return 0;
    }

    private static String read(InputStream stream) throws IOException {
        // The newline with which a shell ends its text is not part of the prompt.
        return new String(stream.readAllBytes(), StandardCharsets.UTF_8).replaceFirst("\\R\\z", "");
    }
}
