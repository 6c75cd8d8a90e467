package org.ewc4j.eval;

import java.util.OptionalDouble;
import java.util.function.IntFunction;
import java.util.stream.IntStream;

/**
 * What a sequence of T tasks came to, in per cent (points), from an accuracy matrix R. Each is empty where an entry that
 * it needs was not scored. Entries above the diagonal (tasks not yet learned) never enter.
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
        return new ContinualMetrics(
                mean(matrix.tasks(), j -> matrix.get(last, j)),
                mean(matrix.tasks(), i -> averageSeen(matrix, i)),
                mean(last, j -> forgotten(matrix, j)),
                mean(last, j -> difference(matrix.get(last, j), matrix.get(j, j))));
    }

    /** mean_{j≤i} R[i][j]: the score after task {@code i} over the tasks learned by then. */
    public static OptionalDouble averageSeen(AccuracyMatrix matrix, int afterTask) {
        return mean(afterTask + 1, j -> matrix.get(afterTask, j));
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

    /** The mean over 0 … count−1; empty where there is none or one of them is missing. */
    private static OptionalDouble mean(int count, IntFunction<OptionalDouble> term) {
        double sum = 0;
        for (int k = 0; k < count; k++) {
            OptionalDouble value = term.apply(k);
            if (value.isEmpty()) {
                return OptionalDouble.empty();
            }
            sum += value.getAsDouble();
        }
        return count <= 0 ? OptionalDouble.empty() : OptionalDouble.of(sum / count);
    }
}
