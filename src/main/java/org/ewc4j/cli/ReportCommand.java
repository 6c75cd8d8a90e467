package org.ewc4j.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.report.ReportPage;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code ewc4j report}. */
@Command(
        name = "report",
        mixinStandardHelpOptions = true,
        versionProvider = Main.Version.class,
        header = "Make one page of one run, or of several side by side.",
        description = {"", "The page is one HTML file that needs no network.", ""},
        footer = {
            "",
            "Examples:",
            "  ewc4j report runs/quickstart",
            "  ewc4j report runs/quickstart runs/plain runs/uniform -o compare.html"
        })
final class ReportCommand implements Callable<Integer> {
    private final Console console;

    @Parameters(arity = "1..*", paramLabel = "RUN", description = "Output folders of `ewc4j train`.")
    private List<Path> runs;

    @Option(
            names = {"-o", "--output"},
            paramLabel = "FILE",
            description =
                    "Where to write the page. Default: report.html in the run's folder for one run, in the working"
                            + " directory for several.")
    private Path output;

    ReportCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        Path byDefault = runs.size() == 1 ? runs.get(0).resolve("report.html") : Path.of("report.html");
        Path file = (output == null ? byDefault : output).toAbsolutePath().normalize();
        if (Files.isDirectory(file)) {
            throw new InvalidInputException("--output " + file + " is a folder; give the name of a file");
        }
        if (output != null && !Files.isDirectory(file.getParent())) {
            throw new InvalidInputException("--output " + file + ": its folder does not exist; make it first");
        }
        ReportPage.write(runs, file);
        console.out().println("Report in " + file);
        return 0;
    }
}
