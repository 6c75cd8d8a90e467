package org.ewc4j.eval;

import java.util.OptionalDouble;
import java.util.function.IntFunction;
import java.util.stream.IntStream;

/**
 * What a sequence of T tasks came to in mean token loss L[i][j], in nats, lower is better: defined for questions and for plain
 * text, which has no exact match. Each is empty where an entry that it needs was not scored.
 *
 * @param average mean_j L[T−1][j]
 * @param learned mean_j L[j][j], each task's loss when it had just been learned: how plastic the model stayed
 * @param forgetting mean_{j&lt;T−1} (L[T−1][j] − min_{j≤i≤T−1} L[i][j]), never negative; empty for one task
 */
public record TokenLossMetrics(OptionalDouble average, OptionalDouble learned, OptionalDouble forgetting) {
    /** The metrics of a matrix of token losses. */
    public static TokenLossMetrics of(AccuracyMatrix loss) {
        int last = loss.tasks() - 1;
        return new TokenLossMetrics(
                mean(loss.tasks(), j -> loss.get(last, j)),
                mean(loss.tasks(), j -> loss.get(j, j)),
                mean(last, j -> forgotten(loss, j)));
    }

    private static OptionalDouble forgotten(AccuracyMatrix loss, int task) {
        int last = loss.tasks() - 1;
        double lowest = Double.POSITIVE_INFINITY;
        for (int i = task; i <= last; i++) {
            if (loss.get(i, task).isEmpty()) {
                return OptionalDouble.empty();
            }
            lowest = Math.min(lowest, loss.get(i, task).getAsDouble());
        }
        return OptionalDouble.of(loss.get(last, task).getAsDouble() - lowest);
    }

    private static OptionalDouble mean(int count, IntFunction<OptionalDouble> term) {
        double[] terms = IntStream.range(0, count)
                .mapToObj(term)
                .flatMapToDouble(OptionalDouble::stream)
                .toArray();
        return terms.length == count
                ? IntStream.range(0, count).mapToDouble(k -> terms[k]).average()
                : OptionalDouble.empty();
    }
}
