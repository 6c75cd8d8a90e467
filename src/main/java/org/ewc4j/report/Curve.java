package org.ewc4j.report;

import java.util.Arrays;

/**
 * Points of a line, x ascending. A y that is not finite is a gap.
 *
 * @param x one per point
 * @param y one per point
 */
record Curve(double[] x, double[] y) {
    int size() {
        return x.length;
    }

    double max() {
        return Arrays.stream(y).filter(Double::isFinite).max().orElse(Double.NaN);
    }

    /**
     * At most {@code points} points that look the same: of each bucket of neighbours the lowest and the highest, in
     * their order, so that no spike is lost. The curve itself where it is short enough.
     */
    Curve downsample(int points) {
        int buckets = Math.max(1, points / 2);
        if (size() <= 2 * buckets) {
            return this;
        }
        double[] fewerX = new double[2 * buckets];
        double[] fewerY = new double[2 * buckets];
        for (int bucket = 0; bucket < buckets; bucket++) {
            int from = (int) ((long) size() * bucket / buckets);
            int to = (int) ((long) size() * (bucket + 1) / buckets);
            int low = from;
            int high = from;
            for (int i = from; i < to; i++) {
                low = y[i] < y[low] || !Double.isFinite(y[low]) ? i : low;
                high = y[i] > y[high] || !Double.isFinite(y[high]) ? i : high;
            }
            fewerX[2 * bucket] = x[Math.min(low, high)];
            fewerY[2 * bucket] = y[Math.min(low, high)];
            fewerX[2 * bucket + 1] = x[Math.max(low, high)];
            fewerY[2 * bucket + 1] = y[Math.max(low, high)];
        }
        return new Curve(fewerX, fewerY);
    }

    /**
     * The mean of each point and up to {@code window − 1} before it, not reaching back over the starts named: a new
     * task is not smeared into the last one.
     *
     * @param starts indices at which the mean begins anew
     */
    Curve runningMean(int window, int[] starts) {
        double[] mean = new double[size()];
        int next = 0;
        int from = 0;
        double sum = 0;
        int count = 0;
        for (int i = 0; i < size(); i++) {
            while (next < starts.length && starts[next] == i) {
                from = i;
                sum = 0;
                count = 0;
                next++;
            }
            if (i - from >= window) {
                double leaving = y[from++];
                sum -= Double.isFinite(leaving) ? leaving : 0;
                count -= Double.isFinite(leaving) ? 1 : 0;
            }
            sum += Double.isFinite(y[i]) ? y[i] : 0;
            count += Double.isFinite(y[i]) ? 1 : 0;
            mean[i] = count == 0 ? Double.NaN : sum / count;
        }
        return new Curve(x, mean);
    }
}
