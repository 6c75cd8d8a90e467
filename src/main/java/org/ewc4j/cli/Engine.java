package org.ewc4j.cli;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.Consumer;
import org.ewc4j.ConsolidationMerge;
import org.ewc4j.ContinualLearner;
import org.ewc4j.ContinualRun;
import org.ewc4j.FisherEstimation;
import org.ewc4j.LambdaSweep;
import org.ewc4j.Validation;
import org.ewc4j.bench.BenchOptions;
import org.ewc4j.bench.BenchResult;
import org.ewc4j.bench.Benchmark;
import org.ewc4j.bench.StateResult;
import org.ewc4j.config.DeviceSetting;
import org.ewc4j.config.EvaluationConfig;
import org.ewc4j.config.EwcConfig;
import org.ewc4j.config.ModelSource;
import org.ewc4j.config.RunConfig;
import org.ewc4j.config.RunConfigReader;
import org.ewc4j.config.TrainingConfig;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.RunFailedException;
import org.ewc4j.eval.LambdaChoice;
import org.ewc4j.eval.TaskScore;
import org.ewc4j.kernel.CudaLibraries;
import org.ewc4j.kernel.NativeLibrary;
import org.ewc4j.kernel.ProfilerRange;
import org.ewc4j.report.RunListener;
import org.ewc4j.task.Task;
import org.ewc4j.task.TaskSequence;
import org.ewc4j.tensor.Torch;

/**
 * Everything the commands ask of ewc4j, in one place, so that none of them loads libtorch before its arguments are read.
 */
class Engine {
    private static final Path HERE = Path.of("");

    /**
     * Reads a configuration.
     *
     * @param settings {@code key=value}, over the file
     * @param output over the file's {@code output}, relative to the working directory
     */
    RunConfig read(Path configuration, List<String> settings, Optional<Path> output) {
        return RunConfigReader.read(configuration, settings, output, HERE);
    }

    /** Checks, learns every task, evaluates and saves into the output folder. */
    ContinualRun.Outcome train(RunConfig configuration, ContinualRun.Existing existing, List<RunListener> listeners) {
        return ContinualRun.execute(configuration, existing, listeners);
    }

    /** Whether a stopped run left something to go on from. */
    boolean canResume(RunConfig configuration) {
        return ContinualRun.canResume(configuration);
    }

    /**
     * Tries several λ on the tasks of a configuration; the default grid where none is given.
     *
     * @param soFar told behind each λ of the choice among those tried
     */
    LambdaChoice sweep(
            RunConfig configuration, List<Double> lambdas, RunListener progress, Consumer<LambdaChoice> soFar) {
        return LambdaSweep.overAllTasks(configuration, lambdas, List.of(progress), soFar);
    }

    /** Checks everything that {@link #train} would, and returns what a person wants to know before, as lines of text. */
    String validate(RunConfig configuration) {
        return Validation.of(configuration).text();
    }

    /**
     * Scores a model on tasks, without training.
     *
     * @param model a Hugging Face directory
     * @param tasks a tasks file, a configuration (.yaml, .yml) whose tasks, prompt and evaluation are used, or plain text (.txt),
     *     all of which is scored
     * @param settings {@code key=value} of the configuration
     * @param progress told the progress of the evaluation
     */
    List<TaskScore> evaluate(Path model, Path tasks, List<String> settings, RunListener progress) {
        RunConfig configuration = read(model, tasks, isText(tasks), settings);
        TaskSequence sequence = ContinualRun.readTasks(configuration);
        try (ContinualLearner learner = ContinualRun.open(configuration)) {
            learner.addListener(progress);
            Map<Integer, Task> asked = new LinkedHashMap<>();
            sequence.forEach(task -> asked.put(asked.size(), task));
            return learner.evaluate(asked);
        }
    }

    private static boolean isText(Path data) {
        return data.getFileName().toString().toLowerCase(Locale.ROOT).endsWith(".txt");
    }

    /**
     * A configuration of a model and a tasks file, or with that model in place of its own.
     *
     * @param text whether the file is plain text, one task; unless it is asked for, nothing of it is held out
     */
    private static RunConfig read(Path model, Path tasks, boolean text, List<String> settings) {
        List<String> all = new ArrayList<>(settings);
        all.add("model.path=" + HERE.resolve(model).toAbsolutePath());
        all.add("model.init=pretrained");
        if (tasks.getFileName().toString().matches(".*\\.ya?ml")) {
            return RunConfigReader.read(tasks, all, Optional.empty(), HERE);
        }
        if (text) {
            ObjectNode task = JsonNodeFactory.instance.objectNode();
            task.put("name", tasks.getFileName().toString()).put("text", tasks.toString());
            // JSON is YAML: whatever the path holds, it is read as that path.
            all.add(0, "tasks.list=[" + task + "]");
            all.add(1, "evaluation.splits=[train]");
        } else {
            all.add(0, "tasks.file=" + tasks);
        }
        return RunConfigReader.of(all, HERE);
    }

    /**
     * Estimates the Fisher of a model on the training rows of tasks, and writes it with the model as its anchor.
     *
     * @param data as the tasks of {@link #evaluate}
     * @param text whether data is plain text, whatever its name ends in
     * @param output a folder that does not exist or is empty
     */
    void estimateFisher(Path model, Path data, boolean text, List<String> settings, Path output, RunListener progress) {
        RunConfig configuration = read(model, data, text || isText(data), settings);
        FisherEstimation.execute(configuration, HERE.resolve(output).toAbsolutePath(), progress);
    }

    /** Merges consolidations into a new folder, by the schedule that {@code ewc} names. */
    void mergeFishers(List<Path> folders, EwcConfig ewc, Path output) {
        ConsolidationMerge.execute(
                folders, ewc, output, TrainingConfig.defaults().threads());
    }

    /**
     * Continues a prompt greedily; returns the continuation as it stands behind the prompt, special tokens skipped.
     *
     * @param maxNewTokens otherwise as many as the model has positions for
     */
    String generate(Path model, String prompt, OptionalInt maxNewTokens) {
        try (ContinualLearner learner = ContinualLearner.open(
                new ModelSource(HERE.resolve(model), ModelSource.Init.PRETRAINED, 0),
                TrainingConfig.defaults().withMaxLength(2),
                EwcConfig.defaults(),
                EvaluationConfig.defaults().withMaxNewTokens(1))) {
            int room = learner.positions() - learner.promptTokens(prompt);
            return learner.generate(prompt, maxNewTokens.orElse(Math.max(1, room)));
        }
    }

    /** Shows ranges to NVIDIA's profilers until {@link #endProfiling}. */
    void showRanges() {
        ProfilerRange.show();
    }

    /**
     * Shows ranges, and has a profiler capture the steps {@code first} to {@code last} of a run, until {@link
     * #endProfiling}.
     */
    void profileSteps(RunConfig configuration, long first, long last) {
        DeviceSetting device = configuration.training().device();
        if (device instanceof DeviceSetting.Cpu) {
            throw new InvalidInputException(
                    "--profile-steps: a capture is of what a CUDA device does, and device is cpu;"
                            + " expected device: cuda:N, or --nvtx for ranges alone");
        }
        ProfilerRange.captureSteps(first, last, device instanceof DeviceSetting.Cuda cuda ? cuda.index() : 0);
    }

    void endProfiling() {
        ProfilerRange.hide();
    }

    /** Measures kernels and steps. */
    BenchResult bench(BenchOptions options) {
        return Benchmark.run(options);
    }

    /** Measures each way to keep F and θ*; maps lie on the disk of the working folder. */
    StateResult benchStates(BenchOptions options) {
        return Benchmark.states(options, HERE);
    }

    /** One line on the native library that was loaded. Throws where it cannot be. */
    String nativeLibrary() {
        NativeLibrary.load();
        return NativeLibrary.description();
    }

    /** One line on the libraries that libtorch's CUDA build needs. Throws where this is that build and some are missing. */
    String cudaLibraries() {
        CudaLibraries libraries = CudaLibraries.find();
        if (libraries.cudaBuild() && !libraries.missing().isEmpty()) {
            throw new RunFailedException(libraries.description());
        }
        return libraries.description();
    }

    /** One line on libtorch, which it loads: where it can run. Throws where it cannot be loaded. */
    String libtorch() {
        return Torch.description();
    }
}
