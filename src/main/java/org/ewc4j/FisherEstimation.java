package org.ewc4j;

import java.nio.file.Path;
import org.ewc4j.config.RunConfig;
import org.ewc4j.consolidation.ConsolidationFolder;
import org.ewc4j.report.RunListener;
import org.ewc4j.task.TaskSequence;

/**
 * The Fisher of a model on data, without training: a consolidation to start from, to share, or to look at. What the command
 * {@code fisher estimate} does, for callers that embed it.
 */
public final class FisherEstimation {
    private FisherEstimation() {}

    /**
     * Estimates the Fisher of the configuration's model on the training rows of all its tasks together, those that a run of the
     * configuration learns, and writes it with the model's parameters as the anchor.
     *
     * @param config its model, tasks, prompt, training and ewc settings are used
     * @param output a folder that does not exist or is empty
     * @param listener told the progress
     * @throws org.ewc4j.error.InvalidInputException for a mistake in the configuration or what it names; nothing was written
     * @throws org.ewc4j.error.RunFailedException where a loss is not finite or the folder cannot be written
     */
    public static void execute(RunConfig config, Path output, RunListener listener) {
        ConsolidationFolder.requireNew(output);
        TaskSequence tasks = ContinualRun.readLearned(config);
        try (ContinualLearner learner = ContinualRun.open(config)) {
            learner.addListener(listener);
            learner.consolidate(String.join(", ", tasks.names()), tasks.tasks());
            learner.saveConsolidation(output);
        }
    }
}
