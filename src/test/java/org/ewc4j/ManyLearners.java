package org.ewc4j;

import java.nio.file.Path;
import java.util.Map;
import org.ewc4j.config.EwcConfig;
import org.ewc4j.config.ModelSource;
import org.ewc4j.task.Task;

/** A process of hundreds of learners, one after another, that tells what it holds; see {@link ManyLearnersTest}. */
public final class ManyLearners {
    private ManyLearners() {}

    /** {@code args}: a folder to write to, how many learners to begin with, how many more. Prints a row after each. */
    public static void main(String[] args) {
        Path model = TinyRun.model(Path.of(args[0]), "llama");
        int first = Integer.parseInt(args[1]);
        int all = first + Integer.parseInt(args[2]);
        System.out.println(Held.header("learners"));
        for (int done = 1; done <= all; done++) {
            live(model);
            if (done == first || done == all) {
                System.gc();
                System.out.println(Held.now().row(done));
            }
        }
    }

    /** One learns, is asked and is closed. */
    static void live(Path model) {
        try (ContinualLearner learner = ContinualLearner.open(
                ModelSource.random(model, 1),
                TinyRun.training().withMaxSteps(1),
                EwcConfig.defaults().withLambda(100))) {
            Task task = TinyRun.tasks(1, 4).get(0);
            learner.learn(task);
            learner.evaluate(Map.of(0, task));
        }
    }
}
