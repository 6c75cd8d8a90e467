package org.ewc4j.cli;

import java.io.PrintWriter;
import java.util.Arrays;
import org.ewc4j.report.Versions;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** The entry of the command line: {@code ewc4j COMMAND}. */
@Command(
        name = "ewc4j",
        mixinStandardHelpOptions = true,
        versionProvider = Main.Version.class,
        synopsisSubcommandLabel = "COMMAND",
        header = "Teach a language model one task after another, and keep what it knew.%n",
        description = "%nFine-tunes a causal language model on a sequence of tasks by Elastic Weight Consolidation.%n",
        commandListHeading = "%nCommands:%n",
        footer = {
            "",
            "Examples:",
            "  ewc4j train examples/quickstart.yaml",
            "  ewc4j train examples/quickstart.yaml --set ewc.lambda=0 --output runs/plain",
            "  ewc4j report runs/quickstart runs/plain -o compare.html",
            "  ewc4j evaluate runs/quickstart/model examples/quickstart.yaml",
            "",
            "Exit codes: 0 done, 1 failed, 2 a mistake in what was given, 130 and 143 stopped by Ctrl-C and SIGTERM."
        })
public final class Main implements Runnable {
    private static final int USAGE_WIDTH = 100;

    @Option(
            names = "--verbose",
            scope = ScopeType.INHERIT,
            description = "Show more of what is done, and the trace of a failure.")
    boolean verbose;

    @Spec
    private CommandSpec spec;

    static final class Version implements IVersionProvider {
        @Override
        public String[] getVersion() {
            return Versions.all().entrySet().stream()
                    .map(entry -> entry.getKey() + " " + entry.getValue())
                    .toArray(String[]::new);
        }
    }

    private Main() {}

    /** Runs one command and ends the process with its exit code. */
    public static void main(String[] args) {
        setUpLogging(Arrays.asList(args).contains("--verbose"));
        Termination.install();
        System.exit(run(args, Console.ofProcess(), new Engine()));
    }

    /** Before the first logger is made: only the command line decides how ewc4j logs, a program that embeds it does not see this. */
    private static void setUpLogging(boolean verbose) {
        if (System.getProperty("logback.configurationFile") == null) {
            System.setProperty("logback.configurationFile", "org/ewc4j/cli/logback.xml");
        }
        if (verbose) {
            System.setProperty("ewc4j.log.level", "DEBUG");
        }
    }

    /** Runs one command in this process; returns its exit code. */
    static int run(String[] args, Console console, Engine engine) {
        CommandLine commandLine = commandLine(console, engine);
        try {
            int code = commandLine.execute(args);
            commandLine.getOut().flush();
            commandLine.getErr().flush();
            return code;
        } catch (Error e) {
            // No memory, or a library that does not load: picocli hands on exceptions only.
            return new Failures(console).report(e, Arrays.asList(args).contains("--verbose"));
        }
    }

    static CommandLine commandLine(Console console, Engine engine) {
        CommandLine commandLine = new CommandLine(new Main());
        commandLine.addSubcommand(new TrainCommand(console, engine));
        commandLine.addSubcommand(new SweepCommand(console, engine));
        commandLine.addSubcommand(new ValidateCommand(console, engine));
        commandLine.addSubcommand(new EvaluateCommand(console, engine));
        commandLine.addSubcommand(new GenerateCommand(console, engine));
        commandLine.addSubcommand(new ReportCommand(console));
        commandLine.addSubcommand(new CommandLine(new FisherCommand())
                .addSubcommand(new FisherInspectCommand(console))
                .addSubcommand(new FisherMergeCommand(console, engine))
                .addSubcommand(new FisherEstimateCommand(console, engine)));
        commandLine.addSubcommand(new BenchCommand(console, engine));
        commandLine.addSubcommand(new DoctorCommand(console, engine));
        commandLine.addSubcommand(new CompletionCommand(console));
        Failures failures = new Failures(console);
        commandLine.setOut(new PrintWriter(console.out(), true));
        commandLine.setErr(new PrintWriter(console.err(), true));
        commandLine.setUsageHelpWidth(USAGE_WIDTH);
        commandLine.setParameterExceptionHandler(failures::usage);
        commandLine.setExecutionExceptionHandler((exception, command, result) -> {
            boolean verbose = result.asCommandLineList().stream()
                    .anyMatch(line -> line.getParseResult().hasMatchedOption("--verbose"));
            return failures.report(exception, verbose);
        });
        return commandLine;
    }

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "expected a command");
    }
}
