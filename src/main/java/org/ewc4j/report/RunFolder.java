package org.ewc4j.report;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.RunFailedException;
import org.ewc4j.eval.ProtectedScore;
import org.ewc4j.eval.TaskScore;
import org.ewc4j.tensor.AtomicFile;
import org.ewc4j.train.StepMetrics;

/**
 * What a run leaves on disk: {@code config.yaml}, {@code steps.jsonl}, {@code predictions.jsonl}, {@code results.json}
 * and {@code report.html}, and the places of checkpoints beside them, which others write. Listens to the run; the
 * visible files are brought up to date after each task, at the end, and when closed after a failure, each written beside
 * and renamed. The same run leaves the same bytes, but for seconds.
 *
 * <p>Whoever creates it closes it. Belongs to the thread that runs the learner.
 */
public final class RunFolder implements RunListener, AutoCloseable {
    private final Path folder;
    private final JsonLinesFile steps;
    private final JsonLinesFile predictions;
    private final List<TaskScore> scores = new ArrayList<>();
    private final List<ProtectedScore> protectedScores = new ArrayList<>();
    private Optional<RunStart> start = Optional.empty();
    private Optional<RunTotals> totals = Optional.empty();
    private boolean closed;

    private RunFolder(Path folder) {
        this.folder = folder;
        this.steps = new JsonLinesFile(folder.resolve("steps.jsonl"));
        try {
            this.predictions = new JsonLinesFile(folder.resolve("predictions.jsonl"));
        } catch (RuntimeException e) {
            steps.close();
            throw e;
        }
    }

    /**
     * Checks that {@code folder} may take a run, and changes nothing: it does not exist, or is empty, or {@code
     * overwrite} is given and it holds an ewc4j run and nothing else; and it can be written.
     *
     * @throws InvalidInputException otherwise
     */
    public static void check(Path folder, boolean overwrite) {
        OutputCheck.check(folder, overwrite);
    }

    /**
     * Makes the folder, after removing the run that was in it where {@code overwrite} says so, and writes its {@code
     * config.yaml}. To be called when everything else was checked.
     *
     * @param configurationYaml the configuration as resolved; readable as a configuration again, as is the file
     * @param seed the seed of the run, named in the head of the file with the versions
     * @throws InvalidInputException as {@link #check}
     * @throws RunFailedException where the folder cannot be written after all
     */
    public static RunFolder create(Path folder, boolean overwrite, String configurationYaml, long seed) {
        check(folder, overwrite);
        if (OutputCheck.hasMarker(folder.resolve("config.yaml"))) {
            OutputCheck.removeRun(folder);
        }
        try {
            Files.createDirectories(folder);
        } catch (IOException e) {
            throw new RunFailedException("output " + folder + " cannot be made: " + e.getMessage(), e);
        }
        write(folder.resolve("config.yaml"), header(seed) + configurationYaml);
        return new RunFolder(folder);
    }

    private static String header(long seed) {
        Map<String, String> versions = Versions.all();
        String libraries = versions.entrySet().stream()
                .filter(entry -> !entry.getKey().equals("ewc4j"))
                .map(entry -> entry.getKey() + " " + entry.getValue())
                .collect(Collectors.joining(", "));
        return OutputCheck.MARKER + versions.get("ewc4j") + "\n# " + libraries + "\n# seed " + seed
                + "\n# The configuration as resolved; it can be given to `ewc4j train` again.\n";
    }

    /** The folder itself. */
    public Path path() {
        return folder;
    }

    /** Where the final model belongs: {@code model/}. Not made here. */
    public Path model() {
        return folder.resolve("model");
    }

    /** Where the model after a task belongs, with {@code keep: all}: {@code task-NN/model/}. Not made here. */
    public Path taskModel(int task) {
        return taskFolder(task).resolve("model");
    }

    /** Where the consolidation after a task belongs: {@code task-NN/consolidation/}. Not made here. */
    public Path consolidation(int task) {
        return taskFolder(task).resolve("consolidation");
    }

    private Path taskFolder(int task) {
        return folder.resolve(String.format(Locale.ROOT, "task-%02d", task));
    }

    @Override
    public void runStarted(RunStart start) {
        this.start = Optional.of(start);
    }

    @Override
    public void step(StepMetrics metrics) {
        steps.append(RunJson.step(metrics));
    }

    @Override
    public void scored(TaskScore score) {
        score.predictions().forEach(prediction -> predictions.append(RunJson.prediction(prediction)));
        // The predictions are on disk; only the numbers are kept.
        scores.add(new TaskScore(
                score.afterTask(),
                score.task(),
                score.taskName(),
                score.split(),
                score.exactMatch(),
                score.tokenLoss(),
                List.of()));
    }

    @Override
    public void protectedScored(ProtectedScore score) {
        protectedScores.add(score);
    }

    @Override
    public void taskFinished(int task, String taskName) {
        publish();
    }

    @Override
    public void runFinished(RunTotals totals) {
        this.totals = Optional.of(totals);
        publish();
    }

    private void publish() {
        steps.publish();
        predictions.publish();
        start.ifPresent(started -> {
            write(
                    folder.resolve("results.json"),
                    RunJson.pretty(RunJson.results(started, scores, protectedScores, totals)));
            write(folder.resolve("report.html"), ReportPage.of(List.of(folder)));
        });
    }

    private static void write(Path file, String text) {
        AtomicFile.write(file, text.getBytes(StandardCharsets.UTF_8));
    }

    /**
     * Publishes what a run that did not end as planned left behind, and removes the temporary files. Does nothing the
     * second time.
     */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        try (steps;
                predictions) {
            if (totals.isEmpty()) {
                publish();
            }
        }
    }
}
