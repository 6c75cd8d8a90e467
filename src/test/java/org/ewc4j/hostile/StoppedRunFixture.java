package org.ewc4j.hostile;

import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.stream.Stream;
import org.ewc4j.CheckpointReading;
import org.ewc4j.ContinualLearner;
import org.ewc4j.ContinualRun;
import org.ewc4j.Golden;
import org.ewc4j.config.RunConfig;
import org.ewc4j.task.TaskSequence;

/** A run that was stopped within its second task, and a learner that goes on from its checkpoint again and again. */
final class StoppedRunFixture implements AutoCloseable {
    private final RunConfig config;
    private final TaskSequence tasks;
    private final ContinualLearner learner;
    private final String randomState;

    private StoppedRunFixture(RunConfig config, String randomState) {
        this.randomState = randomState;
        this.config = config;
        this.tasks = ContinualRun.readTasks(config);
        this.learner = ContinualRun.open(config);
    }

    /**
     * @param folder with a model and tasks.jsonl
     * @param checkpoint the folder of the run's only checkpoint, which its output folder is above
     */
    static StoppedRunFixture make(Path folder, Path checkpoint) {
        Path configuration = HostileFixture.write(
                folder.resolve("stopped.yaml"), """
                model: {path: model, init: random, seed: 1}
                tasks: {file: tasks.jsonl, test_question_field: test}
                prompt: "{question}:"
                training: {epochs: 2, batch_size: 2, learning_rate: 1.0e-2, max_length: 16, threads: %d, replay: 1}
                ewc: {lambda: 1000}
                evaluation: {max_new_tokens: 4}
                """.formatted(Golden.THREADS).getBytes(StandardCharsets.UTF_8));
        Path checkpoints = checkpoint.getParent();
        RunConfig config = CheckpointReading.stoppedRun(configuration, checkpoints.getParent());
        try (Stream<Path> entries = Files.list(checkpoints)) {
            // Whatever its number is, the parsers know it by that of the first.
            Path newest = entries.filter(entry -> entry.getFileName().toString().startsWith("checkpoint-"))
                    .max(Comparator.naturalOrder())
                    .orElseThrow();
            Files.move(newest, checkpoint);
            String randomState = new JsonMapper()
                    .readTree(Files.readAllBytes(checkpoint.resolve("state.json")))
                    .findValue("random_state")
                    .asText();
            return new StoppedRunFixture(config, randomState);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The state of the generator as the checkpoint was written with it: most of state.json. */
    String randomState() {
        return randomState;
    }

    /** Reads the checkpoint as it is now and puts the learner into its state. */
    void read() {
        CheckpointReading.read(config.output(), learner, tasks);
    }

    @Override
    public void close() {
        learner.close();
    }
}
