package org.ewc4j.report;

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
import org.ewc4j.tensor.Checksum;
import org.ewc4j.tensor.UninterruptedWork;
import org.ewc4j.train.StepMetrics;

/**
 * What a run leaves on disk: {@code config.yaml}, {@code steps.jsonl}, {@code predictions.jsonl}, {@code results.json}
 * and {@code report.html}, and the places of checkpoints beside them, which others write. Listens to the run; the
 * visible files are brought up to date after each task, at the end, and when closed after a failure, each written beside
 * and renamed. The same run leaves the same bytes, but for seconds.
 *
 * <p>Whoever creates it has locked the folder ({@link org.ewc4j.checkpoint.FolderLock}), and closes this before the lock.
 * Belongs to the thread that runs the learner.
 */
public final class RunFolder implements RunListener, AutoCloseable {
    /**
     * What had been written at a moment, to go on behind.
     *
     * @param steps rows of {@code steps.jsonl}
     * @param predictions rows of {@code predictions.jsonl}
     * @param scores so far, without their predictions
     * @param protectedScores so far
     */
    public record Mark(
            Checksum steps, Checksum predictions, List<TaskScore> scores, List<ProtectedScore> protectedScores) {
        public Mark {
            protectedScores = List.copyOf(protectedScores);
            scores = List.copyOf(scores);
        }
    }

    private static final String STEPS = "steps.jsonl";
    private static final String PREDICTIONS = "predictions.jsonl";
    private static final String CONFIGURATION = "config.yaml";
    static final String RESULTS = "results.json";

    private final Path folder;
    private final JsonLinesFile steps;
    private final JsonLinesFile predictions;
    private final List<TaskScore> scores = new ArrayList<>();
    private final List<ProtectedScore> protectedScores = new ArrayList<>();
    private Optional<RunStart> start = Optional.empty();
    private Optional<RunTotals> totals = Optional.empty();
    private boolean closed;

    private RunFolder(Path folder, Mark mark) {
        this.folder = folder;
        this.scores.addAll(mark.scores());
        this.protectedScores.addAll(mark.protectedScores());
        this.steps = new JsonLinesFile(folder.resolve(STEPS), mark.steps());
        try {
            this.predictions = new JsonLinesFile(folder.resolve(PREDICTIONS), mark.predictions());
        } catch (RuntimeException e) {
            steps.close();
            throw e;
        }
    }

    /**
     * Checks that {@code folder} may take a run, and changes nothing: it does not exist, or is empty, or {@code
     * overwrite} is given and it holds an ewc4j run and nothing else; and nobody has locked it, and it can be written.
     *
     * @throws InvalidInputException otherwise
     */
    public static void check(Path folder, boolean overwrite) {
        OutputCheck.check(folder, overwrite);
    }

    /**
     * As {@link #check}, of a folder that the caller has locked.
     *
     * @throws InvalidInputException where something is in it that is not to be replaced
     */
    public static void requireRoom(Path folder, boolean overwrite) {
        OutputCheck.requireRoom(folder, overwrite);
    }

    /**
     * Makes the folder, after removing the run that was in it where {@code overwrite} says so, and writes its {@code
     * config.yaml}. To be called when everything else was checked.
     *
     * @param configurationYaml the configuration as resolved; readable as a configuration again, as is the file
     * @param seed the seed of the run, named in the head of the file with the versions
     * @throws InvalidInputException as {@link #requireRoom}
     * @throws RunFailedException where the folder cannot be written after all
     */
    public static RunFolder create(Path folder, boolean overwrite, String configurationYaml, long seed) {
        requireRoom(folder, overwrite);
        AtomicFile.createFolders(folder);
        if (overwrite && isRun(folder)) {
            OutputCheck.removeRun(folder);
        }
        writeConfiguration(folder, configurationYaml, seed);
        return new RunFolder(folder, new Mark(new Checksum(0, ""), new Checksum(0, ""), List.of(), List.of()));
    }

    /**
     * Goes on with a run behind a mark; rows that were written later are dropped.
     *
     * @throws InvalidInputException where the rows of the mark are not there any more
     */
    public static RunFolder resume(Path folder, Mark mark) {
        return new RunFolder(folder, mark);
    }

    /** Whether a folder holds an ewc4j run, ended or not. */
    public static boolean isRun(Path folder) {
        return OutputCheck.hasMarker(folder.resolve(CONFIGURATION));
    }

    /** Whether a folder holds a run that ended as planned. */
    public static boolean isFinished(Path folder) {
        Path results = folder.resolve(RESULTS);
        return Files.isRegularFile(results)
                && RunJson.read(results).at("/seconds/train").isNumber();
    }

    /** The configuration file of the run in a folder. */
    public static Path configuration(Path folder) {
        return folder.resolve(CONFIGURATION);
    }

    /** Where the checkpoints of the run in a folder lie. */
    public static Path checkpoints(Path folder) {
        return folder.resolve("checkpoints");
    }

    /**
     * That the rows of a mark are there.
     *
     * @throws InvalidInputException where they are not
     */
    public static void requireRows(Path folder, Mark mark) {
        JsonLinesFile.requireRows(folder.resolve(STEPS), mark.steps());
        JsonLinesFile.requireRows(folder.resolve(PREDICTIONS), mark.predictions());
    }

    /** Writes {@code config.yaml} anew, as for a run that goes on with other intervals. */
    public static void writeConfiguration(Path folder, String configurationYaml, long seed) {
        write(folder.resolve(CONFIGURATION), header(seed) + configurationYaml);
    }

    /** What was written so far. */
    public Mark mark() {
        return new Mark(steps.mark(), predictions.mark(), scores, protectedScores);
    }

    /** Forces the rows of the last {@link #mark} to the disk; may be called from another thread. */
    public void force() {
        steps.force();
        predictions.force();
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
            write(folder.resolve(RESULTS), RunJson.pretty(RunJson.results(started, scores, protectedScores, totals)));
            writeReport(folder);
        });
    }

    /** Ends what a run was killed in the middle of when all else had been written: its report anew, temporary files away. */
    public static void tidyFinished(Path folder) {
        JsonLinesFile.removePartial(folder.resolve(STEPS));
        JsonLinesFile.removePartial(folder.resolve(PREDICTIONS));
        writeReport(folder);
    }

    /** Makes the report of the run in a folder from what lies there. */
    private static void writeReport(Path folder) {
        UninterruptedWork.run(() -> write(folder.resolve("report.html"), ReportPage.of(List.of(folder))));
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
