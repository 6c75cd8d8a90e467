package org.ewc4j.train;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Consumer;
import org.ewc4j.config.ParameterGroup;
import org.ewc4j.config.PenaltyOptions;
import org.ewc4j.config.TrainingConfig;
import org.ewc4j.config.TrainingConfig.ClipTarget;
import org.ewc4j.config.TrainingConfig.OnNonfinite;
import org.ewc4j.consolidation.Consolidation;
import org.ewc4j.data.BatchLoader;
import org.ewc4j.data.RowLimit;
import org.ewc4j.data.StepBatch;
import org.ewc4j.data.TokenizedRow;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.RunFailedException;
import org.ewc4j.error.RunInterruptedException;
import org.ewc4j.jfr.FlightEvents;
import org.ewc4j.jfr.FlightSpan;
import org.ewc4j.kernel.AdamWOptions;
import org.ewc4j.kernel.AdamWStep;
import org.ewc4j.kernel.ElementType;
import org.ewc4j.kernel.Kernels;
import org.ewc4j.kernel.ProfilerRange;
import org.ewc4j.kernel.StepGuard;
import org.ewc4j.kernel.StepOutputs;
import org.ewc4j.kernel.StepSlots;
import org.ewc4j.model.CausalLm;
import org.ewc4j.model.StagedBatch;
import org.ewc4j.tensor.Arena;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Trains a model on one task after another by AdamW, under the penalty of a consolidation once there is one.
 *
 * <p>The optimizer is PyTorch's AdamW (Loshchilov and Hutter 2019): decay first, then the moments. The penalty's gradient
 * λF(θ−θ*) joins the loss's before the moments, or a pull towards θ* comes behind the update, in the same native pass. Moments and step count carry over between tasks.
 * Owned and closed by the learner; used by one thread at a time.
 */
public final class Trainer implements AutoCloseable {
    /**
     * A task to train on.
     *
     * @param index from 0
     * @param rows its tokenized training rows
     * @param lambda λ at its highest
     * @param penalty how it acts, and goes over the steps; its groups are the trainer's
     */
    public record TaskTraining(
            int index,
            String name,
            List<TokenizedRow> rows,
            TrainingConfig config,
            double lambda,
            PenaltyOptions penalty) {}

    private static final Logger LOG = LoggerFactory.getLogger(Trainer.class);
    private static final int LOG_EVERY_ON_CUDA = 20;

    private final CausalLm model;
    private final Kernels kernels;
    private final double[] lambdaFactors; // one for each trained parameter; null: 1 for all
    private Arena firstMoment;
    private Arena secondMoment;
    private long steps;
    private long skipped;
    private int skippedInARow;
    private final RowLimit memory = new RowLimit();

    /** With the same λ for every parameter. */
    public Trainer(CausalLm model, Kernels kernels) {
        this(model, kernels, List.of());
    }

    /**
     * @param groups factors of λ
     * @throws InvalidInputException where a group's pattern matches no parameter
     */
    public Trainer(CausalLm model, Kernels kernels, List<ParameterGroup> groups) {
        this.model = model;
        this.kernels = kernels;
        this.lambdaFactors = model.trained()
                .byPattern(
                        "ewc.groups",
                        groups.stream().map(ParameterGroup::pattern).toList(),
                        groups.stream()
                                .mapToDouble(ParameterGroup::lambdaFactor)
                                .toArray());
    }

    /** Optimizer steps so far, over all tasks, those included whose update was left out. */
    public long steps() {
        return steps;
    }

    /** How many of the steps were left out because their gradient was not finite, as of the last reading. */
    public long skipped() {
        return skipped;
    }

    /** As of the last reading. */
    public TrainerState state() {
        return new TrainerState(steps, skipped, skippedInARow, memory.rows());
    }

    /** The first and the second moment, fp32 in the layout of θ; none before the first step. */
    public List<Arena> moments() {
        return firstMoment == null ? List.of() : List.of(firstMoment, secondMoment);
    }

    /**
     * Goes on from a state; the {@link #moments} are then to be filled.
     *
     * @param hasMoments whether the state was taken with moments
     */
    public void restore(TrainerState state, boolean hasMoments) {
        close();
        if (hasMoments) {
            takeMoments();
        }
        count(state);
    }

    private void count(TrainerState state) {
        steps = state.steps();
        skipped = state.skipped();
        skippedInARow = state.skippedInARow();
        memory.restore(state.microBatchRows());
    }

    /**
     * Trains one task to its end. On a CUDA device nothing waits for it but the reading of losses and norms, every {@code
     * log_every} steps. Where it ends otherwise, but for a loss that is not finite, the state is that behind the last step
     * taken, and the numbers of that step have been told of.
     *
     * @param consolidation of the tasks before; null, or one that holds none yet, for no penalty
     * @param done steps of this task that were taken before
     * @param listener told of every step, in order, when its numbers are read
     * @return how the penalty weighed over the steps taken now
     * @throws RunFailedException where a loss or gradient is not finite: θ is then not to be saved; or where a batch could not
     *     be prepared
     * @throws RunInterruptedException behind the step during which the thread was interrupted
     */
    public PenaltyBalance train(
            TaskTraining task, Consolidation consolidation, long done, Consumer<StepMetrics> listener) {
        Consolidation active = consolidation != null && consolidation.held() > 0 ? consolidation : null;
        long count = BatchLoader.steps(task.rows().size(), task.config());
        StepSchedule rate = StepSchedule.ofLearningRate(task.config(), count);
        StepSchedule lambda = StepSchedule.ofLambda(task.lambda(), task.penalty(), count);
        PenaltyBalance balance = new PenaltyBalance();
        LossSpikes spikes = new LossSpikes();
        Consumer<StepMetrics> told = metrics -> {
            balance.add(metrics);
            warnOfSpike(metrics, spikes);
            listener.accept(metrics);
        };
        try (StepLists lists = lists(active);
                BatchLoader loader = new BatchLoader(
                        task.rows(),
                        task.config(),
                        task.index(),
                        model.specialTokens().padding(),
                        done);
                StepLedger ledger = new StepLedger(kernels.slots(logEvery(task.config())), skipped, skippedInARow);
                ProfilerRange.Sequence epochs = new ProfilerRange.Sequence("epoch")) {
            long first = steps - done;
            StagedStep now = stage(next(loader));
            StagedStep next = null;
            try {
                while (now != null) {
                    epochs.at(now.batch().epoch());
                    Rates rates = new Rates(rate.at(steps - first), lambda.at(steps - first));
                    now = stepWithinMemory(task, now, rates, active, lists, ledger);
                    next = stage(nextOrSettled(loader, ledger, task, told));
                    if (ledger.isFull() || next == null) {
                        settle(ledger, told);
                    }
                    now.close();
                    now = next;
                }
            } finally {
                StagedStep.close(now, next);
            }
        }
        return balance;
    }

    /** What of a step its schedules say. */
    private record Rates(double learningRate, double lambda) {}

    private StepLists lists(Consolidation consolidation) {
        takeMoments();
        return new StepLists(model, firstMoment, secondMoment, consolidation);
    }

    private int logEvery(TrainingConfig config) {
        return config.logEvery().orElse(model.theta().device().isCuda() ? LOG_EVERY_ON_CUDA : 1);
    }

    /** The next batch, which travels while the step runs, where it runs on a device; or none, and every step told of. */
    private Optional<StepBatch> nextOrSettled(
            BatchLoader loader, StepLedger ledger, TaskTraining task, Consumer<StepMetrics> listener) {
        try {
            return next(loader);
        } catch (RunInterruptedException e) {
            settle(ledger, listener);
            throw new RunInterruptedException(
                    "interrupted: task '" + task.name() + "', behind step " + (steps - 1) + " of the run", e);
        } catch (RunFailedException e) {
            settle(ledger, listener);
            throw e;
        }
    }

    private static Optional<StepBatch> next(BatchLoader loader) {
        try (ProfilerRange range = ProfilerRange.open("data wait")) {
            return loader.next();
        }
    }

    private void settle(StepLedger ledger, Consumer<StepMetrics> listener) {
        try (ProfilerRange range = ProfilerRange.open("metrics")) {
            StepLedger.Reading reading = ledger.read();
            // Before anyone is told, so that whoever is told may save.
            skipped = ledger.skipped();
            skippedInARow = ledger.skippedInARow();
            reading.metrics().forEach(metrics -> {
                FlightEvents.stepMetrics(
                        metrics.step(),
                        metrics.lmLoss(),
                        metrics.penalty(),
                        metrics.loss(),
                        metrics.gradNorm(),
                        metrics.penaltyGradNorm());
                listener.accept(metrics);
            });
            if (reading.failure() != null) {
                throw reading.failure();
            }
        }
    }

    private StagedStep stage(Optional<StepBatch> batch) {
        return batch.map(present -> new StagedStep(model, present.inMicroBatchesOf(memory.rows())))
                .orElse(null);
    }

    private static void warnOfSpike(StepMetrics metrics, LossSpikes spikes) {
        spikes.next(metrics.lmLoss())
                .ifPresent(median -> LOG.warn(
                        "task '{}', step {}: lm_loss leaps to {}, from a median of {} before",
                        metrics.taskName(),
                        metrics.step(),
                        String.format(Locale.ROOT, "%.3g", metrics.lmLoss()),
                        String.format(Locale.ROOT, "%.3g", median)));
    }

    /**
     * Takes a step. Where there is no memory for it, its micro-batches are halved, from then on for all steps: the gradient of the
     * whole batch is the same, up to rounding.
     *
     * @return the step as it was taken; the one given is closed where that is another
     * @throws RunFailedException where there is no memory for a single row
     */
    private StagedStep stepWithinMemory(
            TaskTraining task,
            StagedStep given,
            Rates rates,
            Consolidation consolidation,
            StepLists lists,
            StepLedger ledger) {
        StagedStep staged = given;
        while (true) {
            try {
                step(task, staged, rates, consolidation, lists, ledger);
                return staged;
            } catch (RuntimeException | OutOfMemoryError e) {
                StepBatch batch = staged.batch();
                memory.halve(e, batch.largestMicroBatch(), "step " + steps);
                staged.close();
                staged = stage(Optional.of(batch));
            }
        }
    }

    /**
     * Steps of {@link #train}, read when all have been taken.
     *
     * @param consolidation null for no penalty
     */
    public List<StepMetrics> steps(
            TaskTraining task, List<StepBatch> batches, double learningRate, Consolidation consolidation) {
        Rates rates = new Rates(learningRate, task.lambda());
        try (StepLists lists = lists(consolidation);
                StepLedger ledger = new StepLedger(kernels.slots(batches.size()), skipped, skippedInARow)) {
            for (StepBatch batch : batches) {
                try (StagedStep staged = new StagedStep(model, batch)) {
                    step(task, staged, rates, consolidation, lists, ledger);
                }
            }
            List<StepMetrics> metrics = new ArrayList<>();
            settle(ledger, metrics::add);
            return metrics;
        }
    }

    private void step(
            TaskTraining task,
            StagedStep staged,
            Rates rates,
            Consolidation consolidation,
            StepLists lists,
            StepLedger ledger) {
        int slot = ledger.nextSlot();
        StepBatch batch = staged.batch();
        try (ProfilerRange range = ProfilerRange.step(steps);
                FlightSpan event = FlightEvents.step(
                        task.name(), steps, batch.examples(), batch.scoredPositions(), rates.learningRate())) {
            model.training(true);
            boolean first = true;
            for (StagedBatch microBatch : staged.microBatches()) {
                model.accumulateGradient(microBatch, staged.batch().scoredPositions(), ledger.slots(), slot, first);
                first = false;
            }
            try (ProfilerRange optimizer = ProfilerRange.open("optimizer")) {
                update(task, rates, lists, ledger.slots(), slot);
            }
            double constant = consolidation == null ? 0 : consolidation.constant();
            double lambda = consolidation == null ? 0 : rates.lambda();
            ledger.add(new StepLedger.Entry(task, staged.batch(), steps++, rates.learningRate(), lambda, constant));
        } finally {
            model.training(false);
            model.clearGradients();
        }
    }

    private void update(TaskTraining task, Rates rates, StepLists lists, StepSlots slots, int slot) {
        TrainingConfig config = task.config();
        boolean total = config.clipTarget() == ClipTarget.TOTAL;
        kernels.adamwStep(
                lists.theta(),
                lists.firstMoment(),
                lists.secondMoment(),
                model.gradients(),
                lists.fisher(),
                lists.anchor(),
                new AdamWOptions(
                        config.beta1(),
                        config.beta2(),
                        config.epsilon(),
                        config.weightDecay(),
                        null,
                        null,
                        lambdaFactors,
                        task.penalty().kind() == PenaltyOptions.Kind.PROXIMAL),
                new AdamWStep(steps + 1, rates.learningRate(), rates.lambda()),
                new StepGuard(
                        config.clipNorm().orElse(Double.POSITIVE_INFINITY),
                        total,
                        config.onNonfinite() == OnNonfinite.SKIP),
                new StepOutputs(false, lists.computeCopy()),
                slots,
                slot);
    }

    /** A copy of moments and counts. Whoever calls closes it. */
    public Snapshot snapshot() {
        return new Snapshot(
                firstMoment == null ? null : firstMoment.copy(),
                secondMoment == null ? null : secondMoment.copy(),
                state());
    }

    /** Goes on from a snapshot of this trainer. */
    public void restore(Snapshot snapshot) {
        close();
        firstMoment = snapshot.firstMoment == null ? null : snapshot.firstMoment.copy();
        secondMoment = snapshot.secondMoment == null ? null : snapshot.secondMoment.copy();
        count(snapshot.counts);
    }

    /**
     * Moments and counts as they were.
     *
     * @param firstMoment null where nothing was trained yet, as secondMoment
     */
    public record Snapshot(Arena firstMoment, Arena secondMoment, TrainerState counts) implements AutoCloseable {
        @Override
        public void close() {
            if (firstMoment != null) {
                firstMoment.close();
            }
            if (secondMoment != null) {
                secondMoment.close();
            }
        }
    }

    /** A learner that is only asked takes no memory for them. */
    private void takeMoments() {
        if (firstMoment == null) {
            firstMoment =
                    new Arena(model.layout(), ElementType.F32, model.theta().device());
        }
        if (secondMoment == null) {
            secondMoment =
                    new Arena(model.layout(), ElementType.F32, model.theta().device());
        }
    }

    @Override
    public void close() {
        if (firstMoment != null) {
            firstMoment.close();
            firstMoment = null;
        }
        if (secondMoment != null) {
            secondMoment.close();
            secondMoment = null;
        }
    }
}
