package org.ewc4j;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import org.ewc4j.LearnerState.Phase;
import org.ewc4j.LearnerState.UnderWay;
import org.ewc4j.checkpoint.KeptArena;
import org.ewc4j.checkpoint.StateFolder;
import org.ewc4j.config.EwcConfig;
import org.ewc4j.config.ProtectConfig;
import org.ewc4j.config.TrainingConfig;
import org.ewc4j.consolidation.Consolidation;
import org.ewc4j.consolidation.ConsolidationState;
import org.ewc4j.data.BatchLoader;
import org.ewc4j.data.ReplayMemory;
import org.ewc4j.data.TokenizedRow;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.Quoted;
import org.ewc4j.error.RunFailedException;
import org.ewc4j.error.RunInterruptedException;
import org.ewc4j.eval.ProtectedScore;
import org.ewc4j.model.CausalLm;
import org.ewc4j.report.RunListener;
import org.ewc4j.tensor.OutOfMemory;
import org.ewc4j.train.PenaltyBalance;
import org.ewc4j.train.Trainer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * All of a learner that changes while it learns: how far it is, its parameters, moments and consolidation; and that state in and
 * out. A task is its steps, then its Fisher pass; a call that was interrupted goes on where it was. Belongs to the learner,
 * which closes the parts.
 */
final class TaskLearner {
    private static final Logger LOG = LoggerFactory.getLogger(TaskLearner.class);

    private final CausalLm model;
    private final Trainer trainer;
    private final Consolidator consolidator;
    private final ReplayMemory replay;
    private final List<RunListener> listeners = new ArrayList<>();
    private int tasksLearned;
    private UnderWay underWay; // null between tasks
    private boolean protectedBefore;
    private boolean lost;
    private RuntimeException ofListener; // what one threw last: the state is whole all the same
    private boolean warnsOfPenalty = true;
    private double lastPenaltyRatio = Double.NaN;
    private double trainSeconds;
    private double fisherSeconds;

    TaskLearner(CausalLm model, Trainer trainer, Consolidator consolidator, ReplayMemory replay) {
        this.replay = replay;
        this.model = model;
        this.trainer = trainer;
        this.consolidator = consolidator;
    }

    List<RunListener> listeners() {
        return listeners;
    }

    /** As {@link Consolidator#beforeMerge}. */
    void beforeMerge(Runnable action) {
        consolidator.beforeMerge(action);
    }

    /** Whether a penalty that does nothing, or lets nothing new be learned, is warned about; true unless told otherwise. */
    void warnOfPenalty(boolean warns) {
        warnsOfPenalty = warns;
    }

    /** The median of ‖λF(θ−θ*)‖ ÷ ‖g‖ over the task learned last; NaN where it had no penalty. */
    double lastPenaltyRatio() {
        return lastPenaltyRatio;
    }

    int tasksLearned() {
        return tasksLearned;
    }

    /** Optimizer steps so far, over all tasks. */
    long steps() {
        return trainer.steps();
    }

    /** Steps taken of the task under way. */
    long stepsOfTask() {
        return underWay == null || underWay.phase() != Phase.TRAIN ? 0 : trainer.steps() - underWay.firstStep();
    }

    double trainSeconds() {
        return trainSeconds;
    }

    double fisherSeconds() {
        return fisherSeconds;
    }

    /**
     * Learns a task, or goes on with it.
     *
     * @param rows its training rows
     * @param ewc its λ, and how the penalty acts, are the task's
     * @param consolidate whether its Fisher is estimated and merged afterwards
     */
    void learn(String task, List<TokenizedRow> rows, TrainingConfig config, EwcConfig ewc, boolean consolidate) {
        losingWhatFails(() -> {
            begin(task, Phase.TRAIN);
            List<TokenizedRow> replayed = replay.join(rows);
            long steps = BatchLoader.steps(replayed.size(), config);
            tell(listener -> listener.taskStarted(tasksLearned, task, steps));
            if (underWay.phase() == Phase.TRAIN) {
                train(new Trainer.TaskTraining(
                        tasksLearned, task, replayed, config, ewc.lambda(), ewc.penaltyOptions()));
                underWay = new UnderWay(task, Phase.FISHER, underWay.firstStep());
            }
            if (consolidate) {
                addFisher(task, rows, config);
            }
            replay.remember(tasksLearned, rows);
            tasksLearned++;
            underWay = null;
        });
    }

    /** Takes in the Fisher of rows without training on them, or goes on with that. */
    void consolidate(String task, List<TokenizedRow> rows, TrainingConfig config) {
        losingWhatFails(() -> {
            begin(task, Phase.CONSOLIDATE);
            addFisher(task, rows, config);
            underWay = null;
        });
    }

    private void train(Trainer.TaskTraining task) {
        long started = System.nanoTime();
        try {
            PenaltyBalance balance = trainer.train(
                    task, consolidator.current(), stepsOfTask(), metrics -> tell(listener -> listener.step(metrics)));
            lastPenaltyRatio = balance.median();
            if (warnsOfPenalty) {
                balance.warning(task.name(), task.lambda()).ifPresent(LOG::warn);
            }
        } finally {
            trainSeconds += secondsSince(started);
        }
    }

    /** Takes in the Fisher of rows that stand for what the parameters know before the first task, or goes on with that. */
    void protect(String name, List<TokenizedRow> rows, ProtectConfig protect) {
        int read = Math.min(rows.size(), protect.maxExamples().orElse(rows.size()));
        losingWhatFails(() -> {
            begin(name, Phase.CONSOLIDATE);
            fisherPass(
                    name + ", before the first task",
                    () -> consolidator.protect(
                            name, rows, protect, done -> fisherProgress(ProtectedScore.START, name, done, read)));
            protectedBefore = true;
            underWay = null;
        });
    }

    /** Whether {@link #protect} has been done. */
    boolean isProtected() {
        return protectedBefore;
    }

    private void addFisher(String task, List<TokenizedRow> rows, TrainingConfig config) {
        int read = consolidator.rowsRead(rows.size());
        fisherPass(
                "task '" + task + "', behind its last step",
                () -> consolidator.add(
                        tasksLearned,
                        task,
                        rows,
                        config,
                        trainer.state().microBatchRows(),
                        done -> fisherProgress(tasksLearned, task, done, read)));
    }

    private void fisherProgress(int index, String task, int done, int total) {
        tell(listener -> listener.fisherProgress(index, task, done, total));
        RunInterruptedException.throwIfInterrupted(
                "task '" + task + "', Fisher pass, behind " + done + " of " + total + " rows");
    }

    private void tell(Consumer<RunListener> event) {
        try {
            listeners.forEach(event);
        } catch (RuntimeException e) {
            ofListener = e;
            throw e;
        }
    }

    /** @param where begins a message */
    private void fisherPass(String where, Runnable pass) {
        long started = System.nanoTime();
        try {
            pass.run();
        } catch (RunFailedException e) {
            throw e == ofListener && !lost ? e : new RunFailedException(where + ": " + e.getMessage(), e);
        } catch (RuntimeException | OutOfMemoryError e) {
            if (OutOfMemory.isMeantBy(e)) {
                throw new RunFailedException(
                        where + ": there is no memory for the Fisher pass; what was saved before stands. A smaller"
                                + " ewc.fisher_batch_size needs less",
                        e);
            }
            throw e;
        } finally {
            fisherSeconds += secondsSince(started);
        }
    }

    private static double secondsSince(long nanos) {
        return (System.nanoTime() - nanos) * 1e-9;
    }

    /** Begins a task, or goes on with it. */
    private void begin(String task, Phase phase) {
        if (underWay == null) {
            underWay = new UnderWay(task, phase, trainer.steps());
            return;
        }
        boolean consolidating = underWay.phase() == Phase.CONSOLIDATE;
        if (!underWay.task().equals(task) || consolidating != (phase == Phase.CONSOLIDATE)) {
            String call = consolidating ? "consolidate" : "learn";
            throw new InvalidInputException("task " + Quoted.of(underWay.task()) + " was interrupted; call " + call
                    + " with it again, which goes on, before another task");
        }
    }

    /** Where a loss is not finite, the state is lost; where a listener failed, as with a full disk, it is not. */
    private void losingWhatFails(Runnable body) {
        requireNotLost();
        try {
            body.run();
        } catch (RunFailedException e) {
            lost = e != ofListener;
            throw e;
        }
    }

    private void requireNotLost() {
        if (lost) {
            throw new RunFailedException(
                    "this learner failed before and its state is lost; go on from what was saved, with another learner");
        }
    }

    /**
     * The state as it is, but for the arenas.
     *
     * @param evaluationMicroBatchRows for its record, as the seconds
     * @throws RunFailedException where it is lost, as where a Fisher pass under way is no longer finite
     */
    LearnerState state(int evaluationMicroBatchRows, double evaluateSeconds) {
        requireNotLost();
        return new LearnerState(
                model.directory().architectureName(),
                LearnerState.layoutFingerprint(model.layout()),
                tasksLearned,
                protectedBefore,
                replay.kept(),
                Optional.ofNullable(underWay),
                trainer.state(),
                consolidator.memory().rows(),
                evaluationMicroBatchRows,
                model.randomState(),
                consolidationState(),
                new ContinualLearner.PhaseSeconds(trainSeconds, fisherSeconds, evaluateSeconds));
    }

    /** Where that fails, it is the pass that failed, and not the listener that wanted to save it. */
    private Optional<ConsolidationState> consolidationState() {
        try {
            return consolidator.state();
        } catch (RunFailedException e) {
            lost = true;
            throw e;
        }
    }

    /** θ, the moments where there are any, and what the consolidation holds. */
    List<KeptArena> arenas() {
        List<KeptArena> arenas = new ArrayList<>();
        arenas.add(KeptArena.changing("theta", model.theta()));
        if (!trainer.moments().isEmpty()) {
            arenas.add(KeptArena.changing("first_moment", trainer.moments().get(0)));
            arenas.add(KeptArena.changing("second_moment", trainer.moments().get(1)));
        }
        if (consolidator.current() != null) {
            arenas.addAll(consolidator.current().arenas());
        }
        return arenas;
    }

    /** Goes on from what a folder holds; where that does not fit, the state is lost. */
    void restore(LearnerState state, StateFolder folder) {
        state.requireModel(model.directory(), folder);
        lost = true;
        consolidator.restore(state.consolidation());
        trainer.restore(state.trainer(), folder.has("first_moment"));
        consolidator.memory().restore(state.fisherMicroBatchRows());
        folder.fill(arenas());
        restoreRandomState(state, folder);
        tasksLearned = state.tasksLearned();
        protectedBefore = state.protectedBefore();
        replay.restore(state.replayed());
        underWay = state.underWay().orElse(null);
        trainSeconds = state.seconds().train();
        fisherSeconds = state.seconds().fisher();
        lost = false;
    }

    private void restoreRandomState(LearnerState state, StateFolder folder) {
        try {
            model.restored(state.randomState());
        } catch (RuntimeException e) { // libtorch's own, which says where in its source
            throw new InvalidInputException(
                    folder.file() + ": key 'random_state' is no state of a generator on "
                            + model.theta().device() + "; the file is damaged or of another device",
                    e);
        }
    }

    /** The whole state between tasks, in memory of its own, to come back to; the caller closes it. */
    LearnerFork fork() {
        return new LearnerFork(
                model.snapshot(),
                trainer.snapshot(),
                consolidator.memory().rows(),
                Optional.ofNullable(consolidator.current()).map(Consolidation::copy),
                replay.size(),
                tasksLearned);
    }

    /** Comes back to a fork of this learner: what is learned from here is what would have been learned there. */
    void restore(LearnerFork fork) {
        model.restore(fork.model());
        trainer.restore(fork.trainer());
        consolidator.memory().restore(fork.fisherMicroBatchRows());
        consolidator.restore(fork.consolidation().orElse(null));
        replay.forgetBehind(fork.replayed());
        tasksLearned = fork.tasksLearned();
        underWay = null;
        lost = false;
    }
}
