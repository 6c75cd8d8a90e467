package org.ewc4j.report;

import java.util.Optional;
import org.ewc4j.eval.LambdaChoice;
import org.ewc4j.eval.LambdaTrial;
import org.ewc4j.eval.ProtectedScore;
import org.ewc4j.eval.TaskScore;
import org.ewc4j.train.StepMetrics;

/**
 * What a run tells while it goes on. Called on the thread that runs the learner, in order; a listener that throws ends
 * the run with that exception. Every method has an empty default.
 */
public interface RunListener {
    /** Who is told of the training and the scores of λ that are only tried before a run; nobody unless this says so. */
    default Optional<RunListener> ofTrials() {
        return Optional.empty();
    }

    /** One λ was tried, of a sweep or where {@code ewc.lambda} is {@code auto}. */
    default void lambdaTried(LambdaTrial trial) {}

    /** Every λ was tried; the run with the best begins. */
    default void lambdaChosen(LambdaChoice choice) {}

    /** The run is about to learn its first task; everything was checked. */
    default void runStarted(RunStart start) {}

    /** The run goes on where it was stopped; told behind {@link #runStarted}. */
    default void runResumed(RunResumption resumption) {}

    /** Training of a task begins, or goes on. It takes {@code steps} optimizer steps in all. */
    default void taskStarted(int task, String taskName, long steps) {}

    default void step(StepMetrics metrics) {}

    /** {@code done} of {@code total} examples of the Fisher pass have been read; before the first task {@code task} is −1. */
    default void fisherProgress(int task, String taskName, int done, int total) {}

    /** {@code done} of {@code total} questions of this evaluation, over all its tasks and splits, have been answered. */
    default void evaluationProgress(int afterTask, int done, int total) {}

    default void scored(TaskScore score) {}

    /** What is held out of the data of {@code ewc.protect} was scored: before the first task, and with each evaluation. */
    default void protectedScored(ProtectedScore score) {}

    /** The task was learned, consolidated (unless λ = 0) and evaluated. Its learner's state may be saved now. */
    default void taskFinished(int task, String taskName) {}

    /** The run ended as planned. */
    default void runFinished(RunTotals totals) {}
}
