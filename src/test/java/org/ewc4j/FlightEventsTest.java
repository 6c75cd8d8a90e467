package org.ewc4j;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import jdk.jfr.Configuration;
import jdk.jfr.EventType;
import jdk.jfr.FlightRecorder;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.ewc4j.config.EwcConfig;
import org.ewc4j.config.ModelSource;
import org.ewc4j.config.SaveConfig.StoredType;
import org.ewc4j.jfr.FlightEvents;
import org.ewc4j.jfr.FlightSpan;
import org.ewc4j.task.Task;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a run tells Java Flight Recorder. */
class FlightEventsTest {
    private static final Path SETTINGS = Path.of("src/main/resources/org/ewc4j/jfr/ewc4j.jfc");

    @TempDir
    Path folder;

    /** Two tasks of 10 rows, 2 epochs in batches of the default size: the steps are what the metrics count. */
    static void run(Path folder) {
        Path model = TinyRun.model(folder.resolve("model"), "gpt2");
        try (ContinualLearner learner = ContinualLearner.open(
                ModelSource.random(model, 1),
                TinyRun.training(),
                EwcConfig.defaults().withLambda(100))) {
            List<Task> tasks = TinyRun.tasks(2, 10);
            tasks.forEach(learner::learn);
            learner.evaluate(Map.of(0, tasks.get(0), 1, tasks.get(1)));
            learner.saveModel(folder.resolve("out"), StoredType.FLOAT32);
            learner.saveConsolidation(folder.resolve("out"));
            learner.saveState(folder.resolve("state"));
        }
    }

    @Test
    void aRunIsRecordedByTheSettingsFile() throws Exception {
        Path file = folder.resolve("run.jfr");
        try (Recording recording = new Recording(Configuration.create(SETTINGS))) {
            recording.start();
            run(folder);
            recording.stop();
            recording.dump(file);
        }
        Map<String, List<RecordedEvent>> events = RecordingFile.readAllEvents(file).stream()
                .filter(event -> event.getEventType().getName().startsWith("org.ewc4j."))
                .collect(Collectors.groupingBy(event -> event.getEventType().getName()));

        List<RecordedEvent> steps = events.get("org.ewc4j.Step");
        assertThat(steps).hasSameSizeAs(events.get("org.ewc4j.StepMetrics")).hasSizeGreaterThan(2);
        assertThat(steps).extracting(step -> step.getLong("step")).startsWith(0L, 1L);
        assertThat(steps.get(0).getString("task")).isEqualTo("red");
        assertThat(steps.get(0).getDuration().toNanos()).isPositive();
        assertThat(events.get("org.ewc4j.StepMetrics").get(0).getDouble("lmLoss"))
                .isPositive();
        assertThat(events.get("org.ewc4j.FisherPass")).hasSize(2).allSatisfy(pass -> {
            assertThat(pass.getString("kind")).isEqualTo("batch");
            assertThat(pass.getLong("examples")).isEqualTo(10);
        });
        assertThat(events.get("org.ewc4j.Merge"))
                .extracting(merge -> merge.getInt("held"))
                .containsExactly(0, 1);
        assertThat(events.get("org.ewc4j.Evaluation").get(0).getInt("tasks")).isEqualTo(2);
        assertThat(events.get("org.ewc4j.Checkpoint"))
                .extracting(saved -> saved.getString("kind"))
                .containsExactly("model", "consolidation", "run state");
        for (int counted : List.of(0, 2)) {
            assertThat(events.get("org.ewc4j.Checkpoint").get(counted).getLong("bytes"))
                    .isPositive();
        }
        assertThat(events.get("org.ewc4j.NativeAllocation")).isNotEmpty().allSatisfy(taken -> {
            assertThat(taken.getLong("bytes")).isPositive();
            assertThat(taken.getStackTrace()).isNotNull();
        });
        assertThat(events.get("org.ewc4j.NativeAllocation"))
                .extracting(taken -> taken.getString("what"))
                .contains("arena F32", "logits", "gradient of an embedding");
    }

    @Test
    void theSettingsFileNamesEveryEvent() throws Exception {
        FlightEvents.step("", 0, 0, 0, 0).close(); // loads them
        assertThat(Configuration.create(SETTINGS).getSettings().keySet().stream()
                        .map(key -> key.substring(0, key.indexOf('#')))
                        .filter(name -> name.startsWith("org.ewc4j"))
                        .distinct())
                .containsExactlyInAnyOrderElementsOf(registered());
    }

    private static List<String> registered() throws ClassNotFoundException {
        for (Class<?> type : Class.forName("org.ewc4j.jfr.Events").getDeclaredClasses()) {
            Class.forName(type.getName()); // an event type is known once its class is initialised
        }
        return FlightRecorder.getFlightRecorder().getEventTypes().stream()
                .map(EventType::getName)
                .filter(name -> name.startsWith("org.ewc4j"))
                .toList();
    }

    @Test
    void nothingIsMadeWhereNobodyRecords() {
        assertThat(FlightEvents.step("task", 1, 1, 1, 1)).isSameAs(FlightSpan.OFF);
        assertThat(FlightEvents.checkpoint("model", folder)).isSameAs(FlightSpan.OFF);
    }

    /** A JVM as jlink makes it without the module. */
    @Test
    void aJvmWithoutFlightRecorderRunsAsWell() throws Exception {
        List<String> lines = ChildJvm.run(
                folder,
                List.of("--limit-modules", "java.se,jdk.unsupported,jdk.management"),
                WithoutFlightRecorder.class,
                folder.toString());
        assertThat(lines).containsExactly("learned without jdk.jfr");
    }

    /** The other side of the test above. */
    static final class WithoutFlightRecorder {
        public static void main(String[] args) {
            if (ModuleLayer.boot().findModule("jdk.jfr").isPresent()) {
                throw new IllegalStateException("jdk.jfr is there");
            }
            run(Path.of(args[0]));
            System.out.println("learned without jdk.jfr");
        }
    }
}
