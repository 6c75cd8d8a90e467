package org.ewc4j.eval;

import java.util.OptionalDouble;
import java.util.function.IntFunction;
import java.util.stream.IntStream;

/**
 * What a sequence of T tasks came to, in per cent (points), from an accuracy matrix R. Each is empty where an entry that
 * it needs was not scored. Entries above the diagonal (tasks not yet learned) never enter, nor does a task without any score:
 * plain text has no exact match. T is then the number of the others, and a row without one of them does not enter.
 *
 * @param average mean_j R[T−1][j]
 * @param averageIncremental mean_i mean_{j≤i} R[i][j]
 * @param forgetting mean_{j&lt;T−1} (max_{j≤i≤T−1} R[i][j] − R[T−1][j]), never negative; empty for one task (Chaudhry et
 *     al., "Riemannian Walk for Incremental Learning", 2018, with the last row among those of the maximum)
 * @param backwardTransfer mean_{j&lt;T−1} (R[T−1][j] − R[j][j]); empty for one task (Lopez-Paz and Ranzato 2017)
 */
public record ContinualMetrics(
        OptionalDouble average,
        OptionalDouble averageIncremental,
        OptionalDouble forgetting,
        OptionalDouble backwardTransfer) {

    /** The metrics of {@code matrix}. */
    public static ContinualMetrics of(AccuracyMatrix matrix) {
        int last = matrix.tasks() - 1;
        int[] all = scored(matrix, matrix.tasks());
        int[] before = scored(matrix, last);
        return new ContinualMetrics(
                mean(all, j -> matrix.get(last, j)),
                mean(IntStream.rangeClosed(all.length == 0 ? 0 : all[0], last).toArray(), i -> averageSeen(matrix, i)),
                mean(before, j -> forgotten(matrix, j)),
                mean(before, j -> difference(matrix.get(last, j), matrix.get(j, j))));
    }

    /** mean_{j≤i} R[i][j]: the score after task {@code i} over the tasks learned by then. */
    public static OptionalDouble averageSeen(AccuracyMatrix matrix, int afterTask) {
        return mean(scored(matrix, afterTask + 1), j -> matrix.get(afterTask, j));
    }

    /** Those of the first {@code count} tasks that have a score at all. */
    private static int[] scored(AccuracyMatrix matrix, int count) {
        return IntStream.range(0, count).filter(matrix::isScored).toArray();
    }

    private static OptionalDouble forgotten(AccuracyMatrix matrix, int task) {
        int last = matrix.tasks() - 1;
        boolean scored = IntStream.rangeClosed(task, last)
                .allMatch(i -> matrix.get(i, task).isPresent());
        if (!scored) {
            return OptionalDouble.empty();
        }
        OptionalDouble best = IntStream.rangeClosed(task, last)
                .mapToDouble(i -> matrix.get(i, task).getAsDouble())
                .max();
        return difference(best, matrix.get(last, task));
    }

    private static OptionalDouble difference(OptionalDouble a, OptionalDouble b) {
        return a.isPresent() && b.isPresent()
                ? OptionalDouble.of(a.getAsDouble() - b.getAsDouble())
                : OptionalDouble.empty();
    }

    /** The mean over some indices; empty where there is none or one of its terms is missing. */
    private static OptionalDouble mean(int[] indices, IntFunction<OptionalDouble> term) {
        double sum = 0;
        for (int k : indices) {
            OptionalDouble value = term.apply(k);
            if (value.isEmpty()) {
                return OptionalDouble.empty();
            }
            sum += value.getAsDouble();
        }
        return indices.length == 0 ? OptionalDouble.empty() : OptionalDouble.of(sum / indices.length);
    }
}
