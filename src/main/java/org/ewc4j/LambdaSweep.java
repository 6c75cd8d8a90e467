package org.ewc4j;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import org.ewc4j.config.RunConfig;
import org.ewc4j.config.TaskOverride;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.RunFailedException;
import org.ewc4j.error.RunInterruptedException;
import org.ewc4j.eval.AccuracyMatrix;
import org.ewc4j.eval.LambdaChoice;
import org.ewc4j.eval.LambdaTrial;
import org.ewc4j.eval.TaskScore;
import org.ewc4j.report.RunListener;
import org.ewc4j.report.RunStart;
import org.ewc4j.task.Task;
import org.ewc4j.task.TaskSequence;
import org.ewc4j.train.StepMedian;
import org.ewc4j.train.StepMetrics;

/**
 * Tries several λ on the same tasks at the price of few trainings: what comes before the first penalty, which no λ changes,
 * is trained once, and each λ goes on from a copy of that state in memory (θ, both moments, F and θ* once more).
 *
 * <p>The plain branch, λ 0, is always among them. Along it the unit λ₁ is measured, median of ‖g‖ ÷ ‖F(θ−θ*)‖ over the
 * steps: where penalty and loss would weigh alike at the distances that plain training goes to. λ₁·{1, 10, …, 10⁴} is what
 * is tried where nothing is given, as the pull shortens those distances. The best is chosen by {@link LambdaChoice}, on
 * training or validation questions, never on test questions.
 */
public final class LambdaSweep {
    private static final double[] GRID = {1, 10, 100, 1e3, 1e4};

    private final RunConfig config;
    private final SweepTasks tasks;
    private final List<Double> lambdas;
    private final boolean given;
    private final List<RunListener> listeners;
    private final Consumer<LambdaTrial> tried;
    private final Consumer<LambdaChoice> soFar;
    private final StepMedian unit = new StepMedian();
    private final List<TaskScore> beforeFork = new ArrayList<>();

    private LambdaSweep(
            RunConfig config,
            SweepTasks tasks,
            List<Double> lambdas,
            List<RunListener> listeners,
            Consumer<LambdaTrial> tried,
            Consumer<LambdaChoice> soFar) {
        this.config = config;
        this.tasks = tasks;
        this.given = !lambdas.isEmpty();
        this.lambdas = lambdas.stream().filter(lambda -> lambda != 0).distinct().toList();
        this.listeners = List.copyOf(listeners);
        this.tried = tried;
        this.soFar = soFar;
    }

    /**
     * Tries λ over all tasks of a configuration, whose own λ does not matter.
     *
     * @param lambdas what is tried beside 0, finite and at least 0; empty: the default grid
     * @param listeners told of everything that is trained and scored, branch after branch, and of each λ when it was tried
     * @param soFar told behind each λ of the choice among those tried, unless all have failed: to keep where the sweep is stopped
     * @throws InvalidInputException for a mistake in the configuration or what it names
     * @throws RunFailedException where no λ could be tried
     * @throws RunInterruptedException where the thread was interrupted
     */
    public static LambdaChoice overAllTasks(
            RunConfig config, List<Double> lambdas, List<RunListener> listeners, Consumer<LambdaChoice> soFar) {
        try {
            return new LambdaSweep(
                            config,
                            SweepTasks.read(config, Integer.MAX_VALUE),
                            lambdas,
                            listeners,
                            trial -> listeners.forEach(listener -> listener.lambdaTried(trial)),
                            soFar)
                    .run();
        } catch (RuntimeException e) {
            throw RunInterruptedException.orSame(e);
        }
    }

    /**
     * As {@link #overAllTasks} with the default grid over the first two tasks alone: what {@code ewc.lambda: auto} does.
     *
     * @param tried told of each λ
     */
    static LambdaChoice overFirstTasks(RunConfig config, List<RunListener> listeners, Consumer<LambdaTrial> tried) {
        return new LambdaSweep(config, SweepTasks.read(config, 2), List.of(), listeners, tried, choice -> {}).run();
    }

    private LambdaChoice run() {
        requireNoOverride();
        try (ContinualLearner learner = ContinualLearner.open(
                config.model(),
                config.training(),
                ContinualRun.placed(config.ewc(), config.output()).withLambda(0),
                config.evaluation().withSplits(Set.of(tasks.split())))) {
            tasks.tasks().forEach(learner::encode);
            Optional<Task> protectedData = protectedData();
            protectedData.ifPresent(learner::encodeProtected);
            learner.learning().warnOfPenalty(false); // of a λ that is only tried
            listeners.forEach(learner::addListener);
            RunStart start = new RunStart(tasks.names(), learner.parameters(), Double.NaN, steps(learner));
            listeners.forEach(listener -> listener.runStarted(start));
            protectedData.ifPresent(
                    data -> learner.protect(data, config.ewc().protect().orElseThrow()));
            // The first task that is learned under a penalty: what comes before is the same for every λ.
            int first = config.ewc().from().isPresent() || protectedData.isPresent() ? 0 : 1;
            for (int i = 0; i < first; i++) {
                beforeFork.addAll(learn(learner, i, 0));
            }
            return branches(learner, first);
        }
    }

    /** A task's own λ would stand in the way of those that are tried. */
    private void requireNoOverride() {
        for (Task task : tasks.tasks()) {
            TaskOverride override = config.taskOverrides().get(task.name());
            if (override != null && override.lambda().isPresent()) {
                throw new InvalidInputException("task_overrides." + task.name()
                        + ".lambda: is given, so that no other λ can be tried there; leave it out to choose one");
            }
        }
    }

    /** What the checkpoint is held to before the first task; empty where it is held to nothing. */
    private Optional<Task> protectedData() {
        boolean holds =
                config.ewc().protect().filter(protect -> protect.weight() > 0).isPresent();
        return holds ? ContinualRun.readProtected(config) : Optional.empty();
    }

    /** Of the plain branch. */
    private long steps(ContinualLearner learner) {
        TaskSequence sequence = new TaskSequence(tasks.tasks());
        return IntStream.range(0, sequence.size())
                .mapToLong(index -> ContinualRun.steps(learner, config, sequence, index))
                .sum();
    }

    private LambdaChoice branches(ContinualLearner learner, int first) {
        List<LambdaTrial> trials = new ArrayList<>();
        learner.addListener(new RunListener() {
            @Override
            public void step(StepMetrics step) {
                if (trials.isEmpty()) {
                    unit.add(step.gradNorm() / step.displacementNorm());
                }
            }
        });
        try (LearnerFork fork = learner.learning().fork()) {
            addTrial(trials, learner, first, 0);
            for (double lambda : grid()) {
                learner.learning().restore(fork);
                addTrial(trials, learner, first, lambda);
            }
        }
        return choice(trials);
    }

    private void addTrial(List<LambdaTrial> trials, ContinualLearner learner, int first, double lambda) {
        LambdaTrial trial = tried(learner, first, lambda);
        trials.add(trial);
        tried.accept(trial);
        if (trials.stream().anyMatch(each -> each.failure().isEmpty())) {
            soFar.accept(choice(trials));
        }
    }

    private LambdaChoice choice(List<LambdaTrial> trials) {
        return LambdaChoice.of(tasks.names(), tasks.questions(), unit.median(), trials);
    }

    private List<Double> grid() {
        if (given) {
            return lambdas;
        }
        double one = unit.median();
        if (!(one > 0)) {
            throw new RunFailedException(
                    "the Fisher behind task '" + tasks.names().get(0)
                            + "' pulls at no parameter that the next task moves, so that there is no λ to begin with; look at it by"
                            + " `ewc4j fisher inspect`, or give the λ to try");
        }
        return DoubleStream.of(GRID).map(factor -> factor * one).boxed().toList();
    }

    private LambdaTrial tried(ContinualLearner learner, int first, double lambda) {
        List<TaskScore> scores = new ArrayList<>(beforeFork);
        Optional<String> failure = Optional.empty();
        try {
            for (int i = first; i < tasks.tasks().size(); i++) {
                scores.addAll(learn(learner, i, lambda));
            }
        } catch (RunFailedException e) {
            failure = Optional.of(e.getMessage());
        }
        int count = tasks.tasks().size();
        return new LambdaTrial(
                lambda,
                AccuracyMatrix.ofExactMatch(count, scores, tasks.split()),
                AccuracyMatrix.ofTokenLoss(count, scores, tasks.split()),
                failure.isPresent() ? Double.NaN : learner.learning().lastPenaltyRatio(),
                failure);
    }

    /** Learns a task and scores those so far. The last task's Fisher would hold on to nothing. */
    private List<TaskScore> learn(ContinualLearner learner, int index, double lambda) {
        Task task = tasks.tasks().get(index);
        boolean last = index == tasks.tasks().size() - 1;
        learner.learn(
                task,
                config.trainingFor(task.name()),
                config.ewcFor(task.name()).withLambda(lambda),
                !last);
        Map<Integer, Task> asked = new LinkedHashMap<>();
        for (int i = 0; i <= index; i++) {
            asked.put(i, tasks.tasks().get(i));
        }
        List<TaskScore> scores = learner.evaluate(asked);
        listeners.forEach(listener -> listener.taskFinished(index, task.name()));
        return scores;
    }
}
