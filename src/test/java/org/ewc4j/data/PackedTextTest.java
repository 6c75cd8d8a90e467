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
import org.ewc4j.config.TaskSource.TaskFiles;
import org.ewc4j.config.TextConfig;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.task.Task;
import org.ewc4j.task.TaskText;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Plain text on its way from a file to rows of token ids. */
class PackedTextTest {
    private static final Set<Split> BOTH = Set.of(Split.TRAIN, Split.TEST);
    private static final int BOS = Tokenizers.BOS;
    private static final int EOS = Tokenizers.EOS;

    @TempDir
    Path folder;

    private TextTokenizer tokenizer;

    @BeforeEach
    void open() throws IOException {
        tokenizer = Tokenizers.wordLevel(folder);
    }

    @AfterEach
    void close() {
        tokenizer.close();
    }

    private Path write(String name, String text) throws IOException {
        return Files.writeString(folder.resolve(name), text);
    }

    private RowEncoder encoder(int maxLength) {
        return new RowEncoder(tokenizer, EOS, maxLength);
    }

    private EncodedTask encode(int maxLength, Set<Split> splits, TaskText text) {
        return EncodedTask.of(Task.ofText("t", text), encoder(maxLength), splits, 5, 64);
    }

    private static List<List<Integer>> ids(List<TokenizedRow> rows) {
        return rows.stream()
                .map(row -> java.util.Arrays.stream(row.ids()).boxed().toList())
                .toList();
    }

    @Test
    void documentsFollowEachOtherAndRowsAreFull() {
        List<TokenizedRow> rows = encoder(4).pack(List.of("a b", "c", "d d d"));

        // With the tokenizer's BOS before each document and end-of-sequence behind it.
        assertThat(ids(rows))
                .containsExactly(List.of(BOS, 2, 3, EOS), List.of(BOS, 4, EOS, BOS), List.of(5, 5, 5, EOS));
        assertThat(rows).allMatch(row -> row.promptLength() == 1);
    }

    @Test
    void aShortRestIsARowUnlessItIsOneToken() {
        assertThat(ids(encoder(4).pack(List.of("a b c")))).containsExactly(List.of(BOS, 2, 3, 4));
        assertThat(ids(encoder(3).pack(List.of("a b c")))).containsExactly(List.of(BOS, 2, 3), List.of(4, EOS));
    }

    @Test
    void everyTokenWithOneBeforeItIsScored() {
        Batch batch = BatchLoader.inFileOrder(encoder(3).pack(List.of("a b c")), 2, EOS, 3)
                .get(0);

        assertThat(batch.scoredPositions()).isEqualTo(2 + 1);
        assertThat(batch.labels()).containsExactly(-100, 2, 3, -100, -100, EOS);
    }

    @Test
    void theLastRowsAreHeldOutWhereNoTestTextIsGiven() {
        // 40 tokens in 10 rows.
        TaskText text = new TaskText(List.of("a ".repeat(38)), Optional.empty(), 0.25);

        EncodedTask encoded = encode(4, BOTH, text);

        assertThat(encoded.trainRows()).hasSize(7);
        assertThat(ids(encoded.testRows()))
                .containsExactly(List.of(2, 2, 2, 2), List.of(2, 2, 2, 2), List.of(2, 2, 2, EOS));
        assertThat(encoded.trainPrompts()).isEmpty();
        assertThat(encoded.summary().rows()).isEqualTo(10);
        assertThat(encoded.summary().tokens()).isEqualTo(40);
        assertThat(encoded.summary().scoredTokens()).isEqualTo(30);
        assertThat(encoded.summary().warnings(4, 5)).isEmpty();
    }

    @Test
    void aGivenTestTextLeavesTheTextWhole() {
        EncodedTask encoded = encode(4, BOTH, new TaskText(List.of("a a"), Optional.of(List.of("b b")), 0));

        assertThat(ids(encoded.trainRows())).containsExactly(List.of(BOS, 2, 2, EOS));
        assertThat(ids(encoded.testRows())).containsExactly(List.of(BOS, 3, 3, EOS));
    }

    @Test
    void refusesATextThatIsTooShort() {
        assertThatThrownBy(() -> encode(4, BOTH, new TaskText(List.of("a a"), Optional.empty(), 0.1)))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage(
                        "task \"t\": its text fills 1 row of training.max_length 4 tokens, which leaves nothing to hold"
                                + " out; give a test text, or more text");
        assertThatThrownBy(() -> encode(4, BOTH, new TaskText(List.of("a"), Optional.of(List.of()), 0)))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage("task \"t\": its test text has no two tokens, so there is nothing to predict");
        assertThatThrownBy(() -> encode(4, BOTH, new TaskText(List.of(), Optional.empty(), 0)))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage("task \"t\": its text has no two tokens, so there is nothing to predict");
    }

    @Test
    void aFileIsOneDocumentAndJsonLinesOneEach() throws IOException {
        Path plain = write("a.txt", "\uFEFFone\n\ntwo\r\n");
        Path lines = write("b.JSONL", "{\"body\": \"x\", \"id\": 1}\n{\"body\": \" \\n\"}\n{\"body\": \"y\\n\"}\n");

        assertThat(TextReader.documents(plain, "body")).containsExactly("one\n\ntwo\r\n");
        assertThat(TextReader.documents(lines, "body")).containsExactly("x", "y\n");
    }

    @Test
    void refusesAFileWithoutText() throws IOException {
        Path blank = write("blank.txt", " \n");
        Path latin = Files.write(folder.resolve("latin.txt"), "é".getBytes(StandardCharsets.ISO_8859_1));
        Path lines = write("c.jsonl", "{\"text\": \"x\"}\n{\"question\": \"q\"}\n");

        assertRefused(
                blank,
                ": holds no text; expected plain text, or JSON Lines with the field text where the name ends in"
                        + " .jsonl");
        assertRefused(latin, ": is not UTF-8; save the file as UTF-8");
        assertRefused(lines, ":2: field \"text\" is missing; the row has \"question\"");
        assertRefused(folder.resolve("no.txt"), ": no such file, though the configuration names it");
        assertRefused(folder, ": is a folder, expected a file");
    }

    private static void assertRefused(Path file, String message) {
        assertThatThrownBy(() -> TextReader.documents(file, "text"))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage(file + message);
    }

    @Test
    void textAndQuestionsMayStandInOneList() throws IOException {
        Path text = write("a.txt", "a b");
        Path test = write("b.txt", "c");
        Path questions = write("q.jsonl", "{\"question\": \"q\", \"answer\": \"a\"}");
        TaskSource source = TaskSource.PerTask.of(List.of(
                new TaskFiles("text", text, Optional.of(test), true),
                new TaskFiles("held out", text, Optional.empty(), true),
                new TaskFiles("questions", questions, Optional.of(questions))));
        TextConfig half = new TextConfig("text", 0.5);
        PromptTemplate template = PromptTemplate.parse("{question}");

        assertThat(TaskReader.read(source, half, template, BOTH).tasks())
                .extracting(Task::text)
                .containsExactly(
                        Optional.of(new TaskText(List.of("a b"), Optional.of(List.of("c")), 0)),
                        Optional.of(new TaskText(List.of("a b"), Optional.empty(), 0.5)),
                        Optional.empty());
        // Nothing is held out of what is not scored.
        assertThat(TaskReader.read(source, half, template, Set.of(Split.TRAIN)).tasks())
                .extracting(Task::text)
                .startsWith(Optional.of(new TaskText(List.of("a b"), Optional.empty(), 0)));
    }
}
