package org.ewc4j;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.ewc4j.config.EwcConfig;
import org.ewc4j.config.ModelSource;
import org.ewc4j.config.SaveConfig.StoredType;
import org.ewc4j.kernel.NativeResource;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.LoggerFactory;

/** Learners by the hundred, and several at once. */
class ManyLearnersTest {
    private static final EwcConfig EWC = EwcConfig.defaults().withLambda(100);

    @TempDir
    Path folder;

    @Test
    void twoHundredLearnersOneAfterAnotherLeaveNothing() throws Exception {
        List<Held> rows =
                ChildJvm.run(folder, ChildJvm.STEADY, ManyLearners.class, folder.toString(), "50", "200").stream()
                        .filter(Held::isRow)
                        .map(Held::parse)
                        .toList();
        Held before = rows.get(0);
        Held after = rows.get(1);

        assertThat(after.tensors()).isEqualTo(before.tensors());
        assertThat(after.resources()).isEqualTo(before.resources());
        assertThat(after.files()).isEqualTo(before.files());
        assertThat(after.threads()).isLessThanOrEqualTo(before.threads());
        // 200 of these models' states would be 40 MB.
        assertThat(after.kibibytes() - before.kibibytes()).isLessThan(8 << 10);
    }

    /** The backstop of a host that forgets to close: it is told where the learner was made, and gets the memory back. */
    @Test
    void aForgottenLearnerIsFreedAndItsMakerNamed() throws InterruptedException {
        Path model = TinyRun.model(folder.resolve("model"), "gpt2");
        ManyLearners.live(model);
        Held before = Held.now();
        Logger logger = (Logger) LoggerFactory.getLogger(NativeResource.class);
        ListAppender<ILoggingEvent> events = new ListAppender<>();
        events.start();
        logger.addAppender(events);
        try {
            forget(model);
            assertThat(NativeResource.openCount()).isGreaterThan(before.resources());
            for (int i = 0; i < 200 && NativeResource.openCount() > before.resources(); i++) {
                System.gc();
                Thread.sleep(20);
            }
            assertThat(Held.now().tensors()).isEqualTo(before.tensors());
            assertThat(NativeResource.openCount()).isEqualTo(before.resources());
            assertThat(List.copyOf(events.list)).anySatisfy(event -> {
                assertThat(event.getFormattedMessage()).startsWith("ContinualLearner was never closed");
                assertThat(event.getThrowableProxy().getStackTraceElementProxyArray())
                        .anyMatch(element -> element.toString().contains("ManyLearnersTest.forget"));
            });
        } finally {
            logger.detachAppender(events);
        }
    }

    private static void forget(Path model) {
        ContinualLearner.open(ModelSource.random(model, 1), TinyRun.training(), EWC)
                .learn(TinyRun.tasks(1, 4).get(0));
    }

    @Test
    void fourAtOnceLearnTheBitsThatOneLearnsAlone() throws Exception {
        byte[] alone = learn("alone");
        ExecutorService threads = Executors.newFixedThreadPool(4);
        try {
            List<Future<byte[]>> weights = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                String name = "learner-" + i;
                weights.add(threads.submit(() -> learn(name)));
            }
            for (Future<byte[]> each : weights) {
                assertThat(each.get(60, TimeUnit.SECONDS)).isEqualTo(alone);
            }
        } finally {
            threads.shutdownNow();
        }
    }

    private byte[] learn(String name) throws IOException {
        Path model = TinyRun.model(folder.resolve(name), "gpt2", config -> config.put("resid_pdrop", 0.1));
        try (ContinualLearner learner = ContinualLearner.open(
                ModelSource.random(model, 1), TinyRun.training().withShuffle(true), EWC)) {
            TinyRun.tasks(2, 10).forEach(learner::learn);
            learner.saveModel(folder.resolve(name + "-out"), StoredType.FLOAT32);
            return Files.readAllBytes(folder.resolve(name + "-out/model.safetensors"));
        }
    }
}
