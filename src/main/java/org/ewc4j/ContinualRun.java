package org.ewc4j;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.ewc4j.config.EvaluationConfig.EveryTask;
import org.ewc4j.config.EvaluationConfig.Split;
import org.ewc4j.config.RunConfig;
import org.ewc4j.config.SaveConfig;
import org.ewc4j.config.SaveConfig.Keep;
import org.ewc4j.config.TaskSource;
import org.ewc4j.data.BatchLoader;
import org.ewc4j.data.EncodedTask;
import org.ewc4j.data.EncodingSummary;
import org.ewc4j.data.PromptTemplate;
import org.ewc4j.data.ReplayMemory;
import org.ewc4j.data.TaskReader;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.eval.LambdaChoice;
import org.ewc4j.report.RunFolder;
import org.ewc4j.report.RunListener;
import org.ewc4j.report.RunStart;
import org.ewc4j.report.RunTotals;
import org.ewc4j.task.Task;
import org.ewc4j.task.TaskSequence;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A whole run as a configuration describes it: every task of its sequence learned, consolidated and evaluated, with the
 * output folder that it leaves. What the command {@code train} does, for callers that embed it.
 */
public final class ContinualRun {
    private static final Logger LOG = LoggerFactory.getLogger(ContinualRun.class);

    private final RunConfig config;
    private final List<RunListener> listeners;
    private final TaskSequence tasks;
    private final Optional<LambdaChoice> choice;
    private final Optional<Task> protectedData;

    private ContinualRun(
            RunConfig config, List<RunListener> listeners, TaskSequence tasks, Optional<LambdaChoice> choice) {
        this.config = config;
        this.listeners = listeners;
        this.tasks = tasks;
        this.choice = choice;
        this.protectedData = readProtected(config);
    }

    /** Reads and checks the tasks of a configuration. */
    public static TaskSequence readTasks(RunConfig config) {
        TaskSequence tasks = TaskReader.read(
                config.tasks(),
                config.text(),
                PromptTemplate.parse(config.prompt()),
                config.evaluation().splits());
        if (config.evaluation().splits().contains(Split.TEST)) {
            tasks.requireTestRows();
        }
        config.requireOverridesAmong(tasks.names());
        return tasks;
    }

    /** Reads the data of {@code ewc.protect}; empty where there is none. */
    static Optional<Task> readProtected(RunConfig config) {
        return config.ewc()
                .protect()
                .map(protect -> TaskReader.readProtected(
                        protect, config.tasks(), config.text(), PromptTemplate.parse(config.prompt())));
    }

    /** Opens a learner with the settings of a configuration. */
    public static ContinualLearner open(RunConfig config) {
        return ContinualLearner.open(config.model(), config.training(), config.ewc(), config.evaluation());
    }

    /**
     * Carries the run out. Where {@code ewc.lambda} is {@code auto}, a λ is chosen first ({@link LambdaSweep}), and what
     * follows is the run that has the number in its configuration, from its beginning.
     *
     * @param overwrite whether an ewc4j run in the output folder is replaced; it is removed when all else was checked
     * @param listeners told of everything, before the output folder is
     * @return one line for each thing that was cut or can not be scored; empty where there was none
     * @throws org.ewc4j.error.InvalidInputException for a mistake in the configuration or what it names; nothing was
     *     changed then
     * @throws org.ewc4j.error.RunFailedException where the run could not be ended; what was saved before stands
     */
    public static List<String> execute(RunConfig config, boolean overwrite, List<RunListener> listeners) {
        TaskSequence tasks = readTasks(config);
        RunFolder.check(config.output(), overwrite);
        requireInputsOutside(config);
        if (!config.ewc().lambdaSetting().isAuto()) {
            return new ContinualRun(config, listeners, tasks, Optional.empty()).execute(overwrite);
        }
        List<RunListener> ofTrials = listeners.stream()
                .flatMap(listener -> listener.ofTrials().stream())
                .toList();
        LambdaChoice choice = LambdaSweep.overFirstTasks(
                config, ofTrials, trial -> listeners.forEach(listener -> listener.lambdaTried(trial)));
        listeners.forEach(listener -> listener.lambdaChosen(choice));
        RunConfig chosen = config.withEwc(config.ewc().withLambda(choice.best().lambda()));
        return new ContinualRun(chosen, listeners, tasks, Optional.of(choice)).execute(overwrite);
    }

    private List<String> execute(boolean overwrite) {
        try (ContinualLearner learner = open(config)) {
            EncodingSummary summary = encodeAll(learner, tasks);
            protectedData.ifPresent(learner::encodeProtected);
            List<String> warnings = summary.warnings(
                    config.training().maxLength(), config.evaluation().maxNewTokens());
            warnings.forEach(LOG::warn);
            try (RunFolder folder = RunFolder.create(
                    config.output(),
                    overwrite,
                    config.toYaml(),
                    config.training().seed())) {
                List<RunListener> all = new ArrayList<>(listeners);
                all.add(folder);
                all.forEach(learner::addListener);
                learnAll(learner, folder, all);
            }
            return warnings;
        }
    }

    /** With overwrite the output folder is emptied: nothing that the run reads may lie in it. */
    private static void requireInputsOutside(RunConfig config) {
        Path output = config.output().normalize();
        List<Path> inputs = new ArrayList<>(List.of(config.model().path()));
        if (config.tasks() instanceof TaskSource.SingleFile file) {
            inputs.add(file.path());
            file.validation().ifPresent(inputs::add);
        } else if (config.tasks() instanceof TaskSource.IncrementalJson file) {
            inputs.add(file.path());
        } else if (config.tasks() instanceof TaskSource.PerTask list) {
            list.tasks().forEach(task -> {
                inputs.add(task.train());
                task.test().ifPresent(inputs::add);
                task.validation().ifPresent(inputs::add);
            });
        }
        config.ewc().from().ifPresent(inputs::add);
        config.ewc().protect().ifPresent(protect -> {
            inputs.add(protect.data());
            protect.test().ifPresent(inputs::add);
        });
        for (Path input : inputs) {
            if (input.toAbsolutePath().normalize().startsWith(output)) {
                throw new InvalidInputException("output " + output + ": holds " + input
                        + ", which the run reads; choose another output folder");
            }
        }
    }

    /** Tokenizes every task, so that what does not fit is refused before anything is trained. */
    static EncodingSummary encodeAll(ContinualLearner learner, TaskSequence tasks) {
        EncodingSummary summary = EncodingSummary.EMPTY;
        for (Task task : tasks) {
            EncodedTask encoded = learner.encode(task);
            summary = summary.plus(encoded.summary());
        }
        return summary;
    }

    private void learnAll(ContinualLearner learner, RunFolder folder, List<RunListener> all) {
        long steps = 0;
        for (int i = 0; i < tasks.size(); i++) {
            steps += steps(learner, config, tasks, i);
        }
        RunStart start =
                new RunStart(tasks.names(), learner.parameters(), config.ewc().lambda(), steps, choice);
        all.forEach(listener -> listener.runStarted(start));
        protect(learner);
        for (int i = 0; i < tasks.size(); i++) {
            int index = i;
            Task task = tasks.get(i);
            learner.learn(
                    task, config.trainingFor(task.name()), config.ewcFor(task.name()), consolidates(config, tasks));
            Optional<Path> checkpoint = Optional.empty();
            if (config.save().keep() == Keep.ALL) {
                learner.saveModel(folder.taskModel(i), config.save().dtype());
                checkpoint = Optional.of(folder.taskModel(i))
                        .filter(model -> config.save().dtype() == SaveConfig.StoredType.FLOAT32);
            }
            learner.saveConsolidation(folder.consolidation(i), checkpoint);
            evaluate(learner, asked(i));
            all.forEach(listener -> listener.taskFinished(index, task.name()));
        }
        learner.saveModel(folder.model(), config.save().dtype());
        ContinualLearner.PhaseSeconds seconds = learner.seconds();
        RunTotals totals = new RunTotals(seconds.train(), seconds.fisher(), seconds.evaluate());
        all.forEach(listener -> listener.runFinished(totals));
    }

    /** Scores the starting checkpoint on what is to be protected, and takes in its Fisher there. */
    private void protect(ContinualLearner learner) {
        protectedData.ifPresent(data -> {
            learner.scoreProtected(data);
            if (consolidates(config, tasks)) {
                learner.protect(data, config.ewc().protect().orElseThrow());
            }
        });
    }

    private void evaluate(ContinualLearner learner, Map<Integer, Task> asked) {
        if (!asked.isEmpty()) {
            learner.evaluate(asked);
            protectedData.ifPresent(learner::scoreProtected);
        }
    }

    /** Optimizer steps of a task, the rows replayed with it included. */
    static long steps(ContinualLearner learner, RunConfig config, TaskSequence tasks, int index) {
        int rows = learner.encode(tasks.get(index)).trainRows().size();
        for (Task earlier : tasks.tasks().subList(0, index)) {
            int own = learner.encode(earlier).trainRows().size();
            rows += ReplayMemory.kept(own, config.training().replay());
        }
        return BatchLoader.steps(rows, config.trainingFor(tasks.get(index).name()));
    }

    /** Where λ is 0 for every task, no Fisher is worth its pass. */
    static boolean consolidates(RunConfig config, TaskSequence tasks) {
        return config.ewc().lambdaSetting().isAuto()
                || tasks.names().stream().anyMatch(name -> config.ewcFor(name).lambda() > 0);
    }

    /** The tasks that are asked about after task {@code learned}. */
    private Map<Integer, Task> asked(int learned) {
        EveryTask when = config.evaluation().everyTask();
        boolean last = learned == tasks.size() - 1;
        int end = when == EveryTask.ALL ? tasks.size() : when == EveryTask.TRUE || last ? learned + 1 : 0;
        Map<Integer, Task> asked = new LinkedHashMap<>();
        for (int i = 0; i < end; i++) {
            asked.put(i, tasks.get(i));
        }
        return asked;
    }
}
