package org.ewc4j.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.ewc4j.report.ProgressListener;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code ewc4j fisher estimate}. */
@Command(
        name = "estimate",
        mixinStandardHelpOptions = true,
        versionProvider = Main.Version.class,
        header = "Estimate the Fisher of a model on data, without training it.",
        description = {
            "",
            "The result is a consolidation: ewc.from: DIR protects what the model knows of the data while it learns"
                    + " something else.",
            ""
        },
        footer = {
            "",
            "Examples:",
            "  ewc4j fisher estimate models/pythia-70m facts.jsonl -o base/",
            "  ewc4j fisher estimate models/pythia-70m general.txt --set training.max_length=512 -o base/",
            "  ewc4j fisher estimate models/pythia-70m my.yaml --set ewc.fisher_batch_size=1 -o base/"
        })
final class FisherEstimateCommand implements Callable<Integer> {
    private final Console console;
    private final Engine engine;

    @Parameters(index = "0", paramLabel = "MODEL", description = "A Hugging Face model directory.")
    private Path model;

    @Parameters(
            index = "1",
            paramLabel = "DATA",
            description =
                    "A tasks file (JSONL, or incremental-learning JSON), whose training rows are read; plain text (.txt,"
                            + " or JSONL with --text), packed to training.max_length; or a configuration (.yaml), of which tasks,"
                            + " text, prompt, training and ewc are used.")
    private Path data;

    @Option(names = "--text", description = "DATA is plain text: where its name ends in .jsonl, a document a line.")
    private boolean text;

    @Option(
            names = {"-o", "--output"},
            required = true,
            paramLabel = "DIR",
            description = "Where to write the consolidation: a folder that does not exist or is empty.")
    private Path output;

    @Option(
            names = "--set",
            paramLabel = "KEY=VALUE",
            description = "Any key of the configuration, such as ewc.fisher=uniform. May be repeated.")
    private List<String> settings = new ArrayList<>();

    FisherEstimateCommand(Console console, Engine engine) {
        this.console = console;
        this.engine = engine;
    }

    @Override
    public Integer call() throws Exception {
        Termination.stoppable(() -> {
            try (ProgressListener progress = new ProgressListener(console.err(), console.terminal())) {
                engine.estimateFisher(model, data, text, settings, output, progress);
            }
            return null;
        });
        console.out().println("Consolidation in " + output);
        return 0;
    }
}
