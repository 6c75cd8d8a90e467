package org.ewc4j.data;

import java.util.ArrayList;
import java.util.List;

/**
 * Experience replay (Chaudhry et al. 2019, "On tiny episodic memories in continual learning"): some training rows of each
 * task that was learned, to be learned again with every later one. What is kept of a task is a function of seed, task and
 * number of rows alone. Belongs to the learner's thread.
 */
public final class ReplayMemory {
    private final int perTask;
    private final long seed;
    private final List<TokenizedRow> kept = new ArrayList<>();

    /**
     * @param perTask most rows kept of a task; 0 for no replay
     * @param seed of the draw
     */
    public ReplayMemory(int perTask, long seed) {
        this.perTask = perTask;
        this.seed = seed;
    }

    /**
     * Keeps some rows of a task, drawn without replacement.
     *
     * @param task its index, which takes part in the draw
     */
    public void remember(int task, List<TokenizedRow> rows) {
        for (int row : ShuffleOrder.replayed(rows.size(), perTask, seed, task)) {
            kept.add(rows.get(row));
        }
    }

    /** How many rows are kept in all. */
    public int size() {
        return kept.size();
    }

    /** Goes back to the rows that were kept first. */
    public void forgetBehind(int size) {
        kept.subList(size, kept.size()).clear();
    }

    /** A task's own rows and behind them all that is kept, the oldest task's first: what an epoch of the task reads. */
    public List<TokenizedRow> join(List<TokenizedRow> rows) {
        List<TokenizedRow> joined = new ArrayList<>(rows);
        joined.addAll(kept);
        return joined;
    }

    /** All that is kept, the oldest task's first. */
    public List<TokenizedRow> kept() {
        return List.copyOf(kept);
    }

    /** Keeps these rows in place of what is kept. */
    public void restore(List<TokenizedRow> rows) {
        kept.clear();
        kept.addAll(rows);
    }

    /** How many rows are kept of a task that has so many. */
    public static int kept(int rows, int perTask) {
        return Math.min(rows, perTask);
    }
}
