package org.ewc4j;

import java.nio.file.Path;
import java.util.Map;
import org.ewc4j.config.EwcConfig;
import org.ewc4j.config.ModelSource;
import org.ewc4j.report.RunListener;
import org.ewc4j.task.Task;
import org.ewc4j.train.StepMetrics;

/** A process that trains and prints its resident memory as it goes; see {@link ResidentMemoryTest}. */
public final class ResidentMemory {
    static final int STEPS = 2000;
    static final int STEPS_A_TASK = 100;

    private ResidentMemory() {}

    /** {@code args}: a folder to write to. Prints a row of what is held every 100 steps. */
    public static void main(String[] args) {
        Path model = TinyRun.model(Path.of(args[0]), "llama");
        try (ContinualLearner learner = ContinualLearner.open(
                ModelSource.random(model, 1),
                TinyRun.training()
                        .withEpochs(1000)
                        .withMaxSteps(STEPS_A_TASK)
                        .withShuffle(true)
                        .withLoaderThreads(2),
                EwcConfig.defaults().withLambda(100))) {
            learner.addListener(new RunListener() {
                @Override
                public void step(StepMetrics metrics) {
                    if ((metrics.step() + 1) % 100 == 0) {
                        System.out.println(Held.now().row(metrics.step() + 1));
                    }
                }
            });
            // All that a run does between its steps is in the circle: the Fisher pass, evaluation and saving.
            Task task = TinyRun.tasks(1, 26).get(0);
            for (int done = 0; done < STEPS; done += STEPS_A_TASK) {
                learner.learn(task);
                learner.evaluate(Map.of(0, task));
                learner.saveConsolidation(model);
            }
        }
    }
}
