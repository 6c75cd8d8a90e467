package org.ewc4j;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.ewc4j.checkpoint.CheckpointStore;
import org.ewc4j.checkpoint.StateFolder;
import org.ewc4j.config.RunConfig;
import org.ewc4j.config.RunConfigReader;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.report.RunFolder;
import org.ewc4j.report.RunListener;
import org.ewc4j.task.TaskSequence;
import org.ewc4j.train.StepMetrics;

/** Checkpoints as {@code train --resume} reads them, for tests of other packages. */
public final class CheckpointReading {
    private CheckpointReading() {}

    /**
     * A run that was stopped: its output folder has a checkpoint from within the last task, with what is kept of those before.
     *
     * @return its configuration
     */
    public static RunConfig stoppedRun(Path configuration, Path output) {
        RunConfig config = RunConfigReader.read(
                configuration,
                List.of("checkpoint.every_steps=1", "checkpoint.keep=1"),
                Optional.of(output),
                output.getParent());
        try {
            ContinualRun.execute(config, true, List.of(new Stop()));
            throw new AssertionError("the run was not stopped");
        } catch (IllegalStateException e) {
            if (!Stop.REASON.equals(e.getMessage())) {
                throw e;
            }
        }
        return config;
    }

    /** Throws at the second task's second step. */
    private static final class Stop implements RunListener {
        private static final String REASON = "stopped by a test";
        private int steps;

        @Override
        public void step(StepMetrics metrics) {
            if (metrics.task() == 1 && ++steps == 2) {
                throw new IllegalStateException(REASON);
            }
        }
    }

    /**
     * Reads the newest checkpoint, and puts a learner into its state.
     *
     * @param learner one as the run's
     * @throws InvalidInputException where it is not whole, or not of such a learner
     */
    public static void read(Path output, ContinualLearner learner, TaskSequence tasks) {
        try (CheckpointStore store = new CheckpointStore(RunFolder.checkpoints(output), 1)) {
            StateFolder folder = store.newestWhole(whole -> {}, reason -> {
                        throw new InvalidInputException(reason);
                    })
                    .orElseThrow();
            StoppedRun stopped = StoppedRun.read(folder, output);
            stopped.run().requireTasks(tasks.size(), folder);
            stopped.restore(learner);
            if (!learner.state().toJson().equals(stopped.learner().toJson())) {
                throw new AssertionError("the learner is not in the state that was read: "
                        + learner.state().toJson());
            }
        }
    }
}
