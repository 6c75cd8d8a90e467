package org.ewc4j;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.ewc4j.checkpoint.CheckpointStore;
import org.ewc4j.checkpoint.FolderLock;
import org.ewc4j.config.AnchorPlacement;
import org.ewc4j.config.CheckpointConfig.Resume;
import org.ewc4j.config.EvaluationConfig.EveryTask;
import org.ewc4j.config.EwcConfig;
import org.ewc4j.config.RunConfig;
import org.ewc4j.config.SaveConfig;
import org.ewc4j.config.SaveConfig.Keep;
import org.ewc4j.data.BatchLoader;
import org.ewc4j.data.EncodedTask;
import org.ewc4j.data.EncodingSummary;
import org.ewc4j.data.PromptTemplate;
import org.ewc4j.data.ReplayMemory;
import org.ewc4j.data.TaskReader;
import org.ewc4j.error.RunInterruptedException;
import org.ewc4j.eval.LambdaChoice;
import org.ewc4j.report.RunFolder;
import org.ewc4j.report.RunListener;
import org.ewc4j.report.RunResumption;
import org.ewc4j.report.RunStart;
import org.ewc4j.report.RunTotals;
import org.ewc4j.task.Task;
import org.ewc4j.task.TaskSequence;
import org.ewc4j.tensor.Checksum;
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
        config.requireOverridesAmong(tasks.names());
        return tasks;
    }

    /** What a run of a configuration learns, and no test row: for a sweep, and a Fisher without training. */
    static TaskSequence readLearned(RunConfig config) {
        TaskSequence tasks = TaskReader.readLearned(
                config.tasks(),
                config.text(),
                PromptTemplate.parse(config.prompt()),
                config.evaluation().splits());
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
        return ContinualLearner.open(
                config.model(), config.training(), placed(config.ewc(), config.output()), config.evaluation());
    }

    /** Settings whose anchor's map, where they want one and name no folder, lies on the disk of the output. */
    static EwcConfig placed(EwcConfig ewc, Path output) {
        AnchorPlacement placement = ewc.anchorPlacement();
        if (placement.folder().isPresent()) {
            return ewc;
        }
        Path folder = output.toAbsolutePath();
        while (!Files.isDirectory(folder)) {
            folder = folder.getParent();
        }
        return ewc.withAnchorPlacement(placement.withFolder(folder));
    }

    /** What becomes of a run that is in the output folder already. */
    public enum Existing {
        /** It goes on where the configuration says {@code resume: auto}; otherwise it is left alone, and the run is refused. */
        AS_CONFIGURED,
        /** It is removed, when all else was checked. */
        OVERWRITE,
        /** It goes on where it was stopped; where there is none, the run begins. */
        RESUME
    }

    /**
     * How a run ended.
     *
     * @param finishedBefore whether the run in the output folder had ended already, so that nothing was done
     * @param warnings one line for each thing that was cut or can not be scored; empty where there was none
     */
    public record Outcome(boolean finishedBefore, List<String> warnings) {
        public Outcome {
            warnings = List.copyOf(warnings);
        }
    }

    /**
     * Carries the run out. Where {@code ewc.lambda} is {@code auto}, a λ is chosen first ({@link LambdaSweep}), and what
     * follows is the run that has the number in its configuration, from its beginning.
     *
     * @param overwrite whether an ewc4j run in the output folder is replaced; it is removed when all else was checked
     * @param listeners told of everything, before the output folder is
     * @return one line for each thing that was cut or can not be scored; empty where there was none
     * @see #execute(RunConfig, Existing, List)
     */
    public static List<String> execute(RunConfig config, boolean overwrite, List<RunListener> listeners) {
        return execute(config, overwrite ? Existing.OVERWRITE : Existing.AS_CONFIGURED, listeners)
                .warnings();
    }

    /**
     * Carries the run out, or goes on with it.
     *
     * @param existing what becomes of a run in the output folder
     * @param listeners told of everything, before the output folder is
     * @throws org.ewc4j.error.InvalidInputException for a mistake in the configuration or what it names; nothing was
     *     changed then
     * @throws org.ewc4j.error.RunFailedException where the run could not be ended; what was saved before stands
     * @throws RunInterruptedException where the thread was interrupted; where the run had begun, its state was saved
     */
    public static Outcome execute(RunConfig config, Existing existing, List<RunListener> listeners) {
        try {
            return executeTasks(config, existing, listeners);
        } catch (RuntimeException e) {
            throw RunInterruptedException.orSame(e);
        }
    }

    private static Outcome executeTasks(RunConfig config, Existing existing, List<RunListener> listeners) {
        TaskSequence tasks = readTasks(config);
        boolean resume = existing == Existing.RESUME
                || existing == Existing.AS_CONFIGURED && config.checkpoint().resume() == Resume.AUTO;
        RunInputs.requireOutside(config);
        Map<Path, Checksum> inputs = RunInputs.checksums(config);
        boolean begun = resume && RunFolder.isRun(config.output());
        boolean overwrite = existing == Existing.OVERWRITE || begun;
        if (!begun) {
            RunFolder.check(config.output(), overwrite);
        }
        try (FolderLock lock = FolderLock.of(config.output())) {
            Optional<Outcome> outcome = begun ? goOn(config, listeners, tasks, inputs) : Optional.empty();
            if (outcome.isPresent()) {
                return outcome.get();
            }
            if (resume) {
                LOG.info("nothing to resume in {}, the run starts from the beginning", config.output());
            }
            RunFolder.requireRoom(config.output(), overwrite);
            Optional<LambdaChoice> choice = chooseLambda(config, listeners);
            RunConfig settled = choice.map(chosen ->
                            config.withEwc(config.ewc().withLambda(chosen.best().lambda())))
                    .orElse(config);
            return new ContinualRun(settled, listeners, tasks, choice).begin(overwrite, inputs);
        }
    }

    /** Goes on with the run in the output folder, which is locked; empty where it has saved nothing yet. */
    private static Optional<Outcome> goOn(
            RunConfig config, List<RunListener> listeners, TaskSequence tasks, Map<Path, Checksum> inputs) {
        CheckpointStore store = store(config);
        RunConfig settled = StoppedRun.withChosenLambda(config);
        if (store.isEmpty() && RunFolder.isFinished(config.output())) {
            StoppedRun.requireSameMathematics(settled);
            store.removeAll();
            RunFolder.tidyFinished(config.output());
            return Optional.of(new Outcome(true, List.of()));
        }
        Optional<StoppedRun> found = StoppedRun.find(settled, store, inputs);
        found.ifPresent(stopped -> stopped.requireChosenLambda(config));
        return found.map(stopped ->
                new ContinualRun(settled, listeners, tasks, stopped.run().choice()).goOn(stopped, store, inputs));
    }

    /** Empty where λ is given. */
    private static Optional<LambdaChoice> chooseLambda(RunConfig config, List<RunListener> listeners) {
        if (!config.ewc().lambdaSetting().isAuto()) {
            return Optional.empty();
        }
        List<RunListener> ofTrials = listeners.stream()
                .flatMap(listener -> listener.ofTrials().stream())
                .toList();
        LambdaChoice choice = LambdaSweep.overFirstTasks(
                config, ofTrials, trial -> listeners.forEach(listener -> listener.lambdaTried(trial)));
        listeners.forEach(listener -> listener.lambdaChosen(choice));
        return Optional.of(choice);
    }

    /** Whether the output folder of a configuration holds a run with a checkpoint. */
    public static boolean canResume(RunConfig config) {
        return RunFolder.isRun(config.output()) && !store(config).isEmpty();
    }

    private static CheckpointStore store(RunConfig config) {
        return new CheckpointStore(
                RunFolder.checkpoints(config.output()), config.checkpoint().keep());
    }

    private Outcome begin(boolean overwrite, Map<Path, Checksum> inputs) {
        try (ContinualLearner learner = open(config)) {
            List<String> warnings = warnings(learner);
            try (RunFolder folder = RunFolder.create(
                            config.output(),
                            overwrite,
                            config.toYaml(),
                            config.training().seed());
                    RunCheckpoints checkpoints = new RunCheckpoints(
                            store(config), config.checkpoint(), learner, folder, inputs, choice, 0)) {
                learnAll(learner, folder, checkpoints, Optional.empty());
            }
            return new Outcome(false, warnings);
        }
    }

    private Outcome goOn(StoppedRun stopped, CheckpointStore store, Map<Path, Checksum> inputs) {
        stopped.run().requireTasks(tasks.size(), stopped.folder());
        try (ContinualLearner learner = open(config)) {
            List<String> warnings = warnings(learner);
            stopped.restore(learner);
            RunFolder.writeConfiguration(
                    config.output(), config.toYaml(), config.training().seed());
            try (RunFolder folder =
                            RunFolder.resume(config.output(), stopped.run().mark());
                    RunCheckpoints checkpoints = new RunCheckpoints(
                            store,
                            config.checkpoint(),
                            learner,
                            folder,
                            inputs,
                            choice,
                            stopped.run().tasksFinished())) {
                RunResumption resumption = new RunResumption(
                        stopped.run().tasksFinished(),
                        learner.steps(),
                        learner.learning().stepsOfTask(),
                        stopped.run().mark().scores(),
                        stopped.run().mark().protectedScores());
                learnAll(learner, folder, checkpoints, Optional.of(resumption));
            }
            return new Outcome(false, warnings);
        }
    }

    private List<String> warnings(ContinualLearner learner) {
        EncodingSummary summary = encodeAll(learner, tasks);
        protectedData.ifPresent(learner::encodeProtected);
        List<String> warnings = summary.warnings(
                config.training().maxLength(), config.evaluation().maxNewTokens());
        warnings.forEach(LOG::warn);
        return warnings;
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

    private void learnAll(
            ContinualLearner learner,
            RunFolder folder,
            RunCheckpoints checkpoints,
            Optional<RunResumption> resumption) {
        List<RunListener> all = new ArrayList<>(listeners);
        all.add(folder);
        all.add(checkpoints);
        all.forEach(learner::addListener);
        long steps = 0;
        for (int i = 0; i < tasks.size(); i++) {
            steps += steps(learner, config, tasks, i);
        }
        RunStart start =
                new RunStart(tasks.names(), learner.parameters(), config.ewc().lambda(), steps, choice);
        all.forEach(listener -> listener.runStarted(start));
        resumption.ifPresent(present -> all.forEach(listener -> listener.runResumed(present)));
        try {
            boolean scored = resumption.isPresent()
                    && !resumption.get().protectedScores().isEmpty();
            protect(learner, scored);
            for (int i = checkpoints.tasksFinished(); i < tasks.size(); i++) {
                learnOne(learner, folder, checkpoints, i, all);
            }
        } catch (RunInterruptedException e) {
            checkpoints.saveNow();
            throw e;
        }
        learner.saveModel(folder.model(), config.save().dtype());
        ContinualLearner.PhaseSeconds seconds = learner.seconds();
        RunTotals totals = new RunTotals(seconds.train(), seconds.fisher(), seconds.evaluate());
        all.forEach(listener -> listener.runFinished(totals));
        checkpoints.removeAll();
    }

    /** Learns a task unless it was learned before, saves what it left and evaluates. */
    private void learnOne(
            ContinualLearner learner, RunFolder folder, RunCheckpoints checkpoints, int i, List<RunListener> all) {
        Task task = tasks.get(i);
        if (learner.tasksLearned() == i) {
            learner.learn(
                    task, config.trainingFor(task.name()), config.ewcFor(task.name()), consolidates(config, tasks));
        }
        checkpoints.evaluating();
        Optional<Path> model = Optional.empty();
        if (config.save().keep() == Keep.ALL) {
            learner.saveModel(folder.taskModel(i), config.save().dtype());
            model = Optional.of(folder.taskModel(i))
                    .filter(saved -> config.save().dtype() == SaveConfig.StoredType.FLOAT32);
        }
        learner.saveConsolidation(folder.consolidation(i), model);
        evaluate(learner, asked(i));
        all.forEach(listener -> listener.taskFinished(i, task.name()));
    }

    /**
     * Scores the starting checkpoint on what is to be protected, and takes in its Fisher there.
     *
     * @param scored whether that was scored before the run was stopped
     */
    private void protect(ContinualLearner learner, boolean scored) {
        protectedData.ifPresent(data -> {
            if (!scored) {
                learner.scoreProtected(data);
            }
            if (consolidates(config, tasks) && !learner.learning().isProtected()) {
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
