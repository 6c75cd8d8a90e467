package org.ewc4j;

import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.WeakHashMap;
import org.ewc4j.checkpoint.KeptArena;
import org.ewc4j.checkpoint.StateFolder;
import org.ewc4j.config.EvaluationConfig;
import org.ewc4j.config.EvaluationConfig.Split;
import org.ewc4j.config.EwcConfig;
import org.ewc4j.config.ModelSource;
import org.ewc4j.config.ProtectConfig;
import org.ewc4j.config.SaveConfig;
import org.ewc4j.config.TrainingConfig;
import org.ewc4j.data.EncodedTask;
import org.ewc4j.data.ReplayMemory;
import org.ewc4j.data.RowEncoder;
import org.ewc4j.data.RowPreview;
import org.ewc4j.data.TextTokenizer;
import org.ewc4j.data.TokenizedRow;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.RunFailedException;
import org.ewc4j.error.RunInterruptedException;
import org.ewc4j.eval.Evaluator;
import org.ewc4j.eval.ProtectedScore;
import org.ewc4j.eval.TaskScore;
import org.ewc4j.jfr.FlightEvents;
import org.ewc4j.jfr.FlightSpan;
import org.ewc4j.kernel.Kernels;
import org.ewc4j.kernel.NativeResource;
import org.ewc4j.kernel.ProfilerRange;
import org.ewc4j.model.CausalLm;
import org.ewc4j.model.ModelDirectory;
import org.ewc4j.model.Numerics;
import org.ewc4j.report.RunListener;
import org.ewc4j.task.Task;
import org.ewc4j.tensor.ArenaPlace;
import org.ewc4j.tensor.StoredType;
import org.ewc4j.tensor.Torch;
import org.ewc4j.tensor.TrainedParameters;
import org.ewc4j.train.Trainer;

/**
 * Fine-tunes a causal language model on one task after another without losing what it knew, by Elastic Weight
 * Consolidation (Kirkpatrick et al. 2017).
 *
 * <p>{@link #learn} trains on a task under the penalty of the tasks before, estimates the task's Fisher information,
 * merges it and makes the parameters the anchor. {@link #evaluate}, {@link #generate} and {@link #save} may be called
 * between tasks. Nothing is printed and the process is never ended.
 *
 * <p>A learner owns native memory: whoever opens it closes it. It may be used by one thread at a time; several learners
 * may live in one process as long as they ask for the same number of threads. A mistake in what is given is an {@link
 * InvalidInputException}, a training that cannot go on a {@link RunFailedException}; after the latter the learner is lost,
 * and what was saved before stands.
 *
 * <p>An interrupt of the thread ends {@link #learn}, {@link #consolidate} and {@link #evaluate} at the next step or batch with
 * a {@link RunInterruptedException}; the same call then goes on from there, an evaluation from its first question. So it is
 * where a listener throws. {@link #saveState} keeps all that is needed to go on to the bit, in another process too.
 */
public final class ContinualLearner implements AutoCloseable {
    /** How long the phases of a learner's life have taken, in seconds. */
    public record PhaseSeconds(double train, double fisher, double evaluate) {}

    private final TrainingConfig training;
    private final EwcConfig ewc;
    private final EvaluationConfig evaluation;
    private final TextTokenizer tokenizer;
    private final RowEncoder encoder;
    private final CausalLm model;
    private final Kernels kernels;
    private final Evaluator evaluator;
    private final Consolidator consolidator;
    private final List<RunListener> listeners;
    /** As long as the caller has the task: who learns ever new ones is not to hold the tokens of all. */
    private final Map<Task, EncodedTask> encoded = new WeakHashMap<>();

    private final TaskLearner learning;
    private double evaluateSeconds;
    private final Parts parts;
    private final NativeResource resource;

    /** What a learner closes, the last made first; apart from it, so that a learner that was forgotten is freed too. */
    private static final class Parts implements Runnable {
        private final Deque<Runnable> closings = new ArrayDeque<>();

        void add(Runnable closing) {
            closings.push(closing);
        }

        @Override
        public void run() {
            while (!closings.isEmpty()) {
                closings.pop().run();
            }
        }
    }

    /** Opens a model with the defaults of evaluation. */
    public static ContinualLearner open(ModelSource source, TrainingConfig training, EwcConfig ewc) {
        return open(source, training, ewc, EvaluationConfig.defaults());
    }

    /**
     * Opens a model directory, with everything about it checked before this returns.
     *
     * @throws InvalidInputException where the model is missing, broken or not supported, or the settings do not fit it
     */
    public static ContinualLearner open(
            ModelSource source, TrainingConfig training, EwcConfig ewc, EvaluationConfig evaluation) {
        ewc.requireFits(training);
        ModelDirectory directory = ModelDirectory.open(source);
        RowEncoder.requireFits(training.maxLength(), evaluation.maxNewTokens(), directory.positions());
        Parts parts = new Parts();
        try {
            return new ContinualLearner(directory, parts, training, ewc, evaluation);
        } catch (RuntimeException e) {
            parts.run();
            throw RunInterruptedException.orSame(e);
        }
    }

    private ContinualLearner(
            ModelDirectory directory,
            Parts parts,
            TrainingConfig training,
            EwcConfig ewc,
            EvaluationConfig evaluation) {
        this.parts = parts;
        this.training = training;
        this.ewc = ewc;
        this.evaluation = evaluation;
        this.tokenizer = TextTokenizer.load(directory.path());
        parts.add(tokenizer::close);
        tokenizer.requireFits(directory.vocabularySize());
        Torch.start(training.threads());
        Numerics numerics = Numerics.of(training);
        this.model = CausalLm.open(
                directory,
                training.positions(),
                training.seed(),
                numerics,
                TrainedParameters.without(training.freeze(), directory.layout()));
        parts.add(model::close);
        this.encoder = new RowEncoder(tokenizer, model.specialTokens().endOfSequence(), training.maxLength());
        this.kernels = Torch.kernels(numerics.device(), training.threads());
        parts.add(kernels::close);
        Trainer trainer = new Trainer(model, kernels, ewc.penaltyOptions().groups());
        parts.add(trainer::close);
        this.consolidator = new Consolidator(model, kernels, ewc, training);
        parts.add(consolidator::close);
        this.learning =
                new TaskLearner(model, trainer, consolidator, new ReplayMemory(training.replay(), training.seed()));
        this.listeners = learning.listeners();
        this.evaluator = new Evaluator(model, tokenizer, evaluation, training.maxLength());
        this.resource = new NativeResource(this, "ContinualLearner", parts);
    }

    /** Where the model is trained and asked: {@code cpu}, or {@code cuda:N}. */
    public String device() {
        return model.theta().device().toString();
    }

    /** Adds a listener; it is called on the thread that uses the learner. */
    public void addListener(RunListener listener) {
        listeners.add(listener);
    }

    /** Learns a task with the learner's own settings; consolidates it unless λ is 0. */
    public void learn(Task task) {
        learn(task, training, ewc, ewc.lambda() > 0);
    }

    /**
     * Learns a task with settings of its own. Where a call was interrupted, the next must be of the same task and settings,
     * and goes on.
     *
     * @param taskTraining replaces the learner's training settings, but for what the learner was opened with (max_length,
     *     threads, positions, replay, freeze)
     * @param taskEwc its λ, and how the penalty acts, are this task's; the groups are those that the learner was opened with
     * @param consolidate whether the task's Fisher is estimated and merged afterwards; not needed where no later task has
     *     a λ above 0
     * @throws InvalidInputException where another task is under way
     * @throws RunFailedException where a loss is not finite; the learner is lost then
     * @throws RunInterruptedException where the thread was interrupted
     */
    public void learn(Task task, TrainingConfig taskTraining, EwcConfig taskEwc, boolean consolidate) {
        resource.acquire();
        try (ProfilerRange range = ProfilerRange.open("task", task.name())) {
            learning.learn(task.name(), encode(task).trainRows(), taskTraining, taskEwc, consolidate);
        } finally {
            resource.release();
        }
    }

    /**
     * Takes in the Fisher of the present parameters on a task's training rows, without training on it: what the model
     * knows of them is then held on to.
     *
     * @throws RunFailedException where a loss is not finite
     * @throws RunInterruptedException where the thread was interrupted; the same call goes on
     */
    public void consolidate(Task task) {
        consolidate(task.name(), List.of(task));
    }

    /** As {@link #consolidate(Task)}, of the training rows of several tasks together, as one task of that name. */
    public void consolidate(String name, List<Task> tasks) {
        resource.acquire();
        try {
            List<TokenizedRow> rows = tasks.stream()
                    .flatMap(task -> encode(task).trainRows().stream())
                    .toList();
            learning.consolidate(name, rows, training);
        } finally {
            resource.release();
        }
    }

    /** Optimizer steps so far, over all tasks. */
    public long steps() {
        return learning.steps();
    }

    /**
     * Writes all that is needed to go on to the bit: parameters, moments, consolidation, random state, and how far the task
     * under way is. Between tasks, after an interrupt, and from a listener that is told of a step or the Fisher pass: the state is
     * then that behind the last step taken.
     *
     * @param folder must not exist; appears when all of it is on the disk
     * @throws RunFailedException where it cannot be written, or the learner is lost, as where the Fisher pass is not finite
     */
    public void saveState(Path folder) {
        resource.acquire();
        try (FlightSpan event = FlightEvents.checkpoint("run state", folder)) {
            List<KeptArena> arenas = learning.arenas();
            StateFolder.save(folder, state().toJson(), arenas);
            event.bytes(arenas.stream().mapToLong(kept -> kept.arena().bytes()).sum());
        } finally {
            resource.release();
        }
    }

    /**
     * Goes on from a state that a learner of the same model and settings wrote; what this one had learned is dropped. Where a
     * task was under way, the next call must be for it.
     *
     * @throws InvalidInputException where the state is damaged, or of another model or other types of Fisher and anchor
     * @throws IllegalStateException while the learner is in use, as from a listener
     */
    public void restoreState(Path folder) {
        StateFolder found = StateFolder.open(folder);
        restore(LearnerState.of(found.state(), found), found);
    }

    LearnerState state() {
        return learning.state(evaluator.memory().rows(), evaluateSeconds);
    }

    void restore(LearnerState saved, StateFolder folder) {
        resource.acquireAlone(); // a step under way holds addresses of what is freed here
        try {
            learning.restore(saved, folder);
        } finally {
            resource.release();
        }
        evaluator.memory().restore(saved.evaluationMicroBatchRows());
        evaluateSeconds = saved.seconds().evaluate();
    }

    /** Where θ* lies, or would. */
    ArenaPlace anchorPlace() {
        return consolidator.places().anchor();
    }

    /** What is done between the public calls, for whoever saves the state piece by piece. */
    TaskLearner learning() {
        return learning;
    }

    /**
     * Takes in the Fisher of the present parameters on data that stands for what they know, so that the first task is learned
     * under it already. To be called before the first task; does nothing where the weight is 0.
     *
     * @param data what is not held out of it is read
     * @param protect its {@code max_examples} and weight are used
     * @throws RunFailedException where a loss is not finite
     * @throws RunInterruptedException where the thread was interrupted; the same call goes on
     */
    public void protect(Task data, ProtectConfig protect) {
        resource.acquire();
        try {
            if (protect.weight() > 0) {
                learning.protect(data.name(), encodeProtected(data).trainRows(), protect);
            }
        } finally {
            resource.release();
        }
    }

    /**
     * Scores what is held out of protected data.
     *
     * @param data as in {@link #protect}
     * @throws RunFailedException where the token loss is not finite
     */
    public ProtectedScore scoreProtected(Task data) {
        resource.acquire();
        try (ProfilerRange range = ProfilerRange.open("evaluate")) {
            long started = System.nanoTime();
            ProtectedScore score = new ProtectedScore(
                    learning.tasksLearned() - 1,
                    evaluator.tokenLoss(encodeProtected(data).testRows(), rows -> {}));
            if (!Double.isFinite(score.tokenLoss())) {
                throw new RunFailedException(data.name() + ": the token loss is " + score.tokenLoss()
                        + "; the parameters are no longer usable");
            }
            listeners.forEach(listener -> listener.protectedScored(score));
            evaluateSeconds += secondsSince(started);
            return score;
        } finally {
            resource.release();
        }
    }

    /** Tokenizes protected data, its test rows whatever the splits of the evaluation. */
    EncodedTask encodeProtected(Task data) {
        return encode(data, Set.of(Split.TEST));
    }

    /**
     * Scores tasks on the splits of the evaluation settings.
     *
     * @param tasks as (index, task), in the order in which they are scored
     * @return a score for each task and split
     * @throws RunFailedException where a token loss is not finite
     * @throws RunInterruptedException where the thread was interrupted; the same call asks all questions anew
     */
    public List<TaskScore> evaluate(Map<Integer, Task> tasks) {
        resource.acquire();
        try (ProfilerRange range = ProfilerRange.open("evaluate")) {
            return evaluateOpen(tasks);
        } finally {
            resource.release();
        }
    }

    private List<TaskScore> evaluateOpen(Map<Integer, Task> tasks) {
        int total = tasks.values().stream()
                .mapToInt(task -> evaluation.splits().stream()
                        .mapToInt(split -> encode(task).rows(split).size())
                        .sum())
                .sum();
        try (FlightSpan event = FlightEvents.evaluation(learning.tasksLearned() - 1, tasks.size(), total)) {
            return score(tasks, total);
        }
    }

    private List<TaskScore> score(Map<Integer, Task> tasks, int total) {
        long started = System.nanoTime();
        int afterTask = learning.tasksLearned() - 1;
        List<TaskScore> scores = new ArrayList<>();
        int[] done = {0};
        tasks.forEach((index, task) -> {
            for (Split split : evaluation.splits()) {
                TaskScore score = evaluator.score(afterTask, index, task, encode(task), split, count -> {
                    done[0] += count;
                    listeners.forEach(listener -> listener.evaluationProgress(afterTask, done[0], total));
                });
                scores.add(score);
                listeners.forEach(listener -> listener.scored(score));
            }
        });
        evaluateSeconds += secondsSince(started);
        return scores;
    }

    /** Tokenizes a task, once as long as the caller holds it; what was cut stands in its summary. */
    public EncodedTask encode(Task task) {
        return encode(task, evaluation.splits());
    }

    private EncodedTask encode(Task task, Set<Split> splits) {
        resource.requireOpen();
        return encoded.computeIfAbsent(
                task,
                missing -> EncodedTask.of(
                        missing,
                        encoder,
                        splits,
                        evaluation.maxNewTokens(),
                        model.directory().positions()));
    }

    /**
     * The greedy continuation of a prompt, special tokens skipped.
     *
     * @throws InvalidInputException where prompt and new tokens exceed the model's positions
     */
    public String generate(String prompt, int maxNewTokens) {
        resource.acquire();
        try {
            return generateOpen(tokenizer.encodePrompt(prompt), maxNewTokens);
        } finally {
            resource.release();
        }
    }

    private String generateOpen(int[] ids, int maxNewTokens) {
        if (ids.length == 0
                || ids.length + (long) maxNewTokens > model.directory().positions()) {
            throw new InvalidInputException("the prompt has " + ids.length + " tokens; with " + maxNewTokens
                    + " new ones 1 to " + model.directory().positions() + " positions are expected");
        }
        return tokenizer.decode(model.generate(List.of(ids), maxNewTokens).get(0));
    }

    /** Trained parameters, a tied tensor once. */
    public long parameters() {
        return model.layout().elements();
    }

    /** The architecture, as transformers calls its class. */
    public String architecture() {
        return model.directory().architectureName();
    }

    /** The most tokens, prompt and new ones together, that the model has positions for. */
    public int positions() {
        return model.directory().positions();
    }

    /** How many tokens a prompt has. */
    public int promptTokens(String prompt) {
        resource.requireOpen();
        return tokenizer.encodePrompt(prompt).length;
    }

    /** A tokenized row as text, to look at. */
    public RowPreview preview(TokenizedRow row) {
        resource.requireOpen();
        return RowPreview.of(row, tokenizer);
    }

    /** How many tasks have been learned. */
    public int tasksLearned() {
        return learning.tasksLearned();
    }

    public PhaseSeconds seconds() {
        return new PhaseSeconds(learning.trainSeconds(), learning.fisherSeconds(), evaluateSeconds);
    }

    /** Writes a model directory that transformers loads. */
    public void saveModel(Path folder, SaveConfig.StoredType type) {
        StoredType stored = switch (type) {
            case FLOAT32 -> StoredType.F32;
            case FLOAT16 -> StoredType.F16;
            case BFLOAT16 -> StoredType.BF16;
        };
        resource.acquire();
        try (FlightSpan event = FlightEvents.checkpoint("model", folder)) {
            model.save(folder, stored);
            event.bytes(parameters() * stored.bytes());
        } finally {
            resource.release();
        }
    }

    /** Writes the consolidation, {@code docs/consolidation.md}; nothing where no task was consolidated. */
    public void saveConsolidation(Path folder) {
        saveConsolidation(folder, Optional.empty());
    }

    /**
     * Writes the consolidation, with the anchor as a pointer where it can be one.
     *
     * @param checkpoint a model directory in or beside {@code folder} to which {@link #saveModel} wrote the present
     *     parameters in fp32
     */
    public void saveConsolidation(Path folder, Optional<Path> checkpoint) {
        resource.acquire();
        try {
            if (consolidator.current() != null) {
                try (FlightSpan event = FlightEvents.checkpoint("consolidation", folder)) {
                    consolidator.save(folder, checkpoint);
                }
            }
        } finally {
            resource.release();
        }
    }

    private static double secondsSince(long nanos) {
        return (System.nanoTime() - nanos) * 1e-9;
    }

    /**
     * Frees everything; the second call does nothing.
     *
     * @throws IllegalStateException while the learner is in use, as from a listener
     */
    @Override
    public void close() {
        resource.close();
    }
}
