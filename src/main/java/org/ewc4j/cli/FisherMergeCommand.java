package org.ewc4j.cli;

import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.ewc4j.config.EwcConfig;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code ewc4j fisher merge}. */
@Command(
        name = "merge",
        mixinStandardHelpOptions = true,
        versionProvider = Main.Version.class,
        header = "Merge consolidations of one model, as if their tasks had come one after another.",
        description = {
            "",
            "The anchor is the last one's, but for --schedule sum, which keeps every task's penalty about its own.",
            "Under ema a folder fades those before it once, however many tasks it holds.",
            ""
        },
        footer = {"", "Example:", "  ewc4j fisher merge base/ runs/a/task-00/consolidation --schedule sum -o both/"})
final class FisherMergeCommand implements Callable<Integer> {
    private final Console console;
    private final Engine engine;

    @Parameters(arity = "2..*", paramLabel = "DIR", description = "Consolidations, the oldest first.")
    private List<Path> folders;

    @Option(
            names = "--schedule",
            defaultValue = "running-mean",
            converter = MergeConverter.class,
            description = "running-mean, online, ema, sum or max. Default: ${DEFAULT-VALUE}.")
    private EwcConfig.Merge schedule;

    @Option(names = "--gamma", defaultValue = "1", description = "Of online. Default: ${DEFAULT-VALUE}.")
    private double gamma;

    @Option(names = "--alpha", defaultValue = "0.5", description = "Of ema. Default: ${DEFAULT-VALUE}.")
    private double alpha;

    @Option(
            names = {"-o", "--output"},
            required = true,
            paramLabel = "DIR",
            description = "Where to write the merged consolidation: a folder that does not exist or is empty.")
    private Path output;

    /** As the configuration spells it. */
    static final class MergeConverter extends LowerCaseConverter<EwcConfig.Merge> {
        MergeConverter() {
            super(EwcConfig.Merge.class);
        }
    }

    FisherMergeCommand(Console console, Engine engine) {
        this.console = console;
        this.engine = engine;
    }

    @Override
    public Integer call() {
        EwcConfig ewc =
                EwcConfig.defaults().withMerge(schedule).withGamma(gamma).withAlpha(alpha);
        engine.mergeFishers(folders, ewc, output);
        console.out().println("Consolidation in " + output);
        return 0;
    }
}
