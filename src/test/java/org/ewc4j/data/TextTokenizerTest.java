package org.ewc4j.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.ewc4j.config.RunConfig;
import org.ewc4j.error.InvalidInputException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TextTokenizerTest {
    @TempDir
    Path folder;

    @ParameterizedTest
    @ValueSource(strings = {"gpt2", "gpt_neox", "llama"})
    void promptIdsAreThoseOfTheGoldenFiles(String architecture) throws IOException {
        Path golden = SharedFiles.require("golden/" + architecture);
        ObjectMapper json = new ObjectMapper();
        int[] expected = json.convertValue(
                json.readTree(golden.resolve("greedy.json").toFile()).get("prompt_ids"), int[].class);
        String first;
        try (Stream<String> lines = Files.lines(SharedFiles.require("golden/tasks.jsonl"))) {
            first = json.readTree(lines.findFirst().orElseThrow())
                    .get("q_train")
                    .asText();
        }
        try (TextTokenizer tokenizer = TextTokenizer.load(golden.resolve("model"))) {
            String prompt = PromptTemplate.parse(RunConfig.DEFAULT_PROMPT).render(first);
            assertThat(tokenizer.encodePrompt(prompt)).isEqualTo(expected);
            assertThat(tokenizer.vocabularySize()).isEqualTo(897);
            assertThat(tokenizer.decode(expected)).isEqualTo(prompt);
        }
    }

    @Test
    void sentencePieceKeepsItsBosAndItsSpaces() {
        try (TextTokenizer tokenizer = TextTokenizer.load(SharedFiles.require("models/stories260K"))) {
            int[] ids = tokenizer.encodePrompt("Once upon a time");
            assertThat(ids).startsWith(1, 403, 407);
            assertThat(tokenizer.decode(ids)).isEqualTo("Once upon a time");
            assertThat(tokenizer.isSpecial(1)).isTrue();
            assertThat(tokenizer.isSpecial(403)).isFalse();
            assertThat(tokenizer.vocabularySize()).isEqualTo(512);
        }
    }

    @Test
    void itsOwnTruncationAndPaddingAreOff() throws IOException {
        try (TextTokenizer tokenizer = Tokenizers.wordLevel(folder)) {
            assertThat(tokenizer.encodePrompt("a b c d x")).containsExactly(Tokenizers.BOS, 2, 3, 4, 5, 1);
            assertThat(tokenizer.encode("a")).containsExactly(2);
            assertThat(tokenizer.encode("a ".repeat(3000))).hasSize(3000);
            assertThat(tokenizer.encode("")).isEmpty();
        }
    }

    @Test
    void leadingSpecialTokensStayAndTrailingOnesGo() throws IOException {
        try (TextTokenizer tokenizer = Tokenizers.wordLevel(folder)) {
            assertThat(tokenizer.encodePrompt("a b")).containsExactly(Tokenizers.BOS, 2, 3);
            assertThat(tokenizer.encodePrompt("a <eos>"))
                    .as("an eos in the text is text")
                    .containsExactly(Tokenizers.BOS, 2, 0);
            assertThat(tokenizer.decode(Tokenizers.BOS, 2, 3, 0)).isEqualTo("a b");
            assertThat(tokenizer.decodeToken(Tokenizers.BOS)).isEqualTo("<bos>");
        }
    }

    @Test
    void addedTokensCountInTheVocabulary() throws IOException {
        try (TextTokenizer tokenizer = Tokenizers.wordLevel(folder)) {
            assertThat(tokenizer.vocabularySize()).isEqualTo(7);
            tokenizer.requireFits(7);
            assertThatThrownBy(() -> tokenizer.requireFits(6))
                    .isInstanceOf(InvalidInputException.class)
                    .hasMessage(
                            folder.resolve("tokenizer.json")
                                    + ": its highest token id is 6, but the model has embeddings "
                                    + "for ids 0 to 5 only (vocab_size in config.json); put the tokenizer there that the model was trained with");
        }
    }

    @Test
    void unigramIdsAreTheIndicesOfItsList() throws IOException {
        Files.writeString(folder.resolve("tokenizer.json"), """
                {"version": "1.0", "added_tokens": [], "normalizer": null, "pre_tokenizer": null, "post_processor": null, "decoder": null,
                 "model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], ["a", -1.2345678901234567], ["b", -2]], "byte_fallback": false}}
                """);
        try (TextTokenizer tokenizer = TextTokenizer.load(folder)) {
            assertThat(tokenizer.vocabularySize()).isEqualTo(3);
            assertThat(tokenizer.encode("ab")).containsExactly(1, 2);
        }
    }

    @Test
    void manyThreadsMayUseOne() throws IOException {
        try (TextTokenizer tokenizer = Tokenizers.wordLevel(folder)) {
            assertThat(IntStream.range(0, 2000).parallel().mapToObj(i -> tokenizer.encode("d c " + "a ".repeat(i % 7))))
                    .allSatisfy(ids -> assertThat(ids).startsWith(5, 4));
        }
    }

    @Test
    void closedItRefusesToWork() throws IOException {
        TextTokenizer tokenizer = Tokenizers.wordLevel(folder);
        tokenizer.close();
        tokenizer.close();
        assertThatThrownBy(() -> tokenizer.encode("a"))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("the tokenizer of " + folder.resolve("tokenizer.json") + " is closed");
    }

    @Test
    void refusesWhatIsMissing() throws IOException {
        Path file = folder.resolve("tokenizer.json");
        assertRefused(file + ": missing; a model directory needs its tokenizer.json");
        Files.writeString(folder.resolve("tokenizer.model"), "x");
        assertRefused(file
                + ": missing; convert the tokenizer beside it by: python3 -c \"from transformers import AutoTokenizer; "
                + "AutoTokenizer.from_pretrained('" + folder + "', use_fast=True).save_pretrained('" + folder + "')\"");
        assertThatThrownBy(() -> TextTokenizer.load(folder.resolve("none")))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage(folder.resolve("none") + ": no such folder; expected a Hugging Face model directory");
    }

    @Test
    void refusesWhatIsBroken() throws IOException {
        Path file = folder.resolve("tokenizer.json");
        Files.writeString(file, "{\n\"model\": {\"vocab\": {\"a\": 1");
        assertRefused(
                file
                        + ":2: is broken: malformed JSON: Unexpected end-of-input: expected close marker for Object, at column 27");
        Files.writeString(file, "{\"model\": {}}");
        assertRefused(file + ": is broken: it has no model.vocab with token ids");
        Files.writeString(file, "{\"model\": {\"type\": \"Oracle\", \"vocab\": {\"a\": 0}}}");
        assertThatThrownBy(() -> TextTokenizer.load(folder))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageStartingWith(file + ": is broken, the tokenizers library says: ")
                .message()
                .doesNotContain("\n");
    }

    /** In {@code decoder} each of these is a panic of the library, which ends the process. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"\\ud800\" | a text holds half of a surrogate pair",
                "\"\\udc00\\ud800\" | a text holds half of a surrogate pair",
                "{\"\\ud83d\": 1} | Broken surrogate pair in field name",
                "1e999 | a number is beyond 64 bits",
                "99999999999999999999 | a number is beyond 64 bits",
                "[[DEEP]] | nested deeper than 100",
            })
    void refusesWhatTheLibraryWouldNotSurvive(String value, String message) throws IOException {
        String json = value.replace("DEEP", "[".repeat(110) + "]".repeat(110));
        Files.writeString(folder.resolve("tokenizer.json"), """
                {"decoder": {"type": "ByteLevel", "x": %s},
                 "model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}}""".formatted(json));
        assertThatThrownBy(() -> TextTokenizer.load(folder))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageStartingWith(folder.resolve("tokenizer.json") + ":1: is broken: malformed JSON: " + message);
    }

    private void assertRefused(String message) {
        assertThatThrownBy(() -> TextTokenizer.load(folder))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage(message);
    }
}
