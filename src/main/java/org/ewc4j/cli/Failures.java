package org.ewc4j.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.ewc4j.error.Ewc4jException;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.RunInterruptedException;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/** Turns what a command throws into one line and an exit code. */
final class Failures {
    static final int FAILED = 1;
    static final int INVALID = 2;

    private final Console console;

    Failures(Console console) {
        this.console = console;
    }

    /** A mistake in the arguments: what is wrong, the nearest option, and where to read on. */
    int usage(ParameterException exception, String[] args) {
        CommandLine command = exception.getCommandLine();
        line(oneLine(exception.getMessage()));
        if (exception instanceof UnmatchedArgumentException unmatched) {
            List<String> suggestions = unmatched.getSuggestions();
            if (!suggestions.isEmpty()) {
                console.err().println("Did you mean " + String.join(" or ", suggestions) + "?");
            }
        }
        console.err().println("Try '" + command.getCommandSpec().qualifiedName() + " --help'.");
        return INVALID;
    }

    /** A mistake in the input is one line; a failure is one line and the place of its trace. */
    int report(Throwable failure, boolean verbose) {
        if (failure instanceof RunInterruptedException && Termination.exitCode() != 0) {
            line("stopped (" + oneLine(failure.getMessage()) + ")");
            return Termination.exitCode();
        }
        boolean mistake = failure instanceof InvalidInputException;
        String message = failure.getMessage();
        boolean ours = failure instanceof Ewc4jException;
        line(oneLine(ours && message != null ? message : failure.toString()));
        if (verbose) {
            failure.printStackTrace(console.err());
        } else if (!mistake) {
            logTrace(failure);
        }
        return mistake ? INVALID : FAILED;
    }

    private void logTrace(Throwable failure) {
        try {
            Path log = Files.createTempFile("ewc4j-failure-", ".log");
            try (PrintWriter writer = new PrintWriter(Files.newBufferedWriter(log, StandardCharsets.UTF_8))) {
                failure.printStackTrace(writer);
            }
            console.err().println("Trace in " + log + " (--verbose shows it here)");
        } catch (IOException e) {
            console.err().println("Run again with --verbose for the trace");
        }
    }

    private void line(String message) {
        console.err().println("ewc4j: " + message);
    }

    private static String oneLine(String message) {
        return message.strip().replaceAll("\\s*\\R\\s*", " ");
    }
}
