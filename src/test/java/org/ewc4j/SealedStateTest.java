package org.ewc4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import org.ewc4j.checkpoint.CheckpointSeal;
import org.ewc4j.config.EwcConfig;
import org.ewc4j.config.ModelSource;
import org.ewc4j.config.RunConfig;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.report.RunListener;
import org.ewc4j.task.TaskSequence;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A state whose checksum is right and whose content is not what ewc4j writes is refused by file and key. */
class SealedStateTest {
    @TempDir
    static Path folder;

    private static Path model;
    private static Path state;
    private static String valid;

    @BeforeAll
    static void save() throws IOException {
        model = TinyRun.model(folder.resolve("model"), "gpt2");
        try (ContinualLearner learner = open()) {
            learner.learn(TinyRun.tasks(1, 4).get(0));
            learner.saveState(folder.resolve("saved"));
        }
        state = folder.resolve("saved/state.json");
        valid = Files.readString(state);
    }

    private static ContinualLearner open() {
        return ContinualLearner.open(
                ModelSource.random(model, 1),
                TinyRun.training().withReplay(2),
                EwcConfig.defaults().withLambda(100));
    }

    /** A text of JSON with another value for the first key of a name. */
    private static String replaced(String content, String key, String value) {
        return content.replaceFirst("\"" + key + "\" : (\"[^\"]*\"|[^,\\s]+)", "\"" + key + "\" : " + value);
    }

    private static void change(Path file, String content, String key, String value) throws IOException {
        String changed = replaced(content, key, value);
        assertThat(changed).isNotEqualTo(content);
        Files.write(file, CheckpointSeal.sealed(changed.getBytes(StandardCharsets.UTF_8)));
    }

    private static void assertRefused(String message) {
        try (ContinualLearner learner = open()) {
            assertThatThrownBy(() -> learner.restoreState(state.getParent()))
                    .isInstanceOf(InvalidInputException.class)
                    .hasMessageStartingWith(state + ": ")
                    .hasMessageContaining(message);
        }
    }

    @Test
    void theValidOneIsTaken() throws IOException {
        Files.writeString(state, valid);
        try (ContinualLearner learner = open()) {
            assertThatCode(() -> learner.restoreState(state.getParent())).doesNotThrowAnyException();
            assertThat(learner.tasksLearned()).isEqualTo(1);
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "tasks_learned | -1 | key 'tasks_learned': expected a whole number of at least 0",
                "tasks_learned | \"1\" | key 'tasks_learned': expected a whole number",
                "steps | 1.5 | key 'steps': expected a whole number",
                "steps | 99999999999999999999 | key 'steps': expected a whole number",
                "skipped | 1000 | key 'skipped': expected a whole number of at least 0, at most ",
                "micro_batch_rows | 0 | key 'micro_batch_rows': expected a whole number of at least 1",
                "fisher_micro_batch_rows | 0 | key 'fisher_micro_batch_rows': expected a whole number of at least 1",
                "evaluation_micro_batch_rows | 0 | key 'evaluation_micro_batch_rows': expected a whole number of at least 1",
                "protected | 1 | key 'protected': expected true or false, got \"1\"",
                "architecture | null | key 'architecture': expected a text, got \"null\"",
                "random_state | \"%\" | key 'random_state': expected bytes in base 64",
                "random_state | \"AAAA\" | key 'random_state' is no state of a generator on cpu",
                "random_state | \"\" | key 'random_state' is no state of a generator on cpu",
                "train | \"NaN\" | key 'seconds.train': expected a number",
                "replayed | \"AAAA\" | key 'replayed': expected whole rows",
                "replayed | 7 | key 'replayed': expected a text",
                "under_way | 7 | key 'under_way': expected an object",
            })
    void whatIsNotWhatItShouldBeIsRefusedByKey(String key, String value, String message) throws IOException {
        String content =
                key.equals("under_way") ? valid.replaceFirst("\"steps\"", "\"under_way\" : 0, \"steps\"") : valid;
        change(state, content, key, value);
        assertRefused(message);
    }

    /** Each would be an index into a table, in native code. */
    @Test
    void rowsThatTheModelCannotReadAreRefused() throws IOException {
        assertReplayRefused(new int[] {3, 1, 5, TinyRun.VOCABULARY, 6}, "beyond its vocabulary of 257");
        assertReplayRefused(new int[] {3, 1, 5, -1, 6}, "beyond its vocabulary of 257");
        int[] tooLong = new int[2 + TinyRun.POSITIONS + 1];
        tooLong[0] = TinyRun.POSITIONS + 1;
        tooLong[1] = 1;
        assertReplayRefused(tooLong, "longer than the model's 64 positions");
        assertReplayRefused(new int[] {2, 3, 5, 6}, "rows with a prompt that lies in them");
        assertReplayRefused(new int[] {2, 0, 5, 6}, "rows with a prompt that lies in them");
        assertReplayRefused(new int[] {Integer.MAX_VALUE, 1, 5}, "whole rows");
        assertReplayRefused(new int[] {0, 1}, "whole rows");
    }

    /** The generator keeps numbers of 32 bits in 64, and reads the lower half. */
    @Test
    void aRandomStateThatHoldsMoreThanIsReadIsRefused() throws IOException {
        String written = JsonMapper.builder()
                .build()
                .readTree(valid)
                .findValue("random_state")
                .asText();
        byte[] bytes = Base64.getDecoder().decode(written);
        bytes[28] = 1;
        change(state, valid, "random_state", "\"" + Base64.getEncoder().encodeToString(bytes) + "\"");
        assertRefused("key 'random_state' is no state of a generator on cpu");
    }

    @Test
    void anEvaluationGoesOnWithTheRowsThatThereIsMemoryFor() throws IOException {
        change(state, valid, "evaluation_micro_batch_rows", "3");
        List<Integer> done = new ArrayList<>();
        try (ContinualLearner learner = open()) {
            learner.restoreState(state.getParent());
            learner.addListener(new RunListener() {
                @Override
                public void evaluationProgress(int afterTask, int answered, int total) {
                    done.add(answered);
                }
            });
            learner.evaluate(Map.of(0, TinyRun.tasks(1, 4).get(0)));
            learner.saveState(folder.resolve("again"));
        }
        assertThat(done).containsExactly(3, 4, 7, 8);
        assertThat(folder.resolve("again/state.json")).content().contains("\"evaluation_micro_batch_rows\" : 3,");
    }

    private static void assertReplayRefused(int[] numbers, String message) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(numbers.length * Integer.BYTES);
        bytes.asIntBuffer().put(numbers);
        change(state, valid, "replayed", "\"" + Base64.getEncoder().encodeToString(bytes.array()) + "\"");
        assertRefused(message);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "tasks_finished | 7 | key 'learner.tasks_learned': expected 7, the tasks that the run has finished",
                "tasks_finished | -1 | key 'run.tasks_finished': expected a whole number of at least 0",
                "after_task | 2 | has task 2, but the run has 2 tasks, from 0",
                "task | 4000000000 | key 'run.scores[0].task': expected a whole number of at least 0, at most",
                "token_loss | null | key 'run.scores[0].token_loss': expected a number",
                "device | 7 | key 'run.device': expected a text",
                "ewc4j | 7 | key 'run.versions.ewc4j': expected a text",
                "file | \"a\\\\u0000b\" | key 'run.inputs[0].file': expected a name that a file can have here",
            })
    void soItIsOfARun(String key, String value, String message) throws IOException {
        Path place = Files.createTempDirectory(folder, "run");
        RunConfig config = CheckpointReading.stoppedRun(TinyRun.configuration(place, "gpt2"), place.resolve("out"));
        TaskSequence tasks = ContinualRun.readTasks(config);
        Path file;
        try (var found = Files.walk(config.output())) {
            file = found.filter(each -> each.endsWith("state.json")).findFirst().orElseThrow();
        }
        String content = Files.readString(file);
        int run = content.indexOf("\"run\"");
        String behind = replaced(content.substring(run), key, value);
        assertThat(content).doesNotEndWith(behind);
        Files.write(file, CheckpointSeal.sealed((content.substring(0, run) + behind).getBytes(StandardCharsets.UTF_8)));
        try (ContinualLearner learner = ContinualRun.open(config)) {
            assertThatThrownBy(() -> CheckpointReading.read(config.output(), learner, tasks))
                    .isInstanceOf(InvalidInputException.class)
                    .hasMessageContaining("state.json: ")
                    .hasMessageContaining(message);
        }
    }
}
