package org.ewc4j.data;

/**
 * The order of a task's rows in one epoch: a Fisher-Yates shuffle by SplitMix64 (Steele, Lea, Flood 2014), a function of
 * seed, epoch, task and row count alone. Written out here so that no JDK changes it.
 */
final class ShuffleOrder {
    private static final long GOLDEN_GAMMA = 0x9e3779b97f4a7c15L;

    private long state;

    private ShuffleOrder(long seed, int epoch, int task) {
        state = mix(mix(mix(seed + GOLDEN_GAMMA) + task) + epoch);
    }

    static int[] of(int rows, long seed, int epoch, int task) {
        ShuffleOrder random = new ShuffleOrder(seed, epoch, task);
        int[] order = inOrder(rows);
        for (int i = rows - 1; i > 0; i--) {
            int j = random.below(i + 1);
            int swapped = order[i];
            order[i] = order[j];
            order[j] = swapped;
        }
        return order;
    }

    static int[] inOrder(int rows) {
        int[] order = new int[rows];
        for (int i = 0; i < rows; i++) {
            order[i] = i;
        }
        return order;
    }

    /** Uniform in [0, bound): the high 32 bits, rejecting the part of their range that bound does not divide. */
    private int below(int bound) {
        long range = 1L << 32;
        long limit = range - range % bound;
        long bits;
        do {
            state += GOLDEN_GAMMA;
            bits = mix(state) >>> 32;
        } while (bits >= limit);
        return (int) (bits % bound);
    }

    private static long mix(long z) {
        z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
        z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
        return z ^ (z >>> 31);
    }
}
