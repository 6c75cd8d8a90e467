package org.ewc4j.consolidation;

import java.nio.FloatBuffer;

/**
 * How the elements of a Fisher diagonal are distributed: counts of magnitudes in 512 bins for each power of two, so that a
 * quantile is known to 0.2 % in one pass and a megabyte, however many elements there are. Not thread-safe.
 */
public final class FisherDistribution {
    /** Of a non-negative float's bits: exponent and the first 9 of the fraction; their order is the values' order. */
    private static final int SHIFT = 14;

    private final long[] bins = new long[1 << (31 - SHIFT)];
    private long elements;
    private long zeros;
    private double sum;
    private float largest;

    /**
     * Counts values in.
     *
     * @throws IllegalArgumentException for one that is negative or not finite: no Fisher has such
     */
    void add(FloatBuffer values) {
        while (values.hasRemaining()) {
            float value = values.get();
            if (!(value >= 0) || value == Float.POSITIVE_INFINITY) {
                throw new IllegalArgumentException("a Fisher of " + value);
            }
            bins[Float.floatToRawIntBits(Math.abs(value)) >>> SHIFT]++;
            elements++;
            zeros += value == 0 ? 1 : 0;
            sum += value;
            largest = Math.max(largest, value);
        }
    }

    /** Counts in what another has counted. */
    void add(FisherDistribution other) {
        for (int i = 0; i < bins.length; i++) {
            bins[i] += other.bins[i];
        }
        elements += other.elements;
        zeros += other.zeros;
        sum += other.sum;
        largest = Math.max(largest, other.largest);
    }

    public long elements() {
        return elements;
    }

    /** Share of elements that are 0, from 0 to 1. */
    public double zeroShare() {
        return elements == 0 ? 0 : zeros / (double) elements;
    }

    public double sum() {
        return sum;
    }

    public double mean() {
        return elements == 0 ? 0 : sum / elements;
    }

    public double largest() {
        return largest;
    }

    /**
     * The value that a share of the elements does not exceed, to 0.2 %.
     *
     * @param share from 0 to 1
     */
    public double quantile(double share) {
        long rank = Math.max(1, (long) Math.ceil(share * elements));
        long before = 0;
        for (int i = 0; i < bins.length; i++) {
            before += bins[i];
            if (before >= rank) {
                // The middle of the bin, but never beyond what is there; the first bin is zero's and holds only
                // subnormals.
                return i == 0 ? 0 : Math.min(largest, Float.intBitsToFloat((i << SHIFT) + (1 << (SHIFT - 1))));
            }
        }
        return largest;
    }
}
