package org.ewc4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.ewc4j.config.EwcConfig;
import org.ewc4j.config.ModelSource;
import org.ewc4j.config.SaveConfig.StoredType;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.RunFailedException;
import org.ewc4j.error.RunInterruptedException;
import org.ewc4j.report.RunListener;
import org.ewc4j.task.Task;
import org.ewc4j.train.StepMetrics;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A learner that is embedded: interrupted it goes on, and its state goes into a folder and out of it. */
class LearnerStateTest {
    private static final EwcConfig EWC = EwcConfig.defaults().withLambda(100);
    private static final List<Task> TASKS = TinyRun.tasks(3, 10);

    @TempDir
    Path folder;

    private Path model;
    private byte[] expected;

    @BeforeEach
    void learnWithoutAStop() throws IOException {
        model = TinyRun.model(folder.resolve("model"), "gpt2", config -> config.put("resid_pdrop", 0.1));
        try (ContinualLearner learner = open(EWC)) {
            TASKS.forEach(learner::learn);
            expected = weights(learner);
        }
    }

    @AfterEach
    void clearInterrupt() {
        Thread.interrupted();
    }

    private ContinualLearner open(EwcConfig ewc) {
        return ContinualLearner.open(
                ModelSource.random(model, 1), TinyRun.training().withShuffle(true), ewc);
    }

    private byte[] weights(ContinualLearner learner) throws IOException {
        Path saved = folder.resolve("saved");
        learner.saveModel(saved, StoredType.FLOAT32);
        return Files.readAllBytes(saved.resolve("model.safetensors"));
    }

    @Test
    void anInterruptedLearnerGoesOnWithTheSameCall() throws IOException {
        try (ContinualLearner learner = open(EWC)) {
            int[] events = {0};
            learner.addListener(new RunListener() {
                @Override
                public void step(StepMetrics metrics) {
                    interruptAt(2, 9);
                }

                @Override
                public void fisherProgress(int task, String taskName, int done, int total) {
                    interruptAt(7, 15);
                }

                private void interruptAt(int... at) {
                    int now = events[0]++;
                    for (int event : at) {
                        if (event == now) {
                            Thread.currentThread().interrupt();
                        }
                    }
                }
            });
            int stops = 0;
            for (Task task : TASKS) {
                while (!learned(learner, task)) {
                    stops++;
                }
            }
            assertThat(stops).isGreaterThanOrEqualTo(3);
            assertThat(learner.tasksLearned()).isEqualTo(3);
            assertThat(weights(learner)).isEqualTo(expected);
        }
    }

    private static boolean learned(ContinualLearner learner, Task task) {
        try {
            learner.learn(task);
            return true;
        } catch (RunInterruptedException e) {
            assertThat(Thread.interrupted()).isTrue();
            return false;
        }
    }

    @Test
    void anInterruptEndsAnEvaluationWithoutHarm() {
        try (ContinualLearner learner = open(EWC)) {
            learner.learn(TASKS.get(0));
            Thread.currentThread().interrupt();
            assertThatThrownBy(() -> learner.evaluate(Map.of(0, TASKS.get(0))))
                    .isInstanceOf(RunInterruptedException.class);
            assertThat(Thread.interrupted()).isTrue();
            assertThat(learner.evaluate(Map.of(0, TASKS.get(0)))).hasSize(2);
        }
    }

    @Test
    void anotherTaskIsRefusedWhileOneIsUnderWay() {
        try (ContinualLearner learner = open(EWC)) {
            Thread.currentThread().interrupt();
            assertThat(learned(learner, TASKS.get(0))).isFalse();
            assertThatThrownBy(() -> learner.learn(TASKS.get(1)))
                    .isInstanceOf(InvalidInputException.class)
                    .hasMessageContainingAll("\"red\" was interrupted", "learn");
        }
    }

    @Test
    void aStateThatAListenerSavedGoesOnInAnotherLearner() throws IOException {
        try (ContinualLearner learner = open(EWC)) {
            learner.addListener(new RunListener() {
                @Override
                public void step(StepMetrics metrics) {
                    if (metrics.step() == 7) {
                        learner.saveState(folder.resolve("state"));
                    }
                }

                @Override
                public void fisherProgress(int task, String taskName, int done, int total) {
                    if (task == 1 && done == 4) {
                        learner.saveState(folder.resolve("within-fisher"));
                    }
                }
            });
            TASKS.forEach(learner::learn);
        }
        for (String state : List.of("state", "within-fisher")) {
            try (ContinualLearner other = open(EWC)) {
                other.restoreState(folder.resolve(state));
                assertThat(other.tasksLearned()).isEqualTo(1);
                assertThat(other.steps()).isEqualTo(state.equals("state") ? 8 : 12);
                TASKS.subList(1, 3).forEach(other::learn);
                assertThat(weights(other)).as(state).isEqualTo(expected);
            }
        }
    }

    /** As where a disk is full; the same call then goes on. */
    @Test
    void aListenerThatCannotSaveLosesNothing() throws IOException {
        try (ContinualLearner learner = open(EWC)) {
            int[] failures = {0};
            learner.addListener(new RunListener() {
                @Override
                public void step(StepMetrics metrics) {
                    failOnce(2, 0);
                }

                @Override
                public void fisherProgress(int task, String taskName, int done, int total) {
                    failOnce(4, 1);
                }

                private void failOnce(int at, int before) {
                    if (failures[0] == before && ++events >= at) {
                        failures[0]++;
                        learner.saveState(folder.resolve("no-folder/state"));
                    }
                }

                private int events;
            });
            for (int i = 0; i < 2; i++) {
                assertThatThrownBy(() -> learner.learn(TASKS.get(0)))
                        .isInstanceOf(RunFailedException.class)
                        .hasMessageStartingWith(folder.resolve("no-folder").toString());
            }
            TASKS.forEach(learner::learn);
            assertThat(failures[0]).isEqualTo(2);
            assertThat(weights(learner)).isEqualTo(expected);
        }
    }

    /** A checkpoint taken behind the last batch of a pass reads F and θ* while it is written; the merge waits for it. */
    @Test
    void whoeverReadsTheConsolidationIsWaitedForBeforeItChanges() {
        List<String> events = new ArrayList<>();
        try (ContinualLearner learner = open(EWC.withMerge(EwcConfig.Merge.MAX))) {
            learner.learn(TASKS.get(0));
            learner.addListener(new RunListener() {
                @Override
                public void fisherProgress(int task, String taskName, int done, int total) {
                    events.add("read " + done);
                }
            });
            learner.learning().beforeMerge(() -> events.add("wait"));
            learner.learn(TASKS.get(1));
        }
        assertThat(events).containsExactly("wait", "read 4", "read 8", "read 10", "wait");
    }

    @Test
    void aStateReplacesWhatALearnerHadLearned() throws IOException {
        try (ContinualLearner learner = open(EWC)) {
            learner.saveState(folder.resolve("new"));
            TASKS.forEach(learner::learn);
            learner.restoreState(folder.resolve("new"));
            assertThat(learner.tasksLearned()).isZero();
            TASKS.forEach(learner::learn);
            assertThat(weights(learner)).isEqualTo(expected);
        }
    }

    /** The step that is under way holds addresses of moments and Fisher, which a state would free. */
    @Test
    void aStateIsNotRestoredUnderAStepOrAFisherPass() throws IOException {
        List<String> refused = new ArrayList<>();
        try (ContinualLearner learner = open(EWC)) {
            learner.saveState(folder.resolve("new"));
            learner.addListener(new RunListener() {
                @Override
                public void step(StepMetrics metrics) {
                    restore("step " + metrics.step());
                }

                @Override
                public void fisherProgress(int task, String taskName, int done, int total) {
                    restore("row " + done);
                }

                private void restore(String when) {
                    assertThatIllegalStateException()
                            .isThrownBy(() -> learner.restoreState(folder.resolve("new")))
                            .withMessage("ContinualLearner is in use");
                    refused.add(when);
                }
            });
            TASKS.forEach(learner::learn);
            assertThat(refused).contains("step 0", "row 4");
            assertThat(weights(learner)).isEqualTo(expected);
        }
    }

    @Test
    void whatDoesNotFitIsRefused() {
        try (ContinualLearner learner = open(EWC)) {
            learner.learn(TASKS.get(0));
            learner.saveState(folder.resolve("state"));
            assertThatThrownBy(() -> learner.saveState(folder.resolve("state")))
                    .isInstanceOf(InvalidInputException.class)
                    .hasMessageContaining("exists already");
        }
        try (ContinualLearner other = open(EWC.withStateTypes(EwcConfig.FisherType.BF16, EwcConfig.AnchorType.INT16))) {
            assertThatThrownBy(() -> other.restoreState(folder.resolve("state")))
                    .isInstanceOf(InvalidInputException.class)
                    .hasMessageContainingAll("fisher", "expected BF16", "found F32");
        }
        model = TinyRun.model(folder.resolve("other"), "gpt2", config -> config.put("n_layer", 1));
        try (ContinualLearner other = open(EWC)) {
            assertThatThrownBy(() -> other.restoreState(folder.resolve("state")))
                    .isInstanceOf(InvalidInputException.class)
                    .hasMessageContaining("give the state of this model");
        }
    }

    @Test
    void aLearnerThatFailedSavesNothing() {
        try (ContinualLearner learner = ContinualLearner.open(
                ModelSource.random(model, 1), TinyRun.training().withLearningRate(1e38), EWC)) {
            assertThatThrownBy(() -> learner.learn(TASKS.get(0))).isInstanceOf(RunFailedException.class);
            assertThatThrownBy(() -> learner.saveState(folder.resolve("state")))
                    .isInstanceOf(RunFailedException.class)
                    .hasMessageContaining("its state is lost");
            assertThat(folder.resolve("state")).doesNotExist();
        }
    }
}
