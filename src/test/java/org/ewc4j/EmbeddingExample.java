package org.ewc4j;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.ewc4j.config.EwcConfig;
import org.ewc4j.config.ModelSource;
import org.ewc4j.config.SaveConfig;
import org.ewc4j.config.TrainingConfig;
import org.ewc4j.report.RunListener;
import org.ewc4j.task.Task;
import org.ewc4j.train.StepMetrics;

/** The embedding that README.md shows, word for word, between the two markers. */
final class EmbeddingExample {
    private EmbeddingExample() {}

    static void teach(Path model, List<Task> tasks, Path output) {
        // README: begin
        TrainingConfig training = TrainingConfig.defaults().withEpochs(20).withLearningRate(1e-3);
        EwcConfig ewc = EwcConfig.defaults().withLambda(5000);
        try (ContinualLearner learner = ContinualLearner.open(ModelSource.random(model, 1), training, ewc)) {
            learner.addListener(new RunListener() {
                @Override
                public void step(StepMetrics step) {
                    System.out.printf(
                            "%s %d: loss %.3f, penalty %.3g%n",
                            step.taskName(), step.step(), step.loss(), step.penalty());
                }
            });
            for (Task task : tasks) {
                learner.learn(task); // trains under the penalty, estimates the Fisher, moves the anchor
                learner.evaluate(Map.of(0, tasks.get(0)))
                        .forEach(score -> System.out.printf(
                                "%s, %s: %.0f %%%n", score.taskName(), score.split(), score.exactMatch()));
            }
            learner.saveModel(output, SaveConfig.StoredType.FLOAT32); // loads in transformers
        }
        // README: end
    }
}
