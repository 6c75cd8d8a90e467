package org.ewc4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.ewc4j.ContinualRun.Existing;
import org.ewc4j.config.RunConfig;
import org.ewc4j.config.RunConfigReader;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.RunInterruptedException;
import org.ewc4j.eval.LambdaChoice;
import org.ewc4j.eval.TaskScore;
import org.ewc4j.kernel.NativeResource;
import org.ewc4j.report.RunListener;
import org.ewc4j.report.RunResumption;
import org.ewc4j.tensor.Torch;
import org.ewc4j.train.StepMetrics;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A run that is stopped, at each kind of place, goes on in a new learner and ends with the very bytes of one that never stopped. */
class ResumeTest {
    @TempDir
    Path folder;

    private Path configuration;

    @BeforeEach
    void write() throws IOException {
        folder = folder.toRealPath();
        configuration = TinyRun.configuration(folder, "gpt2");
        TinyRun.model(
                folder.resolve("model"),
                "gpt2",
                config -> config.put("resid_pdrop", 0.1).put("embd_pdrop", 0.1));
        TinyRun.tasksFile(folder, 3, 10);
    }

    @AfterEach
    void clearInterrupt() {
        Thread.interrupted();
    }

    @TempDir
    static Path references;

    /** A run with these settings that never stopped; made once. */
    private Path whole(String... settings) {
        Path output = references.resolve(
                "whole-" + Integer.toHexString(List.of(settings).hashCode()));
        if (!Files.exists(output)) {
            ContinualRun.execute(config(output.toString(), settings), false, List.of());
        }
        return output;
    }

    private RunConfig config(String output, String... settings) {
        return RunConfigReader.read(configuration, List.of(settings), Optional.of(folder.resolve(output)), folder);
    }

    /** Interrupts its thread when an event of a kind has come so many times. */
    private static final class Interruption implements RunListener {
        private final String event;
        private final int after;
        private int seen;
        private RunResumption resumption;

        Interruption(String event, int after) {
            this.event = event;
            this.after = after;
        }

        private void saw(String kind) {
            if (event.equals(kind) && ++seen == after) {
                Thread.currentThread().interrupt();
            }
        }

        @Override
        public void step(StepMetrics metrics) {
            saw("step");
        }

        @Override
        public void fisherProgress(int task, String taskName, int done, int total) {
            saw("fisher");
        }

        @Override
        public void evaluationProgress(int afterTask, int done, int total) {
            saw("evaluation");
        }

        @Override
        public void scored(TaskScore score) {
            saw("scored");
        }

        @Override
        public void taskFinished(int task, String taskName) {
            saw("task");
        }

        @Override
        public void runResumed(RunResumption where) {
            resumption = where;
        }
    }

    private static void stop(RunConfig config, Existing existing, String event, int after) {
        assertThatThrownBy(() -> ContinualRun.execute(config, existing, List.of(new Interruption(event, after))))
                .isInstanceOf(RunInterruptedException.class)
                .hasMessageContaining("interrupted");
        assertThat(Thread.interrupted()).as("the flag is kept").isTrue();
    }

    private static RunResumption goOn(RunConfig config) {
        Interruption listener = new Interruption("", 0);
        assertThat(ContinualRun.execute(config, Existing.RESUME, List.of(listener))
                        .finishedBefore())
                .isFalse();
        return listener.resumption;
    }

    /** In training, in a Fisher pass (in place and with an accumulator), in an evaluation, between tasks. */
    @ParameterizedTest
    @CsvSource({"step, 1", "step, 8", "fisher, 1", "fisher, 5", "fisher, 6", "evaluation, 1", "scored, 3", "task, 1"})
    void aRunThatWasStoppedAnywhereEndsWithTheSameBytes(String event, int after) {
        String[] settings = {"training.gradient_accumulation=2", "save.keep=all"};
        RunConfig config = config("stopped", settings);
        stop(config, Existing.AS_CONFIGURED, event, after);
        assertThat(folder.resolve("stopped/checkpoints")).isDirectory();

        assertThat(goOn(config)).isNotNull();

        RunBytes.assertSame(folder.resolve("stopped"), whole(settings));
    }

    /** Every way to merge and every type of state, stopped within the second Fisher pass and in the steps behind it. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "{merge: sum}",
                "{merge: sum, anchor_dtype: int16}",
                "{merge: online, gamma: 0.5}",
                "{merge: ema, fisher_dtype: bf16, anchor_dtype: fp16}",
                "{merge: max, fisher_dtype: bf16, anchor_dtype: int16}",
                "{fisher: example, fisher_batch_size: 2}",
                "{fisher: sampled, fisher_samples: 2, fisher_normalize: mean}",
                "{fisher_dtype: int8, anchor_dtype: int16}",
                "{fisher: uniform}"
            })
    void whateverTheConsolidationIsMadeOf(String ewc) {
        String[] settings = {"ewc=" + ewc, "ewc.lambda=100"};
        RunConfig config = config("stopped", settings);
        if (ewc.contains("uniform")) {
            stop(config, Existing.AS_CONFIGURED, "step", 7);
        } else {
            stop(config, Existing.AS_CONFIGURED, "fisher", ewc.contains("batch_size: 2") ? 7 : 5);
        }
        stop(config, Existing.RESUME, "step", 2);
        goOn(config);

        RunBytes.assertSame(folder.resolve("stopped"), whole(settings));
    }

    /** Where the anchor lies changes no bit, nor does moving it where a run goes on. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "{}",
                "{merge: sum}",
                "{merge: sum, anchor_dtype: int16}",
                "{merge: max, fisher_dtype: int8, anchor_dtype: fp16}"
            })
    void whereverTheAnchorLies(String ewc) {
        String[] device = {"ewc=" + ewc, "ewc.lambda=100"};
        String[] mapped = {
            "ewc=" + ewc,
            "ewc.lambda=100",
            "ewc.anchor_memory=mapped",
            "ewc.anchor_folder=" + Path.of("target").toAbsolutePath()
        };
        stop(config("stopped", mapped), Existing.AS_CONFIGURED, "fisher", 5);
        stop(config("stopped", mapped), Existing.RESUME, "step", 2);
        stop(config("stopped", device), Existing.RESUME, "step", 1);
        goOn(config("stopped", mapped));

        RunBytes.assertSame(folder.resolve("stopped"), whole(device));
    }

    @Test
    void withTheComputedCopyOfBf16AndSkippedSteps() {
        String[] settings = {"precision=bf16", "training.on_nonfinite=skip", "training.clip_norm=0.5", "log_every=3"};
        RunConfig config = config("stopped", settings);
        stop(config, Existing.AS_CONFIGURED, "step", 8);
        goOn(config);

        RunBytes.assertSame(folder.resolve("stopped"), whole(settings));
    }

    /** Stopped in the pass before the first task, in its steps, and in those of a task with replayed rows. */
    @Test
    void withProtectedDataAndReplayedRows() throws IOException {
        Files.writeString(
                folder.resolve("general.txt"), "the sky is blue and the grass is green, as it was before. ".repeat(8));
        String[] settings = {
            "ewc.protect.data=general.txt", "ewc.protect.weight=2", "training.replay=3", "ewc.fisher_batch_size=2"
        };
        RunConfig config = config("stopped", settings);
        stop(config, Existing.AS_CONFIGURED, "fisher", 2);
        stop(config, Existing.RESUME, "step", 3);
        stop(config, Existing.RESUME, "step", 12);
        goOn(config);

        RunBytes.assertSame(folder.resolve("stopped"), whole(settings));
    }

    /** λ as it was chosen when the run began is not chosen again, and what it was chosen from is still told. */
    @Test
    void withAChosenLambdaThatActsProximallyByGroups() throws IOException {
        String[] settings = {
            "ewc={lambda: auto, penalty: proximal, lambda_warmup: 0.2, groups: [{pattern: '*.bias', lambda_factor: 0.5}]}",
            "training.freeze=['*wpe*']"
        };
        RunConfig config = config("stopped", settings);
        List<LambdaChoice> chosen = new ArrayList<>();
        RunListener choices = new RunListener() {
            @Override
            public void lambdaChosen(LambdaChoice choice) {
                chosen.add(choice);
            }
        };
        assertThatThrownBy(() -> ContinualRun.execute(
                        config, Existing.AS_CONFIGURED, List.of(choices, new Interruption("step", 8))))
                .isInstanceOf(RunInterruptedException.class);
        Thread.interrupted();
        assertThat(chosen).hasSize(1);

        ContinualRun.execute(config, Existing.RESUME, List.of(choices));

        assertThat(chosen).hasSize(1);
        RunBytes.assertSame(folder.resolve("stopped"), whole(settings));
        assertThat(Files.readString(folder.resolve("stopped/results.json"))).contains("\"lambda_choice\"");
    }

    @Test
    void stoppedAgainAndAgainItComesToTheSameEnd() {
        RunConfig config = config("stopped");
        stop(config, Existing.RESUME, "step", 1);
        for (int i = 0; i < 6; i++) {
            stop(config, Existing.RESUME, i % 2 == 0 ? "step" : "fisher", 1 + i % 3);
        }
        goOn(config);

        RunBytes.assertSame(folder.resolve("stopped"), whole());
    }

    @Test
    void whereNothingIsToResumeTheRunBegins() {
        assertThat(goOn(config("new"))).isNull();
        assertThat(folder.resolve("new/model/model.safetensors")).exists();
        assertThat(folder.resolve("new/checkpoints")).doesNotExist();
    }

    @Test
    void aRunThatEndedIsLeftAsItIs() throws IOException {
        RunConfig config = config("ended");
        ContinualRun.execute(config, false, List.of());
        byte[] results = Files.readAllBytes(folder.resolve("ended/results.json"));

        assertThat(ContinualRun.execute(config, Existing.RESUME, List.of()).finishedBefore())
                .isTrue();
        RunConfig auto = config("ended", "resume=auto");
        assertThat(ContinualRun.execute(auto, Existing.AS_CONFIGURED, List.of()).finishedBefore())
                .isTrue();
        assertThat(folder.resolve("ended/results.json")).hasBinaryContent(results);
    }

    @Test
    void aRunThatEndedWithAnotherConfigurationIsNotTakenForThisOne() {
        ContinualRun.execute(config("ended"), false, List.of());

        assertThatThrownBy(() -> ContinualRun.execute(
                        config("ended", "training.epochs=3", "resume=auto"), Existing.AS_CONFIGURED, List.of()))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContainingAll("another configuration", "training.epochs: 2 → 3", "--overwrite");
    }

    @Test
    void aGivenLambdaDoesNotPassForAChosenOne() {
        stop(config("stopped"), Existing.AS_CONFIGURED, "step", 5);

        assertThatThrownBy(() -> goOn(config("stopped", "ewc.lambda=auto")))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContainingAll("another configuration", "ewc.lambda: 1000.0 → auto", "--overwrite");
    }

    @Test
    void resumeAutoGoesOnByItself() {
        RunConfig config = config("stopped", "resume=auto");
        stop(config, Existing.AS_CONFIGURED, "step", 5);

        ContinualRun.execute(config, Existing.AS_CONFIGURED, List.of());

        RunBytes.assertSame(folder.resolve("stopped"), whole());
    }

    @Test
    void withoutItTheRunIsLeftAloneAndTheWayIsNamed() {
        RunConfig config = config("stopped");
        stop(config, Existing.AS_CONFIGURED, "step", 5);

        assertThatThrownBy(() -> ContinualRun.execute(config, Existing.AS_CONFIGURED, List.of()))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContainingAll("not empty", "--resume", "--overwrite");
    }

    @Test
    void anotherConfigurationIsRefusedKeyByKey() {
        stop(config("stopped"), Existing.AS_CONFIGURED, "step", 5);

        RunConfig other = config("stopped", "ewc.lambda=7", "training.epochs=3", "save.keep=all");
        assertThatThrownBy(() -> ContinualRun.execute(other, Existing.RESUME, List.of()))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContainingAll(
                        "another configuration", "ewc.lambda: 1000.0 → 7.0", "training.epochs: 2 → 3", "--overwrite")
                .hasMessageNotContaining("save.keep");
    }

    @Test
    void whatChangesNothingMayBeChanged() throws IOException {
        stop(config("stopped"), Existing.AS_CONFIGURED, "step", 5);

        goOn(config(
                "stopped",
                "log_every=4",
                "training.loader_threads=2",
                "checkpoint.keep=5",
                "checkpoint.every_steps=2"));

        RunBytes.assertSame(folder.resolve("stopped"), whole());
        assertThat(folder.resolve("stopped/config.yaml")).content().contains("every_steps: 2");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "tasks.jsonl | checkpoint.keep=2",
                "model/config.json | checkpoint.keep=2",
                "model/tokenizer.json | checkpoint.keep=2",
                "before/model/model.safetensors | model={path: before/model, init: pretrained}",
                "general.txt | ewc.protect.data=general.txt",
                "before/task-01/consolidation/consolidation.json | ewc={lambda: 100, from: before/task-01/consolidation, from_other_parameters: true}"
            })
    void aFileThatChangedIsRefusedByName(String name, String setting) throws IOException {
        Files.writeString(folder.resolve("general.txt"), "the sky is blue and the grass is green. ".repeat(8));
        ContinualRun.execute(config("before"), false, List.of());
        RunConfig config = config("stopped", setting);
        stop(config, Existing.AS_CONFIGURED, "step", 5);
        Path file = folder.resolve(name);
        Files.writeString(file, "\n", StandardOpenOption.APPEND);

        assertThatThrownBy(() -> goOn(config))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContainingAll(file.toString(), "has changed since the run", "--overwrite");
    }

    /**
     * The newest of three is damaged, in each kind of file; the run goes on from the one before, to the same end. Of a task's
     * checkpoints all need what is in {@code kept}: the one before is then of the task before.
     */
    @ParameterizedTest
    @CsvSource({
        "2, '{}', step, 8, theta.safetensors, flipped, 8, 2",
        "2, '{}', step, 8, second_moment.safetensors, cut, 8, 2",
        "2, '{}', step, 8, first_moment.safetensors, gone, 8, 2",
        "2, '{}', step, 8, state.json, flipped, 8, 2",
        "2, '{}', step, 8, state.json, gone, 8, 2",
        "3, '{}', step, 7, ../kept/fisher-1.safetensors, flipped, 6, 6",
        "3, '{}', step, 7, ../kept/anchor-1.safetensors, gone, 6, 6",
        "6, '{}', fisher, 5, fisher.safetensors, cut, 12, 6",
        "6, '{merge: sum}', fisher, 5, anchor.safetensors, flipped, 12, 6",
        "6, '{fisher: example}', fisher, 5, fisher_accumulator.safetensors, flipped, 12, 6"
    })
    void aDamagedCheckpointIsPassedOver(
            int everySteps, String ewc, String event, int after, String name, String damage, long steps, long ofTask)
            throws IOException {
        String[] mathematics = {"ewc=" + ewc, "ewc.lambda=1000"};
        RunConfig config = config(
                "stopped", mathematics[0], mathematics[1], "checkpoint.every_steps=" + everySteps, "checkpoint.keep=3");
        stop(config, Existing.AS_CONFIGURED, event, after);
        List<Path> checkpoints = checkpoints(config);
        assertThat(checkpoints).hasSize(3);
        Path file = checkpoints.get(2).resolve(name).normalize();
        damage(file, damage);

        RunResumption resumption;
        try (LoggedWarnings warned = LoggedWarnings.of(StoppedRun.class)) {
            resumption = goOn(config);
            assertThat(warned.messages())
                    .singleElement()
                    .asString()
                    .startsWith("checkpoint passed over, the one before is taken: " + file);
        }

        assertThat(resumption.steps()).isEqualTo(steps);
        assertThat(resumption.stepsOfTask()).isEqualTo(ofTask);
        RunBytes.assertSame(config.output(), whole(mathematics));
    }

    private static List<Path> checkpoints(RunConfig config) throws IOException {
        try (var entries = Files.list(config.output().resolve("checkpoints"))) {
            return entries.filter(entry -> entry.getFileName().toString().startsWith("checkpoint-"))
                    .sorted()
                    .toList();
        }
    }

    private static void damage(Path file, String how) throws IOException {
        byte[] bytes = Files.readAllBytes(file);
        switch (how) {
            case "flipped" -> {
                bytes[bytes.length / 2] ^= 4;
                Files.write(file, bytes);
            }
            case "cut" -> Files.write(file, Arrays.copyOf(bytes, bytes.length - 5));
            default -> Files.delete(file);
        }
    }

    @Test
    void whereNoCheckpointIsWholeNothingIsTouched() throws IOException {
        RunConfig config = config("stopped");
        stop(config, Existing.AS_CONFIGURED, "step", 5);
        List<Path> checkpoints = checkpoints(config);
        assertThat(checkpoints).hasSize(1);
        damage(checkpoints.get(0).resolve("theta.safetensors"), "flipped");

        assertThatThrownBy(() -> goOn(config))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContainingAll("none of its checkpoints is whole", "--overwrite");
        assertThat(checkpoints(config)).isEqualTo(checkpoints);
    }

    @Test
    void rowsThatWereLostMakeACheckpointUseless() throws IOException {
        RunConfig config = config("stopped");
        stop(config, Existing.AS_CONFIGURED, "step", 5);
        Files.writeString(config.output().resolve("steps.jsonl"), "{}\n");

        assertThatThrownBy(() -> goOn(config)).hasMessageContaining("none of its checkpoints is whole");
    }

    @Test
    void onlyTheNewestAreKeptAndTheConsolidationIsWrittenOnce() throws IOException {
        List<String> written = new ArrayList<>();
        RunConfig config = config("kept", "checkpoint.every_steps=1", "checkpoint.keep=2", "training.epochs=3");
        stop(config, Existing.AS_CONFIGURED, "step", 16);
        for (Path checkpoint : checkpoints(config)) {
            try (var files = Files.list(checkpoint)) {
                files.forEach(file -> written.add(file.getFileName().toString()));
            }
        }
        assertThat(checkpoints(config)).hasSize(2);
        assertThat(written).contains("theta.safetensors").doesNotContain("fisher.safetensors", "anchor.safetensors");
        try (var files = Files.list(config.output().resolve("checkpoints/kept"))) {
            assertThat(files.map(file -> file.getFileName().toString()))
                    .containsExactlyInAnyOrder("fisher-1.safetensors", "anchor-1.safetensors");
        }
    }

    @Test
    void aListenerThatThrowsStopsTheRunAndItGoesOnFromTheLastCheckpoint() {
        RunConfig config = config("stopped", "checkpoint.every_steps=2");
        RunListener throwing = new RunListener() {
            @Override
            public void step(StepMetrics metrics) {
                if (metrics.step() == 10) {
                    throw new IllegalStateException("a listener of somebody else's");
                }
            }
        };
        assertThatThrownBy(() -> ContinualRun.execute(config, false, List.of(throwing)))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("a listener of somebody else's");

        assertThat(goOn(config).steps()).isEqualTo(10);
        RunBytes.assertSame(config.output(), whole());
    }

    @Test
    void nothingIsHeldAfterAStop() {
        long tensors = Torch.keptObjects();
        long resources = NativeResource.openCount();
        RunConfig config = config("stopped", "checkpoint.every_steps=1", "ewc.merge=max");
        stop(config, Existing.AS_CONFIGURED, "fisher", 5);
        goOn(config);

        assertThat(Torch.keptObjects()).isEqualTo(tensors);
        assertThat(NativeResource.openCount()).isEqualTo(resources);
    }
}
