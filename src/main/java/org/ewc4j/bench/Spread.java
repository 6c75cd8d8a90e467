package org.ewc4j.bench;

import java.util.Arrays;
import java.util.function.DoubleUnaryOperator;

/** The values of one quantity, a value for each round; looked at by their median, minimum and maximum. */
final class Spread {
    private final double[] rounds;

    /** @param rounds in the order in which they were taken, at least one */
    Spread(double... rounds) {
        if (rounds.length == 0) {
            throw new IllegalArgumentException("a spread needs a value");
        }
        this.rounds = rounds.clone();
    }

    /** The middle value, or the mean of the middle two. */
    double median() {
        double[] sorted = rounds.clone();
        Arrays.sort(sorted);
        int middle = sorted.length / 2;
        return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }

    double minimum() {
        return Arrays.stream(rounds).min().orElseThrow();
    }

    double maximum() {
        return Arrays.stream(rounds).max().orElseThrow();
    }

    /** Every round's value through a function. */
    Spread map(DoubleUnaryOperator function) {
        return new Spread(Arrays.stream(rounds).map(function).toArray());
    }

    /**
     * This quantity divided by another, round by round: what slows a whole round down cancels.
     *
     * @param other of the same rounds
     */
    Spread over(Spread other) {
        if (other.rounds.length != rounds.length) {
            throw new IllegalArgumentException(rounds.length + " rounds against " + other.rounds.length);
        }
        double[] values = new double[rounds.length];
        for (int i = 0; i < values.length; i++) {
            values[i] = rounds[i] / other.rounds[i];
        }
        return new Spread(values);
    }
}
