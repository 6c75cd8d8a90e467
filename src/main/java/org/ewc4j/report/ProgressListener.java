package org.ewc4j.report;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.LongSupplier;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressState;
import org.ewc4j.eval.LambdaChoice;
import org.ewc4j.eval.LambdaTrial;
import org.ewc4j.eval.ProtectedScore;
import org.ewc4j.eval.TaskScore;
import org.ewc4j.train.StepMetrics;

/**
 * Shows a run on a stream while it goes on. On a terminal each phase (training, Fisher pass, evaluation) is one bar with
 * loss, penalty, tokens per second and time left; elsewhere a plain line every few seconds says the same. After each
 * task one line gives its scores. Close it to take down the bar of a run that failed; the stream stays open.
 */
public final class ProgressListener implements RunListener, AutoCloseable {
    private static final long LINE_EVERY_NANOS = 5_000_000_000L;
    private static final int BAR_UPDATE_MILLIS = 200;
    private static final int SHORTEST_BAR = 5;
    private static final int LONGEST_BAR = 40;

    private final PrintStream out;
    private final boolean terminal;
    private final LongSupplier nanoTime;
    private final List<TaskScore> taskScores = new ArrayList<>();
    private Optional<ProtectedScore> protectedScore = Optional.empty();
    private int tasks;
    private long stepsBefore;
    private Phase phase;

    /** A phase under way: its name, how far it is and how fast. */
    private final class Phase implements AutoCloseable {
        private final String name;
        private final long total;
        private final long began = nanoTime.getAsLong();
        private final ProgressBar bar;
        private long lastLine = began;
        private final long before;
        private long tokens;
        private long steps;

        /** @param before how much was done before this process */
        Phase(String name, long total, long before) {
            this.name = name;
            this.total = total;
            this.before = before;
            this.steps = before;
            this.bar = terminal ? bar(name, total) : null;
        }

        void at(long done, String message) {
            double seconds = (nanoTime.getAsLong() - began) / 1e9;
            String speed =
                    tokens == 0 || seconds <= 0 ? "" : String.format(Locale.ROOT, "  %,.0f tokens/s", tokens / seconds);
            String left = "  " + clock(seconds / Math.max(1, done - before) * (total - done)) + " left";
            if (bar != null) {
                bar.setExtraMessage(message + speed + left);
                bar.stepTo(done);
                return;
            }
            long now = nanoTime.getAsLong();
            if (now - lastLine >= LINE_EVERY_NANOS) {
                lastLine = now;
                out.println(name + " " + done + "/" + total + message + speed + left);
            }
        }

        @Override
        public void close() {
            if (bar != null) {
                bar.close();
                out.println();
            }
        }
    }

    /**
     * @param out where to show it; not closed
     * @param terminal whether {@code out} is a terminal that takes a carriage return
     */
    public ProgressListener(PrintStream out, boolean terminal) {
        this(out, terminal, System::nanoTime);
    }

    ProgressListener(PrintStream out, boolean terminal, LongSupplier nanoTime) {
        this.out = out;
        this.terminal = terminal;
        this.nanoTime = nanoTime;
    }

    private ProgressBar bar(String name, long total) {
        return new ProgressBarBuilder()
                .setTaskName(name)
                .setInitialMax(total)
                .setRenderer(ProgressListener::render)
                .setUpdateIntervalMillis(BAR_UPDATE_MILLIS)
                .setConsumer(new OpenLine(out))
                .build();
    }

    /** Leaves the end of the line to the phase: the library forgets it for a bar closed before it was first drawn. */
    private static final class OpenLine extends ConsoleProgressBarConsumer {
        OpenLine(PrintStream out) {
            super(out);
        }

        @Override
        public void close() {}
    }

    /** The words first, the bar in what room they leave: the library's own renderer does it the other way round. */
    private static String render(ProgressState state, int width) {
        String count = " " + state.getCurrent() + "/" + state.getMax() + state.getExtraMessage();
        int room = Math.min(LONGEST_BAR, width - state.getTaskName().length() - count.length() - 1);
        if (room < SHORTEST_BAR) {
            String words = state.getTaskName() + count;
            return words.substring(0, Math.min(words.length(), width));
        }
        int full = (int) (room * state.getNormalizedProgress());
        return state.getTaskName() + " " + "█".repeat(full) + "░".repeat(room - full) + count;
    }

    @Override
    public void runStarted(RunStart start) {
        tasks = start.taskNames().size();
        out.printf(
                Locale.ROOT,
                "%d %s, %,d parameters, %s, %,d steps%n",
                tasks,
                tasks == 1 ? "task" : "tasks",
                start.parameters(),
                Double.isNaN(start.lambda()) ? "trying λ 0 and others" : "λ " + Html.number(start.lambda()),
                start.totalSteps());
    }

    @Override
    public Optional<RunListener> ofTrials() {
        return Optional.of(this);
    }

    @Override
    public void lambdaTried(LambdaTrial trial) {
        close();
        taskScores.clear();
        out.println(LambdaTable.line(trial));
    }

    @Override
    public void lambdaChosen(LambdaChoice choice) {
        out.println(LambdaTable.chosen(choice));
    }

    @Override
    public void runResumed(RunResumption resumption) {
        stepsBefore = resumption.stepsOfTask();
        out.printf(
                Locale.ROOT,
                "goes on behind step %,d, with task %d of %d%n",
                resumption.steps() - 1,
                Math.min(tasks, resumption.tasksFinished() + 1),
                tasks);
    }

    @Override
    public void taskStarted(int task, String taskName, long steps) {
        begin(label(task, taskName) + " train", steps, stepsBefore);
        stepsBefore = 0;
    }

    @Override
    public void step(StepMetrics metrics) {
        if (phase == null) {
            return;
        }
        phase.tokens += metrics.tokens();
        phase.steps++;
        phase.at(phase.steps, "  loss " + Html.number(metrics.loss()) + "  penalty " + Html.number(metrics.penalty()));
    }

    @Override
    public void fisherProgress(int task, String taskName, int done, int total) {
        during(label(task, taskName) + " Fisher", done, total);
    }

    @Override
    public void evaluationProgress(int afterTask, int done, int total) {
        // A model that is only evaluated has learned no task of a run.
        during(tasks == 0 ? "evaluate" : "after task " + (afterTask + 1) + "/" + tasks + " evaluate", done, total);
    }

    private void during(String name, int done, int total) {
        if (phase == null || !phase.name.equals(name)) {
            begin(name, total, 0);
        }
        phase.at(done, "");
    }

    private void begin(String name, long total, long before) {
        close();
        phase = new Phase(name, total, before);
    }

    @Override
    public void scored(TaskScore score) {
        taskScores.add(score);
    }

    @Override
    public void taskFinished(int task, String taskName) {
        close();
        StringBuilder line = new StringBuilder(label(task, taskName)).append(" done");
        for (TaskScore score : taskScores) {
            if (score.task() == task) {
                line.append("  ").append(RunJson.key(score.split())).append(' ').append(shown(score));
            }
        }
        protectedScore.ifPresent(
                score -> line.append(String.format(Locale.ROOT, "  protected perplexity %.2f", score.perplexity())));
        out.println(line);
        protectedScore = Optional.empty();
        taskScores.clear();
    }

    @Override
    public void protectedScored(ProtectedScore score) {
        if (score.afterTask() < 0) {
            close();
            out.printf(Locale.ROOT, "protected data: perplexity %.2f at the start%n", score.perplexity());
        } else {
            protectedScore = Optional.of(score);
        }
    }

    private static String shown(TaskScore score) {
        return score.hasExactMatch()
                ? String.format(Locale.ROOT, "%.1f %%", score.exactMatch())
                : String.format(Locale.ROOT, "perplexity %.2f", score.perplexity());
    }

    private String label(int task, String taskName) {
        // Before the first task it is the protected data whose Fisher is taken.
        return (task < 0 ? "" : (task + 1) + "/" + tasks + " ") + Html.shorten(taskName, 24);
    }

    /** Takes down the bar of the phase under way, if any. */
    @Override
    public void close() {
        if (phase != null) {
            phase.close();
            phase = null;
        }
    }

    private static String clock(double seconds) {
        long whole = Math.max(0, Math.round(seconds));
        return whole < 3600
                ? String.format(Locale.ROOT, "%d:%02d", whole / 60, whole % 60)
                : String.format(Locale.ROOT, "%d:%02d:%02d", whole / 3600, whole / 60 % 60, whole % 60);
    }
}
