package org.ewc4j.data;

import java.util.Arrays;

/** Orders of a task's rows, by {@link SplitMix64}. */
final class ShuffleOrder {
    /** Set the draws of subsets apart from those of the epochs. */
    private static final int SUBSET = -1;

    private static final int REPLAYED = -2;

    private ShuffleOrder() {}

    /** The order of one epoch: a Fisher-Yates shuffle, a function of seed, epoch, task and row count alone. */
    static int[] of(int rows, long seed, int epoch, int task) {
        SplitMix64 random = SplitMix64.of(seed, task, epoch);
        int[] order = inOrder(rows);
        for (int i = rows - 1; i > 0; i--) {
            int j = random.below(i + 1);
            int swapped = order[i];
            order[i] = order[j];
            order[j] = swapped;
        }
        return order;
    }

    /** {@code count} of the rows drawn without replacement, a function of seed, task and row count, in file order. */
    static int[] subset(int rows, int count, long seed, int task) {
        return drawn(rows, count, seed, task, SUBSET);
    }

    /** As {@link #subset}, but other draws: the rows of a task that are kept for replay. */
    static int[] replayed(int rows, int count, long seed, int task) {
        return drawn(rows, count, seed, task, REPLAYED);
    }

    private static int[] drawn(int rows, int count, long seed, int task, int purpose) {
        int[] drawn = Arrays.copyOf(of(rows, seed, purpose, task), Math.min(rows, count));
        Arrays.sort(drawn);
        return drawn;
    }

    static int[] inOrder(int rows) {
        int[] order = new int[rows];
        for (int i = 0; i < rows; i++) {
            order[i] = i;
        }
        return order;
    }
}
