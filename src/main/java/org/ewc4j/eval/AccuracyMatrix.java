package org.ewc4j.eval;

import java.util.Arrays;
import java.util.Collection;
import java.util.OptionalDouble;
import java.util.function.ToDoubleFunction;
import org.ewc4j.config.EvaluationConfig.Split;

/**
 * R[i][j], the score on task j after learning task i, on one split. Entries that were not scored are absent. The same
 * table holds exact match in per cent, or mean token loss in nats; the two are filled by {@link #ofExactMatch} and
 * {@link #ofTokenLoss}. Immutable.
 *
 * <p>Source of the notation: Lopez-Paz and Ranzato, "Gradient Episodic Memory for Continual Learning", 2017.
 */
public final class AccuracyMatrix {
    private final double[][] entries;

    private AccuracyMatrix(double[][] entries) {
        this.entries = entries;
    }

    /** Exact match in per cent of {@code split} from the scores of a run over {@code tasks} tasks. */
    public static AccuracyMatrix ofExactMatch(int tasks, Collection<TaskScore> scores, Split split) {
        return of(tasks, scores, split, TaskScore::exactMatch);
    }

    /** Mean token loss in nats of {@code split} from the scores of a run over {@code tasks} tasks. */
    public static AccuracyMatrix ofTokenLoss(int tasks, Collection<TaskScore> scores, Split split) {
        return of(tasks, scores, split, TaskScore::tokenLoss);
    }

    /**
     * The matrix with these rows, copied; NaN or an infinity means not scored.
     *
     * @throws IllegalArgumentException where the rows are not as many as they are long
     */
    public static AccuracyMatrix ofRows(double[][] rows) {
        double[][] copy = new double[rows.length][];
        for (int i = 0; i < rows.length; i++) {
            if (rows[i].length != rows.length) {
                throw new IllegalArgumentException(
                        "row " + i + " has " + rows[i].length + " entries, expected " + rows.length);
            }
            copy[i] = rows[i].clone();
        }
        return new AccuracyMatrix(copy);
    }

    private static AccuracyMatrix of(
            int tasks, Collection<TaskScore> scores, Split split, ToDoubleFunction<TaskScore> value) {
        double[][] entries = new double[tasks][tasks];
        for (double[] row : entries) {
            Arrays.fill(row, Double.NaN);
        }
        for (TaskScore score : scores) {
            if (score.split() == split) {
                entries[score.afterTask()][score.task()] = value.applyAsDouble(score);
            }
        }
        return new AccuracyMatrix(entries);
    }

    /** How many tasks: the number of rows and of columns. */
    public int tasks() {
        return entries.length;
    }

    /** R[afterTask][task]; empty where it was not scored, or its value is not a finite number. */
    public OptionalDouble get(int afterTask, int task) {
        double value = entries[afterTask][task];
        return Double.isFinite(value) ? OptionalDouble.of(value) : OptionalDouble.empty();
    }

    /** Whether there is a score of a task after any. */
    public boolean isScored(int task) {
        return Arrays.stream(entries).anyMatch(row -> Double.isFinite(row[task]));
    }

    /**
     * exp of each entry of the tasks without an exact match, those of plain text: the perplexity, from a token loss.
     *
     * @param exactMatch of the same run and split
     */
    public AccuracyMatrix perplexityOfText(AccuracyMatrix exactMatch) {
        double[][] values = new double[tasks()][tasks()];
        for (int i = 0; i < tasks(); i++) {
            for (int j = 0; j < tasks(); j++) {
                values[i][j] = exactMatch.isScored(j) ? Double.NaN : Math.exp(entries[i][j]);
            }
        }
        return new AccuracyMatrix(values);
    }

    /** Whether nothing was scored at all. */
    public boolean isEmpty() {
        return Arrays.stream(entries).flatMapToDouble(Arrays::stream).noneMatch(Double::isFinite);
    }
}
