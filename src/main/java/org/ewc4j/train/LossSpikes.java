package org.ewc4j.train;

import java.util.Arrays;
import java.util.OptionalDouble;

/**
 * Notices a loss that leaps out of those before it: more than 3 times the median of the last 64 of the task, and half a nat above
 * it. Silent until 16 are known, and from a leap on until the loss is back.
 */
final class LossSpikes {
    private static final int WINDOW = 64;
    private static final int FEWEST = 16;
    private static final double FACTOR = 3;
    private static final double LEAST_RISE = 0.5;

    private final double[] window = new double[WINDOW];
    private long seen;
    private boolean leaping;

    /**
     * The next loss.
     *
     * @return the median of those before, where this one begins a leap
     */
    OptionalDouble next(double loss) {
        if (seen >= FEWEST) {
            double median = median();
            if (loss > FACTOR * median && loss > median + LEAST_RISE) {
                boolean begins = !leaping;
                leaping = true;
                return begins ? OptionalDouble.of(median) : OptionalDouble.empty();
            }
        }
        leaping = false;
        window[(int) (seen++ % WINDOW)] = loss;
        return OptionalDouble.empty();
    }

    private double median() {
        double[] sorted = Arrays.copyOf(window, (int) Math.min(seen, WINDOW));
        Arrays.sort(sorted);
        return sorted[sorted.length / 2];
    }
}
