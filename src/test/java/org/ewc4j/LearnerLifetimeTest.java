package org.ewc4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.ref.WeakReference;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.ewc4j.config.EwcConfig;
import org.ewc4j.config.ModelSource;
import org.ewc4j.config.ProtectConfig;
import org.ewc4j.config.SaveConfig.StoredType;
import org.ewc4j.config.TrainingConfig;
import org.ewc4j.data.EncodedTask;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.RunFailedException;
import org.ewc4j.kernel.NativeResource;
import org.ewc4j.report.RunListener;
import org.ewc4j.task.Task;
import org.ewc4j.tensor.Torch;
import org.ewc4j.train.StepMetrics;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a learner holds, and that it lets go of it; several of them in one process. */
class LearnerLifetimeTest {
    private static final EwcConfig EWC = EwcConfig.defaults().withLambda(100);
    private static final List<Task> TASKS = TinyRun.tasks(3, 10);

    @TempDir
    Path folder;

    private record Held(long tensors, long resources) {
        static Held now() {
            return new Held(Torch.keptObjects(), NativeResource.openCount());
        }
    }

    private ContinualLearner open(String architecture, TrainingConfig training) {
        Path model =
                TinyRun.model(folder.resolve(architecture), architecture, config -> config.put("resid_pdrop", 0.1));
        return ContinualLearner.open(ModelSource.random(model, 1), training, EWC);
    }

    private ContinualLearner open(String architecture) {
        return open(architecture, TinyRun.training().withShuffle(true));
    }

    private byte[] weights(ContinualLearner learner, String name) throws IOException {
        Path saved = folder.resolve("saved-" + name);
        learner.saveModel(saved, StoredType.FLOAT32);
        return Files.readAllBytes(saved.resolve("model.safetensors"));
    }

    @Test
    void closeGivesEverythingBack() {
        Held before = Held.now();
        try (ContinualLearner learner = open("gpt2")) {
            TASKS.forEach(learner::learn);
            learner.evaluate(Map.of(0, TASKS.get(0), 2, TASKS.get(2)));
            learner.generate("ra?:", 5);
            learner.saveModel(folder.resolve("out"), StoredType.FLOAT16);
            learner.saveConsolidation(folder.resolve("out"));
            assertThat(Held.now().tensors()).isGreaterThan(before.tensors());
            assertThat(Held.now().resources()).isGreaterThan(before.resources());
        }
        assertThat(Held.now()).isEqualTo(before);
    }

    /** Merging in place takes no buffer as large as the parameters; where it cannot be in place, one, until it is merged. */
    @ParameterizedTest
    @CsvSource({
        "RUNNING_MEAN, FP32, FP32, 0",
        "ONLINE, FP32, INT16, 0",
        "EMA, FP32, FP32, 0",
        "SUM, FP32, FP32, 0",
        "SUM, FP32, INT16, 1",
        "MAX, FP32, FP32, 1",
        "RUNNING_MEAN, BF16, INT16, 1",
        "EMA, INT8, INT16, 1"
    })
    void theFisherPassTakesAnAccumulatorOnlyWhereItMust(
            EwcConfig.Merge merge, EwcConfig.FisherType fisher, EwcConfig.AnchorType anchor, long accumulators) {
        Held before = Held.now();
        Path model = TinyRun.model(folder.resolve("gpt2"), "gpt2");
        EwcConfig ewc = EWC.withMerge(merge).withStateTypes(fisher, anchor);
        List<Long> during = new ArrayList<>();
        try (ContinualLearner learner = ContinualLearner.open(ModelSource.random(model, 1), TinyRun.training(), ewc)) {
            learner.addListener(new RunListener() {
                @Override
                public void fisherProgress(int task, String name, int done, int total) {
                    during.add(Torch.keptObjects());
                }
            });
            learner.learn(TASKS.get(0));
            during.clear();
            learner.learn(TASKS.get(1));
            long after = Torch.keptObjects();
            assertThat(during)
                    .isNotEmpty()
                    .allSatisfy(kept -> assertThat(kept - after).isEqualTo(accumulators));
        }
        assertThat(Held.now()).isEqualTo(before);
    }

    @Test
    void aLearnerThatCannotBeOpenedOrFailsHoldsNothing() throws IOException {
        try (ContinualLearner learner = open("llama")) {
            learner.saveModel(folder.resolve("broken"), StoredType.FLOAT32);
        }
        Held before = Held.now();
        Path weights = folder.resolve("broken/model.safetensors");
        byte[] bytes = Files.readAllBytes(weights);
        Files.write(weights, java.util.Arrays.copyOf(bytes, bytes.length - 4));
        assertThatThrownBy(() -> ContinualLearner.open(
                        ModelSource.pretrained(folder.resolve("broken")), TinyRun.training(), EWC))
                .isInstanceOf(InvalidInputException.class);
        assertThat(Held.now()).isEqualTo(before);
        try (ContinualLearner learner = open("gpt2", TinyRun.training().withLearningRate(1e38))) {
            assertThatThrownBy(() -> learner.learn(TASKS.get(0))).isInstanceOf(RunFailedException.class);
        }
        assertThat(Held.now()).isEqualTo(before);
    }

    @Test
    void anotherNumberOfThreadsIsRefusedWithTheReason() {
        try (ContinualLearner learner = open("gpt2")) {
            Held before = Held.now();
            assertThatThrownBy(() -> open("gpt2", TinyRun.training().withThreads(Golden.THREADS + 1)))
                    .isInstanceOf(InvalidInputException.class)
                    .hasMessageContaining("training.threads: " + (Golden.THREADS + 1))
                    .hasMessageContaining("already runs with " + Golden.THREADS);
            assertThat(Held.now()).isEqualTo(before);
        }
    }

    @Test
    void aClosedLearnerRefusesEverything() {
        ContinualLearner learner = open("gpt2");
        EncodedTask encoded = learner.encode(TASKS.get(0));
        learner.saveState(folder.resolve("state"));
        learner.close();
        learner.close();

        for (Runnable use : List.<Runnable>of(
                () -> learner.learn(TASKS.get(0)),
                () -> learner.consolidate(TASKS.get(0)),
                () -> learner.protect(TASKS.get(0), ProtectConfig.of(folder)),
                () -> learner.scoreProtected(TASKS.get(0)),
                () -> learner.evaluate(Map.of(0, TASKS.get(0))),
                () -> learner.encode(TASKS.get(0)),
                () -> learner.preview(encoded.trainRows().get(0)),
                () -> learner.generate("x", 1),
                () -> learner.promptTokens("x"),
                () -> learner.saveState(folder.resolve("out")),
                () -> learner.restoreState(folder.resolve("state")),
                () -> learner.saveModel(folder.resolve("out"), StoredType.FLOAT32),
                () -> learner.saveConsolidation(folder.resolve("out")))) {
            assertThatIllegalStateException().isThrownBy(use::run).withMessageContaining("closed");
        }
        assertThat(folder.resolve("out")).doesNotExist();
    }

    /** Who learns ever new tasks would run out of heap; who keeps a task has it tokenized once. */
    @Test
    void theTokensOfATaskGoWithIt() throws InterruptedException {
        try (ContinualLearner learner = open("gpt2")) {
            EncodedTask kept = learner.encode(TASKS.get(1));
            WeakReference<EncodedTask> forgotten = new WeakReference<>(learned(learner));
            for (int i = 0; i < 200 && forgotten.get() != null; i++) {
                System.gc();
                Thread.sleep(20);
                assertThat(learner.encode(TASKS.get(1))).isSameAs(kept); // as the next task is
            }
            assertThat(forgotten.get()).isNull();
        }
    }

    /** A task that nobody else holds. */
    private static EncodedTask learned(ContinualLearner learner) {
        Task task = TinyRun.tasks(1, 10).get(0);
        learner.learn(task);
        return learner.encode(task);
    }

    @Test
    void closeWhileInUseIsRefusedAndDoesNoHarm() {
        Held before = Held.now();
        try (ContinualLearner learner = open("gpt2")) {
            learner.addListener(new RunListener() {
                @Override
                public void step(StepMetrics metrics) {
                    assertThatIllegalStateException().isThrownBy(learner::close).withMessageContaining("in use");
                }
            });
            learner.learn(TASKS.get(0));
            assertThat(learner.tasksLearned()).isEqualTo(1);
        }
        assertThat(Held.now()).isEqualTo(before);
    }

    /** The file is a pipe, so that the save waits where it is until somebody reads. */
    @Test
    void closeWhileAnotherThreadSavesIsRefused() throws Exception {
        Path out = Files.createDirectories(folder.resolve("out"));
        Path pipe = out.resolve(".model.safetensors.tmp");
        assertThat(new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor())
                .isZero();
        try (ContinualLearner learner = open("gpt2")) {
            Thread saving = new Thread(() -> assertThatThrownBy(() -> learner.saveModel(out, StoredType.FLOAT32))
                    .as("a pipe cannot be forced to the disk")
                    .isInstanceOf(RunFailedException.class));
            saving.start();
            while (saving.getState() != Thread.State.WAITING) {
                Thread.sleep(1);
            }
            assertThatIllegalStateException().isThrownBy(learner::close).withMessageContaining("in use");
            Files.readAllBytes(pipe);
            saving.join();
        }
    }

    @Test
    void aListenerMayEndTheTrainingAndSaveWhatThereIs() {
        try (ContinualLearner learner = open("gpt2")) {
            learner.addListener(new RunListener() {
                @Override
                public void step(StepMetrics metrics) {
                    if (metrics.step() == 2) {
                        learner.saveModel(folder.resolve("stopped"), StoredType.FLOAT32);
                        throw new IllegalStateException("enough");
                    }
                }
            });
            assertThatIllegalStateException()
                    .isThrownBy(() -> learner.learn(TASKS.get(0)))
                    .withMessage("enough");
        }
        assertThat(folder.resolve("stopped/model.safetensors")).exists();
    }

    @Test
    void twoLearnersInterleavedOrOnTwoThreadsDoAsOneAlone() throws Exception {
        byte[][] alone = new byte[2][];
        for (int i = 0; i < 2; i++) {
            String architecture = i == 0 ? "gpt2" : "llama";
            try (ContinualLearner learner = open(architecture)) {
                TASKS.forEach(learner::learn);
                alone[i] = weights(learner, "alone");
            }
        }
        try (ContinualLearner gpt2 = open("gpt2");
                ContinualLearner llama = open("llama")) {
            for (Task task : TASKS) {
                gpt2.learn(task);
                llama.learn(task);
                llama.evaluate(Map.of(0, task));
            }
            assertThat(weights(gpt2, "interleaved")).isEqualTo(alone[0]);
            assertThat(weights(llama, "interleaved")).isEqualTo(alone[1]);
        }
        ExecutorService threads = Executors.newFixedThreadPool(2);
        try {
            Callable<byte[]> first = () -> {
                try (ContinualLearner learner = open("gpt2")) {
                    TASKS.forEach(learner::learn);
                    return weights(learner, "first");
                }
            };
            Callable<byte[]> second = () -> {
                try (ContinualLearner learner = open("llama")) {
                    TASKS.forEach(learner::learn);
                    return weights(learner, "second");
                }
            };
            List<Future<byte[]>> results = threads.invokeAll(List.of(first, second), 60, TimeUnit.SECONDS);
            assertThat(results.get(0).get()).isEqualTo(alone[0]);
            assertThat(results.get(1).get()).isEqualTo(alone[1]);
        } finally {
            threads.shutdownNow();
        }
    }

    @Test
    void aLearnerMayBeHandedToAnotherThread() throws Exception {
        Held before = Held.now();
        ExecutorService thread = Executors.newSingleThreadExecutor();
        try {
            ContinualLearner learner = thread.submit(() -> open("gpt2")).get();
            learner.learn(TASKS.get(0));
            thread.submit(() -> learner.learn(TASKS.get(1))).get();
            learner.close();
        } finally {
            thread.shutdownNow();
        }
        assertThat(Held.now()).isEqualTo(before);
    }
}
