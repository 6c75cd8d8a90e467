package org.ewc4j.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.ewc4j.config.EvaluationConfig.Split;
import org.ewc4j.eval.Prediction;
import org.ewc4j.eval.TaskScore;
import org.ewc4j.train.StepMetrics;

/** The events of a small run, made up but of the shape of a real one: later tasks push earlier ones out. */
final class SampleRun {
    static final String CONFIGURATION = """
            model: /models/tiny
            prompt: "Question: {question}\\n Short Answer:"
            training:
              epochs: 2
              seed: 7
            ewc:
              lambda: 5000.0
              fisher: batch
              merge: running-mean
            """;

    private final List<String> tasks;
    private final int stepsPerTask;
    private final double kept;
    private long step;

    /** {@code kept} is the share of a task's accuracy that each later task leaves. */
    SampleRun(List<String> tasks, int stepsPerTask, double kept) {
        this.tasks = tasks;
        this.stepsPerTask = stepsPerTask;
        this.kept = kept;
    }

    static SampleRun small() {
        return new SampleRun(List.of("capitals", "elements", "languages"), 4, 0.5);
    }

    void feed(RunListener listener) {
        start(listener);
        for (int task = 0; task < tasks.size(); task++) {
            task(listener, task);
        }
        listener.runFinished(new RunTotals(12.5, 1.25, 3.0));
    }

    void start(RunListener listener) {
        listener.runStarted(new RunStart(tasks, 1_234_567, 5000, (long) tasks.size() * stepsPerTask));
    }

    void task(RunListener listener, int task) {
        steps(listener, task);
        int questions = 10 * 2 * (task + 1);
        listener.fisherProgress(task, tasks.get(task), 10, 10);
        listener.evaluationProgress(task, questions, questions);
        for (int asked = 0; asked <= task; asked++) {
            double left = Math.pow(kept, task - asked);
            listener.scored(score(task, asked, Split.TRAIN, left));
            listener.scored(score(task, asked, Split.TEST, 0.5 * left));
        }
        listener.taskFinished(task, tasks.get(task));
    }

    void steps(RunListener listener, int task) {
        Random random = new Random(task);
        listener.taskStarted(task, tasks.get(task), stepsPerTask);
        for (int k = 0; k < stepsPerTask; k++, step++) {
            double progress = (double) k / stepsPerTask;
            double loss = 4 * Math.exp(-4 * progress) + 0.1 + 0.5 * random.nextDouble();
            double penalty = task == 0 ? 0 : 1e-4 * (1 - Math.exp(-5 * progress)) * (1 + 0.1 * random.nextDouble());
            listener.step(new StepMetrics(
                    task,
                    tasks.get(task),
                    k / 2,
                    step,
                    loss,
                    penalty,
                    loss + 5000 * penalty,
                    1.5,
                    task == 0 ? 0 : 5000,
                    task == 0 ? 0 : 5e-5,
                    1e-3,
                    120,
                    0.5));
        }
    }

    private TaskScore score(int after, int asked, Split split, double share) {
        int right = (int) Math.round(10 * share);
        List<Prediction> predictions = new ArrayList<>();
        for (int k = 0; k < 10; k++) {
            String question = "What is <b>number " + k + "</b> of " + tasks.get(asked) + "?";
            String given = k < right ? "Answer " + k : "wrong & \"odd\"";
            predictions.add(
                    new Prediction(after, asked, tasks.get(asked), split, question, "answer " + k, given, k < right));
        }
        return new TaskScore(after, asked, tasks.get(asked), split, 10.0 * right, 0.5 + 3 * (1 - share), predictions);
    }
}
