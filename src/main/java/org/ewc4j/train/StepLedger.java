package org.ewc4j.train;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.ewc4j.config.PenaltyOptions;
import org.ewc4j.config.TrainingConfig.ClipTarget;
import org.ewc4j.data.StepBatch;
import org.ewc4j.error.RunFailedException;
import org.ewc4j.kernel.StepSlots;
import org.ewc4j.kernel.StepStatistics;
import org.ewc4j.train.Trainer.TaskTraining;

/**
 * The steps whose numbers still lie where they were computed. Read once for many steps, so that a device is waited for
 * once in {@code log_every} steps; read means checked, too: a step that is not finite ends the run there at the latest.
 *
 * <p>Closes its slots. Belongs to the trainer.
 */
final class StepLedger implements AutoCloseable {
    /** Updates that may be left out one after the other before a run is given up. */
    private static final int MOST_SKIPPED_IN_A_ROW = 20;

    /** The square of a gradient beyond is infinite in fp32, and the second moment with it. */
    private static final double LARGEST_APPLIED = Math.sqrt(Float.MAX_VALUE);

    /**
     * A step as it was started.
     *
     * @param penaltyConstant c, what the penalty is beyond the sum that the step reduces
     */
    record Entry(
            TaskTraining task,
            StepBatch batch,
            long step,
            double learningRate,
            double lambda,
            double penaltyConstant) {}

    private final StepSlots slots;
    private final List<Entry> entries = new ArrayList<>();
    private long began;
    private int skippedInARow;

    /**
     * @param skipped how many steps were left out before
     * @param skippedInARow how many of the last ones
     */
    StepLedger(StepSlots slots, long skipped, int skippedInARow) {
        this.slots = slots;
        this.skippedInARow = skippedInARow;
        slots.putSkipped(skipped);
    }

    /** How many steps were left out, those before included, as of the last {@link #read}. */
    long skipped() {
        return slots.skipped();
    }

    /** How many of the last steps were left out, one after the other. */
    int skippedInARow() {
        return skippedInARow;
    }

    StepSlots slots() {
        return slots;
    }

    /** The slot of the step that is started now. */
    int nextSlot() {
        if (entries.isEmpty()) {
            began = System.nanoTime();
        }
        return entries.size();
    }

    void add(Entry entry) {
        entries.add(entry);
    }

    boolean isFull() {
        return entries.size() == slots.capacity();
    }

    /**
     * Steps that were read.
     *
     * @param metrics in order, up to the first step that is not finite and was not left out
     * @param failure what is wrong with that one; null where there is none
     */
    record Reading(List<StepMetrics> metrics, RunFailedException failure) {}

    /** Reads every step since the last time. The time since the first of them began is divided among them. */
    Reading read() {
        if (entries.isEmpty()) {
            return new Reading(List.of(), null);
        }
        slots.read();
        double seconds = (System.nanoTime() - began) * 1e-9 / entries.size();
        List<Entry> settled = List.copyOf(entries);
        entries.clear();
        List<StepMetrics> metrics = new ArrayList<>();
        for (int slot = 0; slot < settled.size(); slot++) {
            try {
                metrics.add(checked(settled.get(slot), slot, seconds));
            } catch (RunFailedException e) {
                return new Reading(metrics, e);
            }
        }
        return new Reading(metrics, null);
    }

    private StepMetrics checked(Entry entry, int slot, double seconds) {
        StepStatistics statistics = slots.statistics(slot);
        double lmLoss = slots.loss(slot) / entry.batch.scoredPositions();
        double penalty = statistics.penalty() + entry.penaltyConstant;
        double loss = lmLoss + entry.lambda * penalty;
        boolean skipped = slots.wasSkipped(slot);
        if (skipped) {
            if (++skippedInARow > MOST_SKIPPED_IN_A_ROW) {
                throw failed(
                        entry,
                        "the gradient of " + skippedInARow + " steps one after the other was not finite, grad_norm",
                        statistics.gradientNorm());
            }
        } else {
            skippedInARow = 0;
            requireFinite(lmLoss, "lm_loss", entry);
            requireFinite(loss, "loss", entry);
            requireFinite(statistics.gradientNorm(), "grad_norm", entry);
            double applied = applied(statistics, entry.task);
            if (applied > LARGEST_APPLIED) {
                throw failed(
                        entry,
                        "the square of the gradient overflows the second moment, with the penalty's its norm",
                        applied);
            }
        }
        return new StepMetrics(
                entry.task.index(),
                entry.task.name(),
                entry.batch.epoch(),
                entry.step,
                lmLoss,
                penalty,
                loss,
                statistics.gradientNorm(),
                entry.lambda,
                statistics.displacementNorm(),
                entry.learningRate,
                entry.batch.tokens(),
                seconds,
                skipped);
    }

    /** The norm of what the moments were given, or more. */
    private static double applied(StepStatistics statistics, TaskTraining task) {
        double clip = task.config().clipNorm().orElse(Double.POSITIVE_INFINITY);
        double penalty = task.penalty().kind() == PenaltyOptions.Kind.PROXIMAL ? 0 : statistics.penaltyGradientNorm();
        return task.config().clipTarget() == ClipTarget.TOTAL
                ? Math.min(clip, statistics.gradientNorm() + penalty)
                : Math.min(clip, statistics.gradientNorm()) + penalty;
    }

    private static void requireFinite(double value, String what, Entry entry) {
        if (!Double.isFinite(value)) {
            throw failed(entry, what, value);
        }
    }

    private static RunFailedException failed(Entry entry, String what, double value) {
        int[] rows = entry.batch.microBatches().stream()
                .flatMapToInt(microBatch -> Arrays.stream(microBatch.examples()))
                .toArray();
        return RunFailedException.diverged(
                "task '" + entry.task.name() + "', epoch " + entry.batch.epoch() + ", step " + entry.step + ": " + what
                        + " is " + value + " on the batch of training rows " + Arrays.toString(rows));
    }

    @Override
    public void close() {
        slots.close();
    }
}
