package org.ewc4j.cli;

import java.util.List;
import java.util.concurrent.Callable;
import org.ewc4j.config.RunConfig;
import org.ewc4j.report.ProgressListener;
import org.ewc4j.report.ScoreTable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code ewc4j train}. */
@Command(
        name = "train",
        mixinStandardHelpOptions = true,
        versionProvider = Main.Version.class,
        header = "Learn the tasks of a configuration one after another.",
        description = {
            "",
            "After each task the model is consolidated and asked the questions of the tasks so far. The output folder gets"
                    + " the configuration as resolved, a row per step, the scores, a report and the model.",
            ""
        },
        footer = {
            "",
            "Examples:",
            "  ewc4j train examples/quickstart.yaml",
            "  ewc4j train my.yaml --set ewc.lambda=1e6 --set training.epochs=20 --output runs/strong",
            "  ewc4j train my.yaml --overwrite"
        })
final class TrainCommand implements Callable<Integer> {
    private final Console console;
    private final Engine engine;

    @Mixin
    private ConfigurationArguments arguments;

    @Option(
            names = "--overwrite",
            description = "Replace the ewc4j run in the output folder, once everything was checked.")
    private boolean overwrite;

    @Mixin
    private ProfilerArguments profiler;

    TrainCommand(Console console, Engine engine) {
        this.console = console;
        this.engine = engine;
    }

    @Override
    public Integer call() {
        RunConfig configuration = arguments.read(engine);
        profiler.start(engine, configuration);
        ScoreTable table = new ScoreTable();
        List<String> warnings;
        try (ProgressListener progress = new ProgressListener(console.err(), console.terminal())) {
            warnings = engine.train(configuration, overwrite, List.of(progress, table));
        } finally {
            engine.endProfiling();
        }
        console.out().print(table.text());
        warnings.forEach(warning -> console.out().println("Note: " + warning));
        console.out().println("Run in " + configuration.output() + ", see report.html there");
        return 0;
    }
}
