package org.ewc4j.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.ewc4j.ContinualLearner;
import org.ewc4j.TinyRun;
import org.ewc4j.config.EwcConfig;
import org.ewc4j.config.ModelSource;
import org.ewc4j.config.TrainingConfig;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.RunFailedException;
import org.ewc4j.task.Task;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ProfilerRangeTest {
    private static final List<Task> TASKS = TinyRun.tasks(2, 6);

    @TempDir
    Path folder;

    private final Nesting nesting = new Nesting();

    /** Writes the ranges as nested words, {@code step(forward() backward())}, in the order in which they come. */
    private static final class Nesting implements ProfilerRange.Observer {
        private final StringBuilder text = new StringBuilder();
        private final List<Thread> threads = new ArrayList<>();
        private int depth;

        @Override
        public void pushed(String name) {
            text.append(text.length() == 0 || text.charAt(text.length() - 1) == '(' ? "" : " ")
                    .append(name)
                    .append('(');
            threads.add(Thread.currentThread());
            depth++;
        }

        @Override
        public void popped() {
            text.append(')');
            depth--;
        }
    }

    @BeforeEach
    void watch() {
        NativeLibrary.load();
        Assumptions.assumeTrue(NativeLibrary.hasCudaLibrary(), "built without nvcc: no libewc_cuda.so, so no NVTX");
        ProfilerRange.observe(nesting);
    }

    @AfterEach
    void leave() {
        ProfilerRange.hide();
        ProfilerRange.observe(null);
    }

    private ContinualLearner open(TrainingConfig training) {
        Path model = TinyRun.model(folder, "llama");
        return ContinualLearner.open(
                ModelSource.random(model, 1), training, EwcConfig.defaults().withLambda(100));
    }

    @Test
    void aRunIsShownAsItsTasksEpochsAndSteps() {
        ProfilerRange.show();
        TrainingConfig training =
                TinyRun.training().withEpochs(2).withBatchSize(3).withGradientAccumulation(2);
        try (ContinualLearner learner = open(training)) {
            learner.learn(TASKS.get(0));
            learner.learn(TASKS.get(1));
            learner.evaluate(Map.of(0, TASKS.get(0)));
        }
        String half = "forward() output layer() backward()";
        String pass = half + " " + half;
        String step = "step(" + pass + " optimizer())";
        String trained =
                "data wait() epoch 0(" + step + " data wait() metrics()) epoch 1(" + step + " data wait() metrics())";
        assertThat(nesting.text)
                .hasToString("task " + TASKS.get(0).name() + "(" + trained + " merge(fisher(" + pass + ")))"
                        + " task " + TASKS.get(1).name() + "(" + trained + " merge(fisher(" + pass + ")))"
                        + " evaluate()");
        assertThat(nesting.threads).containsOnly(Thread.currentThread());
    }

    @Test
    void aStepThatThrowsClosesWhatItOpened() {
        ProfilerRange.show();
        try (ContinualLearner learner = open(TinyRun.training().withLearningRate(1e38))) {
            assertThatThrownBy(() -> learner.learn(TASKS.get(0))).isInstanceOf(RunFailedException.class);
        }
        assertThat(nesting.text.toString()).contains("optimizer(");
        assertThat(nesting.depth).isZero();
    }

    @Test
    void nothingIsShownUnlessAskedFor() {
        try (ContinualLearner learner = open(TinyRun.training().withEpochs(1))) {
            learner.learn(TASKS.get(0));
        }
        assertThat(nesting.text).isEmpty();
        assertThat(ProfilerRange.open("a")).isSameAs(ProfilerRange.step(3));
    }

    @Test
    void aRangeThatIsClosedTwiceEndsOnce() {
        ProfilerRange.show();
        try (ProfilerRange outer = ProfilerRange.open("outer")) {
            ProfilerRange inner = ProfilerRange.open("inner", 7);
            inner.close();
            inner.close();
            assertThat(nesting.depth).isEqualTo(1);
        }
        assertThat(nesting.text).hasToString("outer(inner 7())");
    }

    /** Switched off while one is open, as by a run that ends early: it still ends. */
    @Test
    void aRangeOpenedBeforeRangesAreHiddenStillEnds() {
        ProfilerRange.show();
        ProfilerRange range = ProfilerRange.open("task");
        ProfilerRange.hide();
        range.close();
        assertThat(nesting.depth).isZero();
    }

    @Test
    void aCaptureTakesInItsStepsAndNoOther() {
        ProfilerRange.show();
        ProfilerRange.captureSteps(1, 2, () -> nesting.text.append(" START"), () -> nesting.text.append(" STOP"));
        for (long step = 0; step < 4; step++) {
            try (ProfilerRange range = ProfilerRange.step(step);
                    ProfilerRange forward = ProfilerRange.open("forward")) {
                nesting.text.append(step);
            }
        }
        assertThat(nesting.text)
                .hasToString("step(forward(0)) START step(forward(1)) step(forward(2)) STOP step(forward(3))");
    }

    @Test
    void aCaptureOfStepsThatDoNotComeEndsWithTheRun() {
        ProfilerRange.show();
        ProfilerRange.captureSteps(0, 9, () -> nesting.text.append("START"), () -> nesting.text.append(" STOP"));
        try (ContinualLearner learner = open(TinyRun.training().withEpochs(1))) {
            learner.learn(TASKS.get(0));
        }
        assertThat(nesting.text.toString()).contains("START step(").doesNotContain("STOP");
        ProfilerRange.hide();
        ProfilerRange.hide();
        assertThat(nesting.text.toString()).containsOnlyOnce("STOP").endsWith(" STOP");
    }

    @Test
    void aCaptureWithoutADeviceIsRefusedWithTheReason() {
        Assumptions.assumeFalse(hasDevice(), "this machine has a device");
        assertThatThrownBy(() -> ProfilerRange.captureSteps(1, 2, 0))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageStartingWith(
                        "steps to profile: a capture is of what a CUDA device does, and there is none (")
                .hasMessageContaining("cudaGetDeviceCount")
                .hasMessageEndingWith("ranges alone need no device");
        assertThat(ProfilerRange.open("a")).as("not half switched on").isSameAs(ProfilerRange.open("b"));
    }

    @Test
    void aCaptureOfNoStepIsRefused() {
        assertThatThrownBy(() -> ProfilerRange.captureSteps(3, 2, 0))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("came 3 and 2");
        assertThatThrownBy(() -> ProfilerRange.captureSteps(-1, 2, 0)).isInstanceOf(InvalidInputException.class);
    }

    private static boolean hasDevice() {
        try {
            return NativeLibrary.cudaDevices() > 0;
        } catch (KernelUnsupportedException e) {
            return false;
        }
    }
}
