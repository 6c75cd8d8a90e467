package org.ewc4j.data;

/**
 * The pseudo-random generator SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators").
 * Written out here so that no JDK changes what is drawn. One thread at a time.
 */
public final class SplitMix64 {
    private static final long GOLDEN_GAMMA = 0x9e3779b97f4a7c15L;
    private static final double ULP = 0x1p-53;

    private long state;

    private SplitMix64(long state) {
        this.state = state;
    }

    /** A stream that is a function of a seed and of what the draws are for, each number of which changes it throughout. */
    public static SplitMix64 of(long seed, long... purpose) {
        long state = mix(seed + GOLDEN_GAMMA);
        for (long part : purpose) {
            state = mix(state + part);
        }
        return new SplitMix64(state);
    }

    private long next() {
        state += GOLDEN_GAMMA;
        return mix(state);
    }

    /** Uniform in [0, 1), a multiple of 2⁻⁵³. */
    public double uniform() {
        return (next() >>> 11) * ULP;
    }

    /** Uniform in [0, bound): the high 32 bits, rejecting the part of their range that bound does not divide. */
    public int below(int bound) {
        long range = 1L << 32;
        long limit = range - range % bound;
        long bits;
        do {
            bits = next() >>> 32;
        } while (bits >= limit);
        return (int) (bits % bound);
    }

    private static long mix(long z) {
        z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
        z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
        return z ^ (z >>> 31);
    }
}
