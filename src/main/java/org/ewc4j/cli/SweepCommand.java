package org.ewc4j.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.ewc4j.config.RunConfig;
import org.ewc4j.error.RunInterruptedException;
import org.ewc4j.eval.LambdaChoice;
import org.ewc4j.report.LambdaTable;
import org.ewc4j.report.ProgressListener;
import org.ewc4j.report.SweepPage;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code ewc4j sweep}. */
@Command(
        name = "sweep",
        mixinStandardHelpOptions = true,
        versionProvider = Main.Version.class,
        header = "Try several λ on the tasks of a configuration, and see what each keeps and learns.",
        description = {
            "",
            "The first task is trained once; plain fine-tuning (λ 0) and each λ go on from there. The best is chosen on the"
                    + " training questions, or on validation files where the tasks name such, never on test questions.",
            ""
        },
        footer = {
            "",
            "Examples:",
            "  ewc4j sweep examples/quickstart.yaml",
            "  ewc4j sweep my.yaml --lambda 1e3,1e4,1e5 -o runs/lambda",
            "  ewc4j train my.yaml --set ewc.lambda=auto    # the same over the first two tasks, then the run"
        })
final class SweepCommand implements Callable<Integer> {
    private final Console console;
    private final Engine engine;

    @Spec
    private CommandSpec spec;

    @Parameters(paramLabel = "CONFIG", description = "The configuration, a YAML file (docs/configuration.md).")
    private Path configuration;

    @Option(
            names = "--set",
            paramLabel = "KEY=VALUE",
            description = "Put a value over the file's. May be repeated. Paths are relative to the file.")
    private List<String> settings = new ArrayList<>();

    @Option(
            names = "--lambda",
            paramLabel = "NUMBER",
            split = ",",
            description = "What to try beside 0. Default: λ₁, 10 λ₁, … 10⁴ λ₁, where λ₁ is the median of"
                    + " ‖g‖ ÷ ‖F(θ−θ*)‖ along plain fine-tuning.")
    private List<Double> lambdas = new ArrayList<>();

    @Option(
            names = {"-o", "--output"},
            paramLabel = "DIR",
            description = "Where to write sweep.html and sweep.json. Default: runs/<the file's name>-sweep.")
    private Path output;

    @Option(names = "--overwrite", description = "Replace the sweep in the output folder.")
    private boolean overwrite;

    private boolean written;

    SweepCommand(Console console, Engine engine) {
        this.console = console;
        this.engine = engine;
    }

    @Override
    public Integer call() throws Exception {
        for (double lambda : lambdas) {
            if (!(lambda >= 0 && lambda < Double.POSITIVE_INFINITY)) {
                throw new ParameterException(
                        spec.commandLine(), "--lambda " + lambda + ": expected numbers of at least 0");
            }
        }
        RunConfig config = engine.read(configuration, settings, Optional.empty());
        String name = configuration.getFileName().toString().replaceFirst("\\.ya?ml$", "");
        Path folder = (output == null ? Path.of("runs", name + "-sweep") : output)
                .toAbsolutePath()
                .normalize();
        SweepPage.check(folder, overwrite);
        try {
            LambdaChoice choice = Termination.stoppable(() -> sweep(config, name, folder));
            console.out().print(LambdaTable.of(choice));
            console.out().println("Sweep in " + folder + ", see sweep.html there");
            return 0;
        } catch (RunInterruptedException e) {
            return stopped(e, folder);
        }
    }

    private LambdaChoice sweep(RunConfig config, String name, Path folder) {
        try (ProgressListener progress = new ProgressListener(console.err(), console.terminal())) {
            return engine.sweep(config, lambdas, progress, soFar -> {
                SweepPage.write(name, soFar, folder);
                written = true;
            });
        }
    }

    /** Says what is kept; an interrupt that was no signal is a failure like others. */
    private int stopped(RunInterruptedException exception, Path folder) {
        int code = Termination.exitCode();
        if (code == 0) {
            throw exception;
        }
        console.err()
                .println("ewc4j: stopped (" + exception.getMessage() + "), "
                        + (written
                                ? "the λ tried until then are in " + folder
                                        + "; a sweep begins anew, with --overwrite there"
                                : "before a λ was tried"));
        return code;
    }
}
