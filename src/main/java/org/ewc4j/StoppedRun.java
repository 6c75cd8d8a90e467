package org.ewc4j;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.ewc4j.checkpoint.CheckpointStore;
import org.ewc4j.checkpoint.StateFolder;
import org.ewc4j.config.ConfigurationDifference;
import org.ewc4j.config.RunConfig;
import org.ewc4j.config.RunConfigReader;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.report.RunFolder;
import org.ewc4j.report.Versions;
import org.ewc4j.tensor.Checksum;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A run in an output folder that was stopped, and where it goes on.
 *
 * @param learner its learner's state
 * @param run its own
 * @param folder holds the learner's arenas
 */
record StoppedRun(LearnerState learner, RunState run, StateFolder folder) {
    private static final Logger LOG = LoggerFactory.getLogger(StoppedRun.class);

    /**
     * Looks for the newest whole checkpoint.
     *
     * @return empty where the run made none yet
     * @throws InvalidInputException where the configuration or what it reads is another, or no checkpoint is whole
     */
    static Optional<StoppedRun> find(RunConfig config, CheckpointStore store, Map<Path, Checksum> inputs) {
        Path output = config.output();
        requireSameMathematics(config);
        if (store.isEmpty()) {
            return Optional.empty();
        }
        StoppedRun[] found = new StoppedRun[1];
        store.newestWhole(
                folder -> found[0] = read(folder, output),
                reason -> LOG.warn("checkpoint passed over, the one before is taken: {}", reason));
        if (found[0] == null) {
            throw new InvalidInputException("output " + output + ": none of its checkpoints is whole, so that the run"
                    + " cannot go on; begin anew with --overwrite, or give another folder");
        }
        found[0].run.requireSameInputs(inputs, output);
        found[0].warnOfOtherVersions();
        return Optional.of(found[0]);
    }

    /** A configuration with the λ that the run in its output folder has, where that was to be chosen. */
    static RunConfig withChosenLambda(RunConfig config) {
        if (!config.ewc().lambdaSetting().isAuto()) {
            return config;
        }
        RunConfig begun = RunConfigReader.read(RunFolder.configuration(config.output()));
        return config.withEwc(config.ewc().withLambda(begun.ewc().lambda()));
    }

    /** @throws InvalidInputException where a part of it is missing or not what a run writes */
    static StoppedRun read(StateFolder folder, Path output) {
        LearnerState learner = LearnerState.of(folder.state().object("learner"), folder);
        RunState run = RunState.of(folder.state().object("run"));
        int begun = learner.tasksLearned() - run.tasksFinished();
        if (begun != 0 && begun != 1) {
            throw folder.state()
                    .object("learner")
                    .wrong("tasks_learned", run.tasksFinished() + ", the tasks that the run has finished, or one more");
        }
        RunFolder.requireRows(output, run.mark());
        return new StoppedRun(learner, run, folder);
    }

    /** @throws InvalidInputException where a key that changes what is learned differs from the run's */
    static void requireSameMathematics(RunConfig config) {
        Path file = RunFolder.configuration(config.output());
        List<ConfigurationDifference> differences =
                ConfigurationDifference.between(RunConfigReader.read(file), config).stream()
                        .filter(ConfigurationDifference::changesTheResult)
                        .toList();
        if (!differences.isEmpty()) {
            throw another(config, differences.stream().map(Object::toString).collect(Collectors.joining("; ")));
        }
    }

    /**
     * That λ was chosen when the run began, where it is to be.
     *
     * @param config as it was given
     */
    void requireChosenLambda(RunConfig config) {
        if (config.ewc().lambdaSetting().isAuto() && run.choice().isEmpty()) {
            throw another(
                    config, "ewc.lambda: " + withChosenLambda(config).ewc().lambda() + " → auto");
        }
    }

    private static InvalidInputException another(RunConfig config, String differences) {
        return new InvalidInputException("output " + config.output()
                + ": the run in it was begun with another configuration and cannot go on with this one: " + differences
                + "; give the same values, begin anew with --overwrite, or give another folder");
    }

    private void warnOfOtherVersions() {
        Map<String, String> now = Versions.all();
        TreeSet<String> names = new TreeSet<>(now.keySet());
        names.addAll(run.versions().keySet());
        String others = names.stream()
                .filter(name ->
                        !now.getOrDefault(name, "none").equals(run.versions().getOrDefault(name, "none")))
                .map(name ->
                        name + " " + run.versions().getOrDefault(name, "none") + " → " + now.getOrDefault(name, "none"))
                .collect(Collectors.joining(", "));
        if (!others.isEmpty()) {
            LOG.warn("the run was begun with other versions ({}); it goes on, maybe not to the same bits", others);
        }
    }

    /**
     * Puts a learner just opened into the state.
     *
     * @throws InvalidInputException where it computes elsewhere, or is of another model
     */
    void restore(ContinualLearner opened) {
        if (!opened.device().equals(run.device())) {
            throw new InvalidInputException("device: the run was begun on " + run.device() + " and cannot go on on "
                    + opened.device() + " to the same bits; set device: " + run.device() + ", or begin anew with"
                    + " --overwrite");
        }
        opened.restore(learner, folder);
    }
}
