package org.ewc4j.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.ewc4j.ContinualRun;
import org.ewc4j.ContinualRun.Existing;
import org.ewc4j.config.RunConfig;
import org.ewc4j.error.RunInterruptedException;
import org.ewc4j.report.ProgressListener;
import org.ewc4j.report.RunListener;
import org.ewc4j.report.RunStart;
import org.ewc4j.report.ScoreTable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

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
            "  ewc4j train my.yaml --resume",
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

    @Option(
            names = "--resume",
            description = "Go on with the run in the output folder where it was stopped; where there is none, begin.")
    private boolean resume;

    @Mixin
    private ProfilerArguments profiler;

    @Spec
    private CommandSpec spec;

    private boolean begun;

    TrainCommand(Console console, Engine engine) {
        this.console = console;
        this.engine = engine;
    }

    @Override
    public Integer call() throws Exception {
        if (overwrite && resume) {
            throw new ParameterException(
                    spec.commandLine(), "--overwrite and --resume exclude each other: a run is replaced, or goes on");
        }
        RunConfig configuration = arguments.read(engine);
        profiler.start(engine, configuration);
        try {
            return Termination.stoppable(() -> train(configuration));
        } catch (RunInterruptedException e) {
            return stopped(configuration, e);
        } finally {
            engine.endProfiling();
        }
    }

    private int train(RunConfig configuration) {
        ScoreTable table = new ScoreTable();
        ContinualRun.Outcome outcome;
        try (ProgressListener progress = new ProgressListener(console.err(), console.terminal())) {
            outcome = engine.train(configuration, existing(), List.of(progress, table, beginning()));
        }
        if (outcome.finishedBefore()) {
            console.out().println("The run in " + configuration.output() + " has ended already, see report.html there");
            return 0;
        }
        console.out().print(table.text());
        outcome.warnings().forEach(warning -> console.out().println("Note: " + warning));
        console.out().println("Run in " + configuration.output() + ", see report.html there");
        return 0;
    }

    private RunListener beginning() {
        return new RunListener() {
            @Override
            public void runStarted(RunStart start) {
                begun = true;
            }
        };
    }

    private Existing existing() {
        return overwrite ? Existing.OVERWRITE : resume ? Existing.RESUME : Existing.AS_CONFIGURED;
    }

    /** Says where the run stands and how it goes on; an interrupt that was no signal is a failure like others. */
    private int stopped(RunConfig configuration, RunInterruptedException exception) {
        int code = Termination.exitCode();
        if (code == 0) {
            throw exception;
        }
        // Until this run begins the folder has the one that it is to replace.
        boolean saved = (begun || !overwrite) && engine.canResume(configuration);
        console.err()
                .println("ewc4j: stopped (" + exception.getMessage() + "), "
                        + (saved ? "all is saved; to go on:" : "before there was anything to save; to begin:"));
        console.err().println("  " + commandAgain(saved));
        return code;
    }

    /** What was typed, to type again. */
    private String commandAgain(boolean saved) {
        List<String> words = new ArrayList<>();
        words.add(System.getProperty("ewc4j.command", "ewc4j"));
        spec.root().commandLine().getParseResult().originalArgs().stream()
                .filter(word -> !saved || !word.equals("--overwrite") && !word.equals("--resume"))
                .forEach(words::add);
        if (saved) {
            words.add("--resume");
        }
        return words.stream().map(TrainCommand::quoted).collect(Collectors.joining(" "));
    }

    /** As a shell reads it. */
    private static String quoted(String word) {
        return word.matches("[\\w@%+=:,./-]+") ? word : "'" + word.replace("'", "'\\''") + "'";
    }
}
