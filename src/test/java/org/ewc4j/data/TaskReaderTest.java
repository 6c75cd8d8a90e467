package org.ewc4j.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.ewc4j.config.EvaluationConfig.Split;
import org.ewc4j.config.TaskSource;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.task.Example;
import org.ewc4j.task.Task;
import org.ewc4j.task.TaskSequence;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TaskReaderTest {
    private static final PromptTemplate TEMPLATE = PromptTemplate.parse("Q: {question}");
    private static final Set<Split> BOTH = Set.of(Split.TRAIN, Split.TEST);

    @TempDir
    Path folder;

    private Path write(String name, String text) throws IOException {
        return Files.writeString(folder.resolve(name), text);
    }

    private static Example example(String question, String answer) {
        return new Example(question, "Q: " + question, answer);
    }

    private TaskSequence readSingle(String text) throws IOException {
        Path file = write("t.jsonl", text);
        return TaskReader.read(new TaskSource.SingleFile(file, "task", "q", "t", "a"), TEMPLATE, BOTH);
    }

    private void assertSingleRefused(String text, String message) {
        assertThatThrownBy(() -> readSingle(text))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage(folder.resolve("t.jsonl") + message);
    }

    @Test
    void tasksOfOneFileComeInOrderOfFirstAppearance() throws IOException {
        TaskSequence tasks = readSingle("\uFEFF{\"task\": 1, \"q\": \"q1\", \"t\": \"t1\", \"a\": \"a1\"}\r\n"
                + "\r\n   \n"
                + "{\"task\": \"zero\", \"q\": \"é\uD83D\uDE00\", \"t\": \"t2\", \"a\": 1984}\n"
                + "{\"task\": \"1\", \"q\": \"q3\", \"t\": true, \"a\": 0.50}");
        assertThat(tasks.tasks())
                .containsExactly(
                        new Task(
                                "1",
                                List.of(example("q1", "a1"), example("q3", "0.50")),
                                List.of(example("t1", "a1"), example("true", "0.50"))),
                        new Task("zero", List.of(example("é\uD83D\uDE00", "1984")), List.of(example("t2", "1984"))));
    }

    @Test
    void testFieldsAreNotLookedAtWhereTheyAreNotAskedFor() throws IOException {
        Path file = write("t.jsonl", "{\"task\": 1, \"question\": \"q1\", \"answer\": \"a1\"}");
        TaskSource source = new TaskSource.SingleFile(file, "task", "question", "nowhere", "answer");
        assertThat(TaskReader.read(source, TEMPLATE, Set.of(Split.TRAIN)).get(0).test())
                .isEmpty();
    }

    @Test
    void otherFieldsOfTheRowEnterThePrompt() throws IOException {
        Path file = write(
                "t.jsonl",
                "{\"task\": 1, \"question\": \"q\", \"answer\": \"a\", \"context\": \"c\"}\n"
                        + "{\"task\": 1, \"question\": \"q\", \"answer\": \"a\"}");
        PromptTemplate template = PromptTemplate.parse("{context}|{question}");
        assertThatThrownBy(() -> TaskReader.read(TaskSource.SingleFile.of(file), template, BOTH))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage(file + ":2: field \"context\" is missing; the row has \"task\", \"question\", \"answer\"");
        Files.writeString(file, Files.readString(file).lines().findFirst().orElseThrow());
        assertThat(TaskReader.read(TaskSource.SingleFile.of(file), template, BOTH)
                        .get(0)
                        .train()
                        .get(0)
                        .prompt())
                .isEqualTo("c|q");
    }

    @Test
    void refusesRowsThatCannotBeUsedByFileAndLine() {
        String good = "{\"task\": 1, \"q\": \"q\", \"t\": \"t\", \"a\": \"a\"}\n";
        assertSingleRefused(
                good + "{\"task\": 1, \"q\": }",
                ":2: malformed JSON: Unexpected character ('}' (code 125)): "
                        + "expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false'), at column 18");
        assertSingleRefused(
                good + "{\"task\": 1",
                ":2: malformed JSON: Unexpected end-of-input: expected close marker for Object, at column 11");
        assertSingleRefused("{\"task\": 1} {}", ":1: malformed JSON: something stands behind the value, at column 13");
        assertSingleRefused("{\"a\": 1, \"a\": 2}", ":1: malformed JSON: Duplicate field 'a', at column 13");
        assertSingleRefused("\n[1]", ":2: expected a JSON object, got \"[1]\"");
        assertSingleRefused(
                good + good + "{\"task\": 1, \"q\": \"q\", \"t\": \"t\"}",
                ":3: field \"a\" is missing; the row has \"task\", \"q\", \"t\"");
        assertSingleRefused("{\"task\": null}", ":1: field \"task\": expected text or a number, got null");
        assertSingleRefused("{\"task\": [1]}", ":1: field \"task\": expected text or a number, got a list");
        assertSingleRefused("\n\n", ": holds no row, so there is no task to learn");
    }

    @Test
    void refusesFilesThatCannotBeRead() throws IOException {
        Path missing = folder.resolve("missing.jsonl");
        assertThatThrownBy(() -> TaskReader.read(TaskSource.SingleFile.of(missing), TEMPLATE, BOTH))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage(missing + ": no such file, though the configuration names it");
        assertThatThrownBy(() -> TaskReader.read(TaskSource.SingleFile.of(folder), TEMPLATE, BOTH))
                .hasMessage(folder + ": is a folder, expected a file");
        Path latin = Files.write(folder.resolve("l.jsonl"), "\n{\"a\": \"é\"}".getBytes(StandardCharsets.ISO_8859_1));
        assertThatThrownBy(() -> TaskReader.read(TaskSource.SingleFile.of(latin), TEMPLATE, BOTH))
                .hasMessage(latin + ":2: is not UTF-8; save the file as UTF-8");
        Path endless = Files.write(folder.resolve("e.jsonl"), new byte[JsonLines.MAX_LINE_BYTES + 1]);
        assertThatThrownBy(() -> TaskReader.read(TaskSource.SingleFile.of(endless), TEMPLATE, BOTH))
                .hasMessage(endless + ":1: the line is longer than 16 MiB; expected JSON Lines, one object a line");
    }

    @Test
    void filesPerTask() throws IOException {
        Path train = write("train.jsonl", "{\"question\": \"q\", \"answer\": \"a\"}\n");
        Path test = write("test.jsonl", "{\"question\": \"t\", \"answer\": \"b\"}\n");
        Path empty = write("empty.jsonl", "\n");
        TaskSource source = TaskSource.PerTask.of(List.of(new TaskSource.TaskFiles("one", train, Optional.of(test))));
        assertThat(TaskReader.read(source, TEMPLATE, BOTH).tasks())
                .containsExactly(new Task("one", List.of(example("q", "a")), List.of(example("t", "b"))));
        TaskSource untested = TaskSource.PerTask.of(List.of(new TaskSource.TaskFiles("two", train, Optional.empty())));
        assertThat(TaskReader.read(untested, TEMPLATE, Set.of(Split.TRAIN)).size())
                .isEqualTo(1);
        assertThatThrownBy(() -> TaskReader.read(untested, TEMPLATE, BOTH))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage("task \"two\" has no test row, but evaluation.splits asks for test; "
                        + "add test rows or set evaluation.splits to [train]");
        TaskSource untrained =
                TaskSource.PerTask.of(List.of(new TaskSource.TaskFiles("three", empty, Optional.of(test))));
        assertThatThrownBy(() -> TaskReader.read(untrained, TEMPLATE, BOTH))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage("task \"three\" is empty: it has no training row; add rows or leave it out");
    }

    @Test
    void incrementalJsonComesInNumericOrder() throws IOException {
        Path file = write("c.json", """
                {"10": {"train": {"input": ["q10"], "target": ["a10"]}, "test": {"input": ["t10"], "target": [10]}},
                 "9": {"train": {"input": ["q9", "r9"], "target": ["a9", "b9"], "id": [1, 2]}, "dev": 5,
                       "test": {"input": ["t9"], "target": ["c9"]}}}
                """);
        TaskSource source = new TaskSource.IncrementalJson(file);
        assertThat(TaskReader.read(source, TEMPLATE, BOTH).tasks())
                .containsExactly(
                        new Task("9", List.of(example("q9", "a9"), example("r9", "b9")), List.of(example("t9", "c9"))),
                        new Task("10", List.of(example("q10", "a10")), List.of(example("t10", "10"))));
        Path named = write(
                "n.json",
                "{\"z\": {\"train\": {\"input\": [\"q\"], \"target\": [\"a\"]}}, "
                        + "\"b\": {\"train\": {\"input\": [\"q\"], \"target\": [\"a\"]}}}");
        assertThat(TaskReader.read(new TaskSource.IncrementalJson(named), TEMPLATE, Set.of(Split.TRAIN))
                        .names())
                .containsExactly("z", "b");
    }

    @Test
    void incrementalJsonIsRefusedByTaskAndRow() throws IOException {
        assertIncrementalRefused(
                "[]",
                ":1: expected an object with a task per key, as in {\"0\": {\"train\": "
                        + "{\"input\": [...], \"target\": [...]}, \"test\": {...}}}");
        assertIncrementalRefused("{}", ": holds no task");
        assertIncrementalRefused(
                "{\n\"0\": {\"test\": {}}}",
                ":2: task \"0\": expected an object with \"train\": {\"input\": [...], \"target\": [...]}");
        assertIncrementalRefused(
                "{\"0\": {\"train\": {\"input\": [\"a\"], \"target\": []}}}",
                ":1: task \"0\", train: expected lists \"input\" and \"target\" of one length, got 1 entries and 0 entries");
        assertIncrementalRefused(
                "{\"0\": {\"train\": {\"input\": [\"a\", {}], \"target\": [\"b\", \"c\"]}}}",
                ":1: task \"0\", train row 1: field \"input\": expected text or a number, got an object");
        assertIncrementalRefused(
                "{\"0\":\n {\"train\": ",
                ":2: malformed JSON: Unexpected end-of-input within/between Object entries, at column 12");
        Path twice = write("d.json", "{\"0\": {\"train\": {\"input\": [1], \"target\": [1]}}, \"0\": 1}");
        assertThatThrownBy(() -> TaskReader.read(new TaskSource.IncrementalJson(twice), TEMPLATE, Set.of(Split.TRAIN)))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining(":1: malformed JSON: Duplicate field '0'");
    }

    private void assertIncrementalRefused(String text, String message) throws IOException {
        Path file = write("i.json", text);
        assertThatThrownBy(() -> TaskReader.read(new TaskSource.IncrementalJson(file), TEMPLATE, BOTH))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage(file + message);
    }
}
