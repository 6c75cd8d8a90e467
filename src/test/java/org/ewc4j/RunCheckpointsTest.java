package org.ewc4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.ewc4j.checkpoint.CheckpointStore;
import org.ewc4j.checkpoint.StateFolder;
import org.ewc4j.config.CheckpointConfig;
import org.ewc4j.config.EwcConfig.FisherKind;
import org.ewc4j.config.RunConfig;
import org.ewc4j.config.RunConfigReader;
import org.ewc4j.error.RunFailedException;
import org.ewc4j.report.RunFolder;
import org.ewc4j.report.RunListener;
import org.ewc4j.task.Task;
import org.ewc4j.tensor.Arena;
import org.ewc4j.train.StepMetrics;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** When a run saves, and what of it never is. */
class RunCheckpointsTest {
    private static final CheckpointConfig AT_EVERY_CHANCE =
            CheckpointConfig.defaults().withEveryMinutes(1e-6);
    private static final List<Task> TASKS = TinyRun.tasks(1, 10);
    private static final int STEPS = 6; // 10 rows in batches of 4, twice

    @TempDir
    Path folder;

    private RunConfig config;

    @BeforeEach
    void write() throws IOException {
        folder = folder.toRealPath();
        config = RunConfigReader.read(TinyRun.configuration(folder, "gpt2"), List.of(), Optional.empty(), folder);
    }

    private CheckpointStore store() {
        return new CheckpointStore(RunFolder.checkpoints(config.output()), 2);
    }

    private RunCheckpoints checkpoints(CheckpointConfig when, ContinualLearner learner, RunFolder run) {
        return new RunCheckpoints(store(), when, learner, run, Map.of(), Optional.empty(), 0);
    }

    private RunFolder runFolder() {
        return RunFolder.create(config.output(), false, config.toYaml(), 1);
    }

    private StateFolder newest() {
        try (CheckpointStore store = store()) {
            return store.newestWhole(found -> {}, reason -> {}).orElseThrow();
        }
    }

    private static LearnerState learnerOf(StateFolder found) {
        return LearnerState.of(found.state().object("learner"), found);
    }

    /** Logits of 1e25 give losses and gradients that are finite, and squares that are not. */
    private static void makeSquaresOverflow(ContinualLearner learner) {
        Arena theta = learner.learning().arenas().get(0).arena();
        try (PointerScope scope = new PointerScope()) {
            theta.view(theta.layout().get("transformer.ln_f.weight")).detach().mul_(new Scalar(1e25));
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = FisherKind.class,
            names = {"BATCH", "EXAMPLE"})
    void aFisherPassThatIsNotFiniteIsNotSaved(FisherKind kind) {
        try (ContinualLearner learner = ContinualLearner.open(
                        config.model(), config.training(), config.ewc().withFisher(kind));
                RunFolder run = runFolder();
                RunCheckpoints checkpoints = checkpoints(AT_EVERY_CHANCE, learner, run)) {
            learner.addListener(run);
            learner.addListener(checkpoints);
            learner.addListener(new RunListener() {
                @Override
                public void step(StepMetrics metrics) {
                    if (metrics.step() == STEPS - 1) {
                        makeSquaresOverflow(learner);
                    }
                }
            });

            assertThatThrownBy(() -> learner.learn(TASKS.get(0)))
                    .isInstanceOf(RunFailedException.class)
                    .hasMessageStartingWith("task 'red', behind its last step: the Fisher information is not finite")
                    .hasMessageContaining("training.clip_norm");
            assertThatThrownBy(() -> learner.saveState(folder.resolve("state")))
                    .isInstanceOf(RunFailedException.class)
                    .hasMessageContaining("its state is lost");
        }
        LearnerState last = learnerOf(newest());
        assertThat(last.underWay().orElseThrow().phase()).isEqualTo(LearnerState.Phase.TRAIN);
        assertThat(last.trainer().steps()).isEqualTo(STEPS);
    }

    /** A round of questions may take longer than all steps before it; a kill then is not to cost those too. */
    @Test
    void whatIsDueWithinAnEvaluationIsTheStateBeforeIt() {
        CheckpointConfig oncePerSecond = CheckpointConfig.defaults().withEveryMinutes(1.0 / 60);
        try (ContinualLearner learner = ContinualRun.open(config);
                RunFolder run = runFolder();
                RunCheckpoints checkpoints = checkpoints(oncePerSecond, learner, run)) {
            learner.learn(TASKS.get(0));
            learner.addListener(run);
            learner.addListener(new RunListener() {
                @Override
                public void evaluationProgress(int afterTask, int done, int total) {
                    LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(1100));
                }
            });
            learner.addListener(checkpoints);
            checkpoints.saveNow();
            Path before = newest().path();
            checkpoints.evaluating();
            learner.evaluate(Map.of(0, TASKS.get(0)));
            checkpoints.close();

            StateFolder found = newest();
            assertThat(found.path()).isNotEqualTo(before);
            assertThat(learnerOf(found).tasksLearned()).isEqualTo(1);
            assertThat(RunState.of(found.state().object("run")).mark().scores()).isEmpty();
            assertThat(run.mark().scores()).isNotEmpty();
        }
    }
}
