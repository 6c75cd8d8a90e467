package org.ewc4j;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.ewc4j.checkpoint.CheckpointStore;
import org.ewc4j.checkpoint.StateFolder;
import org.ewc4j.config.CheckpointConfig;
import org.ewc4j.eval.LambdaChoice;
import org.ewc4j.report.RunFolder;
import org.ewc4j.report.RunListener;
import org.ewc4j.report.Versions;
import org.ewc4j.tensor.Checksum;
import org.ewc4j.train.StepMetrics;

/**
 * Saves a run from time to time: behind steps, batches of the Fisher pass and tasks; within an evaluation, what was before it. The
 * last of the run's listeners, so that what
 * the others write belongs to the state.
 */
final class RunCheckpoints implements RunListener, AutoCloseable {
    private static final double NANOS_PER_MINUTE = 60e9;

    /** What a checkpoint has besides the arenas. */
    private record Position(LearnerState learner, RunFolder.Mark mark) {}

    private final CheckpointStore store;
    private final CheckpointConfig config;
    private final ContinualLearner learner;
    private final RunFolder folder;
    private final Map<Path, Checksum> inputs;
    private final Optional<LambdaChoice> choice;
    private int tasksFinished;
    private Position beforeEvaluation; // null unless one is under way
    private long lastSteps;
    private long lastNanos = System.nanoTime();

    /**
     * @param inputs of the run, as they were when it began
     * @param choice what λ was chosen from; empty where it was given
     */
    RunCheckpoints(
            CheckpointStore store,
            CheckpointConfig config,
            ContinualLearner learner,
            RunFolder folder,
            Map<Path, Checksum> inputs,
            Optional<LambdaChoice> choice,
            int tasksFinished) {
        this.store = store;
        this.config = config;
        this.learner = learner;
        this.folder = folder;
        this.inputs = inputs;
        this.choice = choice;
        this.tasksFinished = tasksFinished;
        this.lastSteps = learner.steps();
        learner.learning().beforeMerge(store::await);
    }

    int tasksFinished() {
        return tasksFinished;
    }

    @Override
    public void step(StepMetrics metrics) {
        // Of steps that are read together only behind the last is the state that of the step.
        if (metrics.step() + 1 == learner.steps()) {
            saveIfDue();
        }
    }

    @Override
    public void fisherProgress(int task, String taskName, int done, int total) {
        saveIfDue();
    }

    /** The task was learned; its evaluation begins, and would begin anew. */
    void evaluating() {
        beforeEvaluation = position();
        saveIfDue();
    }

    @Override
    public void evaluationProgress(int afterTask, int done, int total) {
        saveIfDue();
    }

    @Override
    public void taskFinished(int task, String taskName) {
        tasksFinished = task + 1;
        beforeEvaluation = null;
        saveIfDue();
    }

    private void saveIfDue() {
        store.requireWritten();
        boolean bySteps = config.everySteps().isPresent()
                && learner.steps() - lastSteps >= config.everySteps().getAsInt();
        boolean byTime =
                config.everyMinutes() > 0 && System.nanoTime() - lastNanos >= config.everyMinutes() * NANOS_PER_MINUTE;
        if (bySteps || byTime) {
            save();
        }
    }

    private Position position() {
        return new Position(learner.state(), folder.mark());
    }

    private void save() {
        Position position = beforeEvaluation == null ? position() : beforeEvaluation;
        RunState run = new RunState(tasksFinished, learner.device(), Versions.all(), inputs, choice, position.mark());
        ObjectNode state = StateFolder.newState();
        state.set("learner", position.learner().toJson());
        state.set("run", run.toJson());
        store.save(state, learner.learning().arenas(), folder::force);
        lastSteps = learner.steps();
        lastNanos = System.nanoTime();
    }

    /**
     * Saves the state as it is, and waits until it is on the disk.
     *
     * @throws org.ewc4j.error.RunFailedException where it cannot be written
     */
    void saveNow() {
        save();
        store.await();
    }

    /** The run has ended: nothing is left to go on from. */
    void removeAll() {
        store.removeAll();
    }

    @Override
    public void close() {
        store.close();
    }
}
