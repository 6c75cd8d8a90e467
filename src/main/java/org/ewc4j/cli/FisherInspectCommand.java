package org.ewc4j.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalDouble;
import java.util.concurrent.Callable;
import org.ewc4j.consolidation.ConsolidationFolder;
import org.ewc4j.consolidation.FisherSummary;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.report.FisherPage;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code ewc4j fisher inspect}. */
@Command(
        name = "inspect",
        mixinStandardHelpOptions = true,
        versionProvider = Main.Version.class,
        header = "Show what a Fisher holds on to: quantiles by layer and kind of parameter, zeros, a picture.",
        description = {
            "",
            "Says so where it has vanished, or a task was known by heart when its Fisher was estimated.",
            ""
        },
        footer = {
            "",
            "Examples:",
            "  ewc4j fisher inspect runs/quickstart/task-00/consolidation",
            "  ewc4j fisher inspect runs/quickstart/task-04/consolidation --lambda 3e7 --learning-rate 1e-3 -o fisher.html"
        })
final class FisherInspectCommand implements Callable<Integer> {
    private final Console console;

    @Spec
    private CommandSpec spec;

    @Parameters(paramLabel = "DIR", description = "A consolidation.")
    private Path folder;

    @Option(
            names = "--lambda",
            description =
                    "With --learning-rate: show λ·F_max·learning rate, which tells whether so strong a pull is stable.")
    private Double lambda;

    @Option(names = "--learning-rate", description = "See --lambda.")
    private Double learningRate;

    @Option(
            names = {"-o", "--output"},
            paramLabel = "FILE",
            description = "Write the same as one HTML page with pictures, which needs no network.")
    private Path output;

    FisherInspectCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        if ((lambda == null) != (learningRate == null)) {
            throw new ParameterException(spec.commandLine(), "--lambda and --learning-rate go together");
        }
        requireNumber("--lambda", lambda);
        requireNumber("--learning-rate", learningRate);
        Path file = output == null ? null : output.toAbsolutePath().normalize();
        if (file != null && (Files.isDirectory(file) || !Files.isDirectory(file.getParent()))) {
            throw new InvalidInputException(
                    "--output " + file + ": expected the name of a file in a folder that exists");
        }
        ConsolidationFolder kept = ConsolidationFolder.open(folder);
        FisherSummary summary = FisherSummary.of(kept);
        OptionalDouble stability =
                lambda == null ? OptionalDouble.empty() : OptionalDouble.of(summary.stability(lambda, learningRate));
        FisherPage page = new FisherPage(kept, summary, stability);
        console.out().print(page.text());
        if (file != null) {
            page.write(file);
            console.out().println("Page in " + file);
        }
        return 0;
    }

    private void requireNumber(String option, Double value) {
        if (value != null && !(value >= 0 && value < Double.POSITIVE_INFINITY)) {
            throw new ParameterException(
                    spec.commandLine(), option + " " + value + ": expected a number of at least 0");
        }
    }
}
