package org.ewc4j;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.ewc4j.checkpoint.CheckpointStore;
import org.ewc4j.config.CheckpointConfig;
import org.ewc4j.config.EwcConfig;
import org.ewc4j.config.ModelSource;
import org.ewc4j.config.SaveConfig.StoredType;
import org.ewc4j.config.TrainingConfig;
import org.ewc4j.report.RunFolder;
import org.ewc4j.report.RunListener;
import org.ewc4j.task.Task;

/**
 * A process that learns ever new tasks for a long time, with checkpoints as a run makes them, evaluates and saves behind each, and
 * tells what it holds; see {@link SoakTest}.
 */
public final class Soak {
    static final int TASKS_A_ROW = 10;
    static final int STEPS_A_TASK = 200;
    private static final int STEPS_A_CHECKPOINT = 100;

    private Soak() {}

    /** {@code args}: a folder to write to, and how many tasks. Prints a row of the table after every {@link #TASKS_A_ROW}. */
    public static void main(String[] args) throws IOException {
        Path folder = Path.of(args[0]);
        int tasks = Integer.parseInt(args[1]);
        TrainingConfig training = TinyRun.training()
                .withEpochs(1000)
                .withMaxSteps(STEPS_A_TASK)
                .withShuffle(true)
                .withLoaderThreads(2);
        Path model = TinyRun.model(folder.resolve("model"), "llama");
        Path output = folder.resolve("run");
        System.out.println(Held.header("steps"));
        try (ContinualLearner learner = ContinualLearner.open(
                        ModelSource.random(model, 1),
                        training,
                        EwcConfig.defaults().withLambda(100));
                RunFolder run = RunFolder.create(output, false, "", 1);
                RunCheckpoints checkpoints = new RunCheckpoints(
                        new CheckpointStore(RunFolder.checkpoints(output), 2),
                        CheckpointConfig.defaults()
                                .withEverySteps(STEPS_A_CHECKPOINT)
                                .withEveryMinutes(0),
                        learner,
                        run,
                        Map.of(),
                        Optional.empty(),
                        0)) {
            learner.addListener(run);
            learner.addListener(checkpoints);
            learner.addListener(savingWithinFisherPasses(checkpoints));
            for (int done = 0; done < tasks; done++) {
                Task task = task(done);
                learner.learn(task);
                checkpoints.evaluating();
                learner.evaluate(Map.of(done, task));
                learner.saveModel(run.model(), StoredType.FLOAT32);
                learner.saveConsolidation(folder.resolve("consolidation"));
                run.taskFinished(done, task.name());
                checkpoints.taskFinished(done, task.name());
                if ((done + 1) % TASKS_A_ROW == 0) {
                    System.out.println(Held.now().row((done + 1) * STEPS_A_TASK));
                }
            }
        }
        Held left = Held.now();
        System.out.println("left behind: " + left.tensors() + " tensors, " + left.resources() + " native resources");
    }

    /** One that nobody has seen before, and that nobody holds when it was learned. */
    private static Task task(int index) {
        List<Task> kinds = TinyRun.tasks(4, 26);
        Task kind = kinds.get(index % kinds.size());
        return new Task("task " + index, kind.train(), kind.test());
    }

    /** Behind the first batch of each, where F has changed too; the checkpoints that are due come behind steps alone. */
    private static RunListener savingWithinFisherPasses(RunCheckpoints checkpoints) {
        return new RunListener() {
            private int last = -1;

            @Override
            public void fisherProgress(int task, String taskName, int done, int total) {
                if (task != last && done < total) {
                    last = task;
                    checkpoints.saveNow();
                }
            }
        };
    }
}
