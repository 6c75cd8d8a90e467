package org.ewc4j.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.ewc4j.config.EvaluationConfig.Split;
import org.ewc4j.config.RunConfig;
import org.ewc4j.config.TaskSource;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.task.Example;
import org.ewc4j.task.Task;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RowEncoderTest {
    private static final Set<Split> BOTH = Set.of(Split.TRAIN, Split.TEST);

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

    private RowEncoder encoder(int maxLength) {
        return new RowEncoder(tokenizer, Tokenizers.EOS, maxLength);
    }

    private static Example example(String prompt, String answer) {
        return new Example("q of " + prompt, prompt, answer);
    }

    @Test
    void aRowIsPromptAnswerAndEndOfSequence() {
        TokenizedRow row = encoder(32).encode("t", example("a b", "c d"));
        assertThat(row.ids()).containsExactly(Tokenizers.BOS, 2, 3, 4, 5, Tokenizers.EOS);
        assertThat(row.promptLength()).isEqualTo(3);
        RowPreview preview = RowPreview.of(row, tokenizer);
        assertThat(preview.tokens())
                .containsExactly(
                        new RowPreview.Token(6, "<bos>", true, false),
                        new RowPreview.Token(2, "a", false, false),
                        new RowPreview.Token(3, "b", false, false),
                        new RowPreview.Token(4, "c", false, true),
                        new RowPreview.Token(5, "d", false, true),
                        new RowPreview.Token(0, "<eos>", true, true));
    }

    @Test
    void tooLongARowIsCutFromTheLeftAndItsAnswerNever() {
        TokenizedRow row = encoder(4).encode("t", example("a b a", "c d"));
        assertThat(row.ids()).containsExactly(2, 4, 5, 0);
        assertThat(row.promptLength()).isEqualTo(1);
        assertThatThrownBy(() -> encoder(3).encode("my\ntask", example("a", "c d")))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage(
                        "task \"my\\ntask\", question \"q of a\": its answer takes 3 tokens with end-of-sequence, which leaves no "
                                + "room for a prompt token in training.max_length 3; shorten the answer or raise max_length to at least 4");
    }

    @Test
    void evaluationPromptsLeaveRoomForWhatIsGenerated() {
        RowEncoder encoder = encoder(32);
        assertThat(encoder.promptLimit(10, 64)).isEqualTo(32);
        assertThat(encoder.promptLimit(10, 40)).isEqualTo(30);
        assertThat(encoder.evaluationPrompt(example("a b c", "d"), 4)).containsExactly(Tokenizers.BOS, 2, 3, 4);
        assertThat(encoder.evaluationPrompt(example("a b c", "d"), 2)).containsExactly(3, 4);
    }

    @Test
    void lengthsBeyondTheModelAreRefused() {
        RowEncoder.requireFits(64, 63, 64);
        assertThatThrownBy(() -> RowEncoder.requireFits(65, 10, 64))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage(
                        "training.max_length: is 65, but the model has positions for 64 tokens; expected at most that");
        assertThatThrownBy(() -> RowEncoder.requireFits(64, 64, 64))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage(
                        "evaluation.max_new_tokens: is 64, which leaves no room for a prompt in the model's 64 positions; "
                                + "expected less than that");
    }

    @Test
    void cutsAreCountedAndTold() {
        Task task = new Task(
                "t", List.of(example("a b a", "c d"), example("a", "b")), List.of(example("a b c d", "c d a")));
        EncodedTask encoded = EncodedTask.of(task, encoder(5), BOTH, 2, 6);
        assertThat(encoded.trainRows()).hasSize(2);
        assertThat(encoded.prompts(Split.TRAIN).get(0)).containsExactly(6, 2, 3, 2);
        assertThat(encoded.prompts(Split.TEST).get(0)).containsExactly(2, 3, 4, 5);
        assertThat(encoded.rows(Split.TEST).get(0).ids()).containsExactly(5, 4, 5, 2, 0);
        assertThat(encoded.summary()).isEqualTo(new EncodingSummary(3, 2, 9, 3, 1, 0, 1, 14, 9));
        assertThat(encoded.summary().warnings(5, 2))
                .containsExactly(
                        "2 of 3 rows were longer than training.max_length 5 and cut from the left; the longest has 9 tokens",
                        "1 of 3 evaluation prompts were cut from the left",
                        "1 of 3 answers have more tokens than evaluation.max_new_tokens 2, so they can never be scored right");
        EncodedTask trainOnly = EncodedTask.of(task, encoder(5), Set.of(Split.TRAIN), 2, 6);
        assertThat(trainOnly.testRows()).isEmpty();
        assertThat(EncodedTask.of(task, encoder(5), Set.of(Split.TEST), 2, 6).trainPrompts())
                .isEmpty();
    }

    @Test
    void emptyAnswersAreTold() {
        Task task = new Task("t", List.of(example("a", ""), example("a", " "), example("a", "b")), List.of());
        EncodingSummary summary = EncodedTask.of(task, encoder(8), BOTH, 2, 8).summary();
        assertThat(summary.warnings(8, 2))
                .containsExactly("2 of 3 answers are empty: a model that generates nothing scores them right");
        assertThat(EncodedTask.of(task, encoder(8), Set.of(Split.TEST), 2, 8)
                        .summary()
                        .warnings(8, 2))
                .isEmpty();
    }

    /** Rows, tokens and a hash of every id, as Python's tokenizers 0.23 gives them by the reference's {@code encode}. */
    @Test
    void conceptRowsHaveTheIdsThatPythonGives() {
        TaskSource source = new TaskSource.SingleFile(
                SharedFiles.require("data/concept1k.jsonl"), "task", "q_train", "q_test", "answer");
        EncodingSummary summary = EncodingSummary.EMPTY;
        int hash = 0;
        try (TextTokenizer gpt2 = TextTokenizer.load(SharedFiles.require("models/pythia-70m-shape"))) {
            RowEncoder encoder = new RowEncoder(gpt2, 50256, 32);
            PromptTemplate template = PromptTemplate.parse(RunConfig.DEFAULT_PROMPT);
            for (Task task : TaskReader.read(source, template, Set.of(Split.TRAIN))) {
                EncodedTask encoded = EncodedTask.of(task, encoder, Set.of(), 10, 2048);
                summary = summary.plus(encoded.summary());
                for (TokenizedRow row : encoded.trainRows()) {
                    for (int id : row.ids()) {
                        hash = 31 * hash + id;
                    }
                }
            }
        }
        assertThat(summary.rows()).isEqualTo(16654);
        assertThat(summary.tokens()).isEqualTo(301372);
        assertThat(summary.scoredTokens()).isEqualTo(51634);
        assertThat(hash).isEqualTo(626706777);
    }
}
