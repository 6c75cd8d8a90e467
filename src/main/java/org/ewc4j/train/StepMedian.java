package org.ewc4j.train;

import java.util.Arrays;

/** The median of a number that each step has. Numbers that are not finite are left out. */
public final class StepMedian {
    private double[] numbers = new double[256];
    private int count;

    public void add(double number) {
        if (!Double.isFinite(number)) {
            return;
        }
        if (count == numbers.length) {
            numbers = Arrays.copyOf(numbers, 2 * count);
        }
        numbers[count++] = number;
    }

    /** How many were taken in. */
    int count() {
        return count;
    }

    /** The mean of the middle two where there is no one in the middle; NaN for none at all. */
    public double median() {
        if (count == 0) {
            return Double.NaN;
        }
        double[] sorted = Arrays.copyOf(numbers, count);
        Arrays.sort(sorted);
        return count % 2 == 1 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
    }
}
