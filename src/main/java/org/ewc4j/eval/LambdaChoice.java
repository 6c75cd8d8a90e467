package org.ewc4j.eval;

import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import org.ewc4j.error.RunFailedException;

/**
 * Several λ tried on the same tasks, and the one to take: that of the highest average exact match at the end; among those
 * less than {@value #CLOSE} points below it, that of the lowest mean token loss, which tells them apart where exact match does
 * not. Where a task has no exact match, as text has none, by the token loss alone. Between equals the smaller λ.
 *
 * @param tasks names, in order
 * @param questions what λ is chosen by: {@code train} or {@code validation}
 * @param unit λ₁, median of ‖g‖ ÷ ‖F(θ−θ*)‖ along the plain branch: where penalty and loss would weigh alike; NaN where it
 *     is not known
 * @param trials by ascending λ, the plain one first
 * @param chosen index of the best
 */
public record LambdaChoice(List<String> tasks, String questions, double unit, List<LambdaTrial> trials, int chosen) {
    /** In points of exact match. */
    public static final double CLOSE = 5;

    public LambdaChoice {
        tasks = List.copyOf(tasks);
        trials = List.copyOf(trials);
    }

    /**
     * Sorts the trials and chooses.
     *
     * @throws RunFailedException where every one of them failed
     */
    public static LambdaChoice of(List<String> tasks, String questions, double unit, List<LambdaTrial> trials) {
        List<LambdaTrial> sorted = trials.stream()
                .sorted(Comparator.comparingDouble(LambdaTrial::lambda))
                .toList();
        List<LambdaTrial> ended = sorted.stream()
                .filter(trial ->
                        trial.failure().isEmpty() && trial.averageTokenLoss().isPresent())
                .toList();
        double highest = ended.stream()
                .mapToDouble(LambdaChoice::exactMatch)
                .max()
                .orElseThrow(() -> new RunFailedException(
                        "every λ that was tried failed; with λ " + sorted.get(0).lambda() + ": "
                                + sorted.get(0).failure().orElse("it was not scored")));
        LambdaTrial best = ended.stream()
                .filter(trial -> exactMatch(trial) > highest - CLOSE)
                .min(Comparator.comparingDouble(
                        trial -> trial.averageTokenLoss().getAsDouble()))
                .orElseThrow();
        return new LambdaChoice(tasks, questions, unit, sorted, sorted.indexOf(best));
    }

    /** Mean exact match at the end; the same for every trial where a task has none, as the others do not tell of that task. */
    private static double exactMatch(LambdaTrial trial) {
        AccuracyMatrix accuracy = trial.accuracy();
        boolean ofAll = IntStream.range(0, accuracy.tasks()).allMatch(accuracy::isScored);
        return ofAll ? trial.average().orElse(0) : 0;
    }

    /** The one to take. */
    public LambdaTrial best() {
        return trials.get(chosen);
    }
}
