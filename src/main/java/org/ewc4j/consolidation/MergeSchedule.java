package org.ewc4j.consolidation;

/**
 * How the Fisher of a new task joins that of the tasks before: F ← retain · F_old + weight · F_new. Both factors are known
 * before the Fisher pass starts, so the merge needs no second buffer: F_old is scaled, then each batch is added.
 */
public sealed interface MergeSchedule {
    /** Factor of the Fisher that is there already, given how many tasks it holds (from 1). */
    double retain(int held);

    /** Factor of the new Fisher, given how many tasks the old one holds (from 0). */
    double weight(int held);

    /** F ← (F_new + t F_old) ÷ (t + 1): every task counts the same. */
    record RunningMean() implements MergeSchedule {
        @Override
        public double retain(int held) {
            return held / (held + 1.0);
        }

        @Override
        public double weight(int held) {
            return 1 / (held + 1.0);
        }
    }
}
