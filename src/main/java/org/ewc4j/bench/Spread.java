package org.ewc4j.bench;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Arrays;
import java.util.Locale;
import java.util.function.DoubleUnaryOperator;
import java.util.stream.DoubleStream;

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

    /** As {@code median (minimum - maximum)}. */
    String text(int decimals) {
        String number = "%." + decimals + "f";
        return String.format(
                Locale.ROOT, number + " (" + number + " - " + number + ")", median(), minimum(), maximum());
    }

    /** Puts the median by a name, and minimum and maximum beside it. */
    void put(ObjectNode node, String name) {
        node.put(name, rounded(median()));
        node.put(name + "_min", rounded(minimum()));
        node.put(name + "_max", rounded(maximum()));
    }

    /** To four decimals, as JSON has it. */
    static double rounded(double value) {
        return Math.round(value * 1e4) / 1e4;
    }

    /** Every round's value through a function. */
    Spread map(DoubleUnaryOperator function) {
        return new Spread(Arrays.stream(rounds).map(function).toArray());
    }

    /** The values of both, as of one longer run. */
    Spread and(Spread other) {
        return new Spread(DoubleStream.concat(Arrays.stream(rounds), Arrays.stream(other.rounds))
                .toArray());
    }

    int size() {
        return rounds.length;
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
