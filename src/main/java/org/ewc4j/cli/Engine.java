package org.ewc4j.cli;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.ewc4j.config.RunConfig;
import org.ewc4j.eval.TaskScore;
import org.ewc4j.report.RunListener;

/**
 * Everything the commands ask of ewc4j, in one place, so that none of them loads libtorch before its arguments are read.
 */
class Engine {
    /**
     * Reads a configuration.
     *
     * @param settings {@code key=value}, over the file
     * @param output over the file's {@code output}, relative to the working directory
     */
    RunConfig read(Path configuration, List<String> settings, Optional<Path> output) {
        throw new UnsupportedOperationException("wired at merge");
    }

    /** Checks, learns every task, evaluates and saves into the output folder; the listeners are told. */
    void train(RunConfig configuration, boolean overwrite, List<RunListener> listeners) {
        throw new UnsupportedOperationException("wired at merge");
    }

    /** Checks everything that {@link #train} would, and returns what a person wants to know before, as lines of text. */
    String validate(RunConfig configuration) {
        throw new UnsupportedOperationException("wired at merge");
    }

    /**
     * Scores a model on tasks, without training.
     *
     * @param model a Hugging Face directory
     * @param tasks a tasks file, or a configuration (.yaml, .yml) whose tasks, prompt and evaluation are used
     * @param settings {@code key=value} of the configuration
     * @param progress told the progress of the evaluation
     */
    List<TaskScore> evaluate(Path model, Path tasks, List<String> settings, RunListener progress) {
        throw new UnsupportedOperationException("wired at merge");
    }

    /**
     * Continues a prompt greedily; returns the continuation as it stands behind the prompt, special tokens skipped.
     *
     * @param maxNewTokens otherwise as many as the model has positions for
     */
    String generate(Path model, String prompt, OptionalInt maxNewTokens) {
        throw new UnsupportedOperationException("wired at merge");
    }

    /** One line on the native library that was loaded. Throws where it cannot be. */
    String nativeLibrary() {
        throw new UnsupportedOperationException("wired at merge");
    }
}
