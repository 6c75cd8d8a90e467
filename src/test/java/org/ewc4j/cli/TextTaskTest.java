package org.ewc4j.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.ewc4j.cli.CommandLineFixture.run;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.ewc4j.Golden;
import org.ewc4j.TinyRun;
import org.ewc4j.cli.CommandLineFixture.Result;
import org.ewc4j.config.ModelSource;
import org.ewc4j.config.TrainingConfig.Positions;
import org.ewc4j.data.Batch;
import org.ewc4j.model.CausalLm;
import org.ewc4j.model.ModelDirectory;
import org.ewc4j.tensor.Torch;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Tasks of plain text, alone and beside questions, through the commands. */
class TextTaskTest {
    private static final JsonMapper JSON = new JsonMapper();
    private static final int LENGTH = 16;
    private static final String TEXT = "The quick brown fox jumps over the lazy dog. ".repeat(6);

    @TempDir
    Path folder;

    private Path configuration;
    private Path out;

    @BeforeEach
    void write() throws IOException {
        folder = folder.toRealPath();
        TinyRun.model(folder.resolve("model"), "gpt2");
        TinyRun.write(folder.resolve("fox.txt"), TEXT);
        TinyRun.write(
                folder.resolve("lines.jsonl"),
                "{\"text\": \"one two three\"}\n{\"text\": \"four five\"}\n{\"text\": \"six seven eight nine ten\"}\n");
        TinyRun.write(
                folder.resolve("q.jsonl"),
                "{\"question\": \"a\", \"answer\": \"B\"}\n{\"question\": \"c\", \"answer\": \"D\"}\n");
        configuration = TinyRun.write(folder.resolve("run.yaml"), """
                model: {path: model, init: random, seed: 1}
                tasks:
                - {name: fox, text: fox.txt}
                - {name: letters, train: q.jsonl, test: q.jsonl}
                - {name: numbers, text: lines.jsonl, test_text: fox.txt}
                prompt: "{question}:"
                training: {epochs: 2, batch_size: 4, learning_rate: 1.0e-2, max_length: %d, threads: %d}
                ewc: {lambda: 10}
                evaluation: {max_new_tokens: 4}
                output: out
                """.formatted(LENGTH, Golden.THREADS));
        out = folder.resolve("out");
    }

    private static Result ok(Object... arguments) {
        Result result = run(arguments);
        assertThat(result.code()).as(result.err()).isZero();
        return result;
    }

    @Test
    void textIsScoredByPerplexityAndQuestionsByExactMatch() throws IOException {
        Result result = ok("train", configuration);

        assertThat(result.out())
                .contains("Exact match in %, test questions", "Perplexity, test text", "when learned", "Run in");
        assertThat(result.err()).contains("3 fox done  train perplexity");
        JsonNode results = JSON.readTree(out.resolve("results.json").toFile());
        for (String split : List.of("train", "test")) {
            for (int after = 0; after < 3; after++) {
                for (int task = 0; task < 3; task++) {
                    JsonNode loss = results.at("/loss/" + split).get(after).get(task);
                    JsonNode perplexity =
                            results.at("/perplexity/" + split).get(after).get(task);
                    JsonNode accuracy =
                            results.at("/matrix/" + split).get(after).get(task);
                    assertThat(loss.isNull()).isEqualTo(task > after);
                    assertThat(accuracy.isNull()).isEqualTo(task != 1 || task > after);
                    assertThat(perplexity.isNull()).isEqualTo(task == 1 || task > after);
                    if (!perplexity.isNull()) {
                        assertThat(perplexity.asDouble()).isEqualTo(Math.exp(loss.asDouble()));
                    }
                }
            }
        }
        assertThat(results.at("/metrics/test/average").isNumber()).isTrue();
        assertThat(results.at("/loss_metrics/test/forgetting").isNumber()).isTrue();
        assertThat(Files.readString(out.resolve("report.html")))
                .contains("Perplexity of plain text", "mean token loss at the end, test", "Accuracy on test questions");
        assertThat(Files.readAllLines(out.resolve("predictions.jsonl")))
                .as("text has no predictions")
                .hasSize(2 * 2 * 2);
    }

    /** The held-out rows of the fox, read again by hand: bytes are ids less one, and the model's logits are summed here. */
    @Test
    void theLossIsTheMeanOverEveryPredictedToken() throws IOException {
        ok("train", configuration);
        double reported = JSON.readTree(out.resolve("results.json").toFile())
                .at("/loss/test/2/0")
                .asDouble();

        int[] ids = IntStream.concat(TEXT.chars().map(character -> character + 1), IntStream.of(0))
                .toArray();
        int rows = (ids.length + LENGTH - 1) / LENGTH;
        int heldOut = (int) Math.round(0.1 * rows);
        Torch.start(Golden.THREADS);
        double sum = 0;
        int scored = 0;
        try (CausalLm model = CausalLm.open(
                ModelDirectory.open(ModelSource.pretrained(out.resolve("model"))), Positions.FIRST_TOKEN, 0)) {
            for (int row = rows - heldOut; row < rows; row++) {
                int[] part = java.util.Arrays.copyOfRange(ids, row * LENGTH, Math.min(ids.length, (row + 1) * LENGTH));
                float[] logits = model.logits(unpadded(part));
                for (int i = 0; i + 1 < part.length; i++) {
                    sum -= logProbability(logits, i * TinyRun.VOCABULARY, part[i + 1]);
                    scored++;
                }
            }
        }
        assertThat(reported).isCloseTo(sum / scored, within(1e-5));
    }

    private static Batch unpadded(int[] ids) {
        long[] inputs = IntStream.of(ids).asLongStream().toArray();
        return new Batch(1, ids.length, inputs, inputs, new int[] {ids.length}, new int[1], 0, ids.length - 1);
    }

    private static double logProbability(float[] logits, int from, int target) {
        double sum = 0;
        for (int id = 0; id < TinyRun.VOCABULARY; id++) {
            sum += Math.exp(logits[from + id]);
        }
        return logits[from + target] - Math.log(sum);
    }

    @Test
    void validateCountsRowsOfPackedText() {
        assertThat(ok("validate", configuration).out())
                .contains(
                        "fox: 15 training and 2 test rows of packed text, 8 steps",
                        "letters: 2 training and 2 test questions, 2 steps");
    }

    @Test
    void evaluateAndFisherEstimateTakePlainText() throws IOException {
        ok("train", configuration);
        Path model = out.resolve("model");
        List<String> settings = new ArrayList<>(
                List.of("--set", "training.max_length=" + LENGTH, "--set", "training.threads=" + Golden.THREADS));

        List<Object> evaluate = new ArrayList<>(List.of("evaluate", model, folder.resolve("fox.txt")));
        evaluate.addAll(settings);
        // Numbers' test text is the fox as a whole.
        double loss = JSON.readTree(out.resolve("results.json").toFile())
                .at("/loss/test/2/2")
                .asDouble();
        assertThat(ok(evaluate.toArray()).out())
                .contains("fox.txt", "perplexity", String.format("%.4f", loss), String.format("%.2f", Math.exp(loss)));

        List<Object> estimate = new ArrayList<>(List.of(
                "fisher", "estimate", model, folder.resolve("lines.jsonl"), "--text", "-o", folder.resolve("f")));
        estimate.addAll(settings);
        ok(estimate.toArray());
        JsonNode held =
                JSON.readTree(folder.resolve("f/consolidation.json").toFile()).at("/fishers/0");
        assertThat(held.get("task").asText()).isEqualTo("lines.jsonl");
        // 13 + 9 + 24 letters and three ends of sequence: three rows of 16 with 15 scored tokens each, and one token
        // over.
        assertThat(held.get("examples").asInt()).isEqualTo(3);
        assertThat(held.get("scored_tokens").asInt()).isEqualTo(45);

        Result questions =
                run("fisher", "estimate", model, folder.resolve("q.jsonl"), "--text", "-o", folder.resolve("g"));
        assertThat(questions.code()).isEqualTo(2);
        assertThat(questions.err()).contains("q.jsonl:1: field \"text\" is missing");
    }
}
