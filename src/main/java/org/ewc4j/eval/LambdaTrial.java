package org.ewc4j.eval;

import java.util.Optional;
import java.util.OptionalDouble;
import java.util.stream.IntStream;

/**
 * What one λ came to, on the questions that λ is chosen by.
 *
 * @param lambda λ; 0: plain fine-tuning
 * @param accuracy exact match in per cent
 * @param tokenLoss mean token loss in nats
 * @param penaltyGradRatio median of ‖λF(θ−θ*)‖ ÷ ‖g‖ over the last task; NaN without a penalty
 * @param failure why the training ended before its time; empty where it did not
 */
public record LambdaTrial(
        double lambda,
        AccuracyMatrix accuracy,
        AccuracyMatrix tokenLoss,
        double penaltyGradRatio,
        Optional<String> failure) {
    /** Mean exact match over all tasks at the end, in per cent. */
    public OptionalDouble average() {
        return ContinualMetrics.of(accuracy).average();
    }

    /** Mean token loss over all tasks at the end, in nats. */
    public OptionalDouble averageTokenLoss() {
        return ContinualMetrics.of(tokenLoss).average();
    }

    /** What tasks lost since their best score, in points. */
    public OptionalDouble forgetting() {
        return ContinualMetrics.of(accuracy).forgetting();
    }

    /** Mean exact match of the tasks behind the first when each was just learned, in per cent: what is learned under λ. */
    public OptionalDouble plasticity() {
        boolean scored = IntStream.range(1, accuracy.tasks())
                .allMatch(task -> accuracy.get(task, task).isPresent());
        return scored
                ? IntStream.range(1, accuracy.tasks())
                        .mapToDouble(task -> accuracy.get(task, task).getAsDouble())
                        .average()
                : OptionalDouble.empty();
    }
}
