package org.ewc4j.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.PointerScope;
import org.ewc4j.Golden;
import org.ewc4j.config.TrainingConfig.Positions;
import org.ewc4j.data.Batch;
import org.ewc4j.data.BatchLoader;
import org.ewc4j.data.TokenizedRow;
import org.ewc4j.kernel.Kernels;
import org.ewc4j.tensor.Arena;
import org.ewc4j.tensor.ParameterLayout.Parameter;
import org.ewc4j.tensor.SafetensorsBytes;
import org.ewc4j.tensor.Torch;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Squared gradients of single examples, against the loop that takes one example at a time through autograd. */
class ExampleGradientsTest {
    private static final int PADDING = 3;
    private static final int MAX_LENGTH = 20;
    private static Kernels kernels;

    @TempDir
    Path folder;

    @BeforeAll
    static void start() {
        Torch.start(Golden.THREADS);
        kernels = Kernels.host(Golden.THREADS);
    }

    @AfterAll
    static void stop() {
        kernels.close();
    }

    /** Each architecture in each of the ways in which it computes or shares its parameters otherwise. */
    static Stream<Arguments> models() {
        return Stream.of(
                model("GPT-NeoX, parallel residual", TinyCheckpoint::gptNeoX),
                model(
                        "GPT-NeoX, sequential residual",
                        folder -> TinyCheckpoint.gptNeoX(folder).with("use_parallel_residual", "false")),
                model("GPT-NeoX, tied", folder -> TinyCheckpoint.gptNeoX(folder).shaped("tie_word_embeddings", "true")),
                model("GPT-2, tied", TinyCheckpoint::gpt2),
                model("GPT-2, untied", folder -> TinyCheckpoint.gpt2(folder).shaped("tie_word_embeddings", "false")),
                model("LLaMA, grouped keys and values", TinyCheckpoint::llama),
                model(
                        "LLaMA, with biases",
                        folder -> TinyCheckpoint.llama(folder)
                                .with("mlp_bias", "true")
                                .shaped("attention_bias", "true")),
                model(
                        "LLaMA, padding_idx",
                        folder -> TinyCheckpoint.llama(folder).with("pad_token_id", "" + PADDING)),
                model(
                        "LLaMA, tied, padding_idx",
                        folder -> TinyCheckpoint.llama(folder)
                                .with("pad_token_id", "" + PADDING)
                                .shaped("tie_word_embeddings", "true")),
                model(
                        "Mistral, a window of 4",
                        folder -> TinyCheckpoint.mistral(folder).with("sliding_window", "4")),
                model("Qwen2, biases of query, key and value", TinyCheckpoint::qwen2),
                model("Qwen3, a norm for each head", TinyCheckpoint::qwen3));
    }

    private interface Making {
        TinyCheckpoint in(Path folder);
    }

    private static Arguments model(String name, Making making) {
        return Arguments.of(name, making);
    }

    /** Rows of 4 to {@link #MAX_LENGTH} tokens in which ids repeat, the padding id among them; 1 to 8 are scored. */
    private static List<TokenizedRow> rows(int count) {
        Random random = new Random(7);
        List<TokenizedRow> rows = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            int length = 4 + random.nextInt(MAX_LENGTH - 3);
            int[] ids = random.ints(length, 0, TinyCheckpoint.VOCABULARY).toArray();
            rows.add(new TokenizedRow(ids, Math.max(1, length - 1 - random.nextInt(8))));
        }
        return rows;
    }

    private static List<Batch> batches(List<TokenizedRow> rows, int size) {
        return BatchLoader.inFileOrder(rows, size, PADDING, MAX_LENGTH);
    }

    private static Map<String, double[]> values(Arena arena) {
        Map<String, double[]> values = new LinkedHashMap<>();
        try (PointerScope scope = new PointerScope()) {
            for (Parameter parameter : arena.layout().parameters()) {
                float[] floats = new float[(int) parameter.elements()];
                new FloatPointer(arena.view(parameter).data_ptr_float()).get(floats);
                double[] doubles = new double[floats.length];
                for (int i = 0; i < floats.length; i++) {
                    doubles[i] = floats[i];
                }
                values.put(parameter.name(), doubles);
            }
        }
        return values;
    }

    /** Σ_n g_n² through autograd, g_n the gradient of the summed token loss of example n alone. */
    private static Map<String, double[]> oneByOne(CausalLm model, List<TokenizedRow> rows) {
        try (Arena sum = new Arena(model.layout())) {
            for (Batch batch : batches(rows, 1)) {
                model.accumulateGradient(batch, 1);
                kernels.fisherAccumulate(sum.list(), model.gradients(), 1);
                model.clearGradients();
            }
            return values(sum);
        }
    }

    private static Map<String, double[]> atOnce(CausalLm model, List<Batch> batches, Labels labels) {
        try (ExampleGradients gradients = model.exampleGradients(kernels);
                Arena sum = new Arena(model.layout())) {
            for (Batch batch : batches) {
                assertThat(gradients.addSquares(batch, labels, sum, 1).finite()).isTrue();
            }
            return values(sum);
        }
    }

    private static double norm(double[] values) {
        double sum = 0;
        for (double value : values) {
            sum += value * value;
        }
        return Math.sqrt(sum);
    }

    /** ‖a − b‖ ÷ ‖b‖ for each tensor; where b is zero but for rounding, ÷ the mean norm of all tensors. */
    private static void assertSame(Map<String, double[]> actual, Map<String, double[]> expected, double tolerance) {
        double mean = expected.values().stream()
                .mapToDouble(ExampleGradientsTest::norm)
                .average()
                .orElseThrow();
        assertThat(actual.keySet()).isEqualTo(expected.keySet());
        expected.forEach((name, values) -> {
            double[] difference = actual.get(name).clone();
            for (int i = 0; i < values.length; i++) {
                difference[i] -= values[i];
            }
            double size = norm(values);
            assertThat(norm(difference) / (size < 1e-9 * mean ? mean : size))
                    .as(name)
                    .isLessThan(tolerance);
            assertThat(Arrays.stream(actual.get(name)).min().orElseThrow())
                    .as(name)
                    .isNotNegative();
        });
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("models")
    void theyAreThoseOfOneExampleAtATime(String name, Making making) {
        List<TokenizedRow> rows = rows(18);
        List<TokenizedRow> shuffled = new ArrayList<>(rows);
        Collections.shuffle(shuffled, new Random(1));
        for (Positions positions : Positions.values()) {
            try (CausalLm model = CausalLm.open(making.in(folder).write().directory(), positions, 0)) {
                Map<String, double[]> expected = oneByOne(model, rows);
                for (int size : new int[] {1, 4, 16}) {
                    assertSame(atOnce(model, batches(rows, size), new Labels.OfData()), expected, 1e-5);
                    assertSame(atOnce(model, batches(shuffled, size), new Labels.OfData()), expected, 1e-5);
                }
            }
        }
    }

    /** What the rows must have for the mistakes that are easily made to show. */
    @Test
    void theRowsCanTellTheMistakes() {
        List<TokenizedRow> rows = rows(18);

        assertThat(rows).anyMatch(row -> row.ids().length - row.promptLength() > 1);
        assertThat(rows).anyMatch(row -> Arrays.stream(row.ids()).distinct().count() < row.ids().length);
        assertThat(rows).anyMatch(row -> Arrays.stream(row.ids()).anyMatch(id -> id == PADDING));
        assertThat(rows.stream().map(row -> row.ids().length).distinct()).hasSizeGreaterThan(5);
    }

    @Test
    void theLossOfAnExampleIsSummedOverItsPositions() {
        List<TokenizedRow> row = List.of(new TokenizedRow(new int[] {1, 2, 3, 4, 5, 6}, 1));
        try (CausalLm model = TinyCheckpoint.gptNeoX(folder).write().open();
                Arena ofMean = new Arena(model.layout())) {
            Map<String, double[]> ofSum = atOnce(model, batches(row, 1), new Labels.OfData());
            model.accumulateGradient(batches(row, 1).get(0), 5);
            kernels.fisherAccumulate(ofMean.list(), model.gradients(), 25);
            assertSame(ofSum, values(ofMean), 1e-5);
        }
    }

    /** What autograd's own loop does not do: the rows of an embedding that no token names, on neither side, stay 0. */
    @Test
    void aRowThatTheInputNeverNamesHasNoFisherOnTheInputSide() {
        List<TokenizedRow> row = List.of(new TokenizedRow(new int[] {1, 2, 2, 1}, 2));
        try (CausalLm model = TinyCheckpoint.gpt2(folder)
                .shaped("tie_word_embeddings", "false")
                .write()
                .open()) {
            Map<String, double[]> squares = atOnce(model, batches(row, 1), new Labels.OfData());
            double[] tokens = squares.get("transformer.wte.weight");
            double[] positions = squares.get("transformer.wpe.weight");
            for (int id = 0; id < TinyCheckpoint.VOCABULARY; id++) {
                double norm = norm(Arrays.copyOfRange(tokens, 8 * id, 8 * id + 8));
                assertThat(norm > 0).as("token %d", id).isEqualTo(id == 1 || id == 2);
            }
            for (int position = 0; position < 10; position++) {
                double norm = norm(Arrays.copyOfRange(positions, 8 * position, 8 * position + 8));
                // The last token predicts nothing that is scored.
                assertThat(norm > 0).as("position %d", position).isEqualTo(position < 3);
            }
        }
    }

    /** E over labels ~ softmax, position by position: the cross terms of an example's positions have mean 0. */
    private static Map<String, double[]> expected(CausalLm model, List<TokenizedRow> rows) {
        try (Arena sum = new Arena(model.layout())) {
            for (Batch batch : batches(rows, 1)) {
                float[] logits = model.logits(batch);
                for (int column = 1; column < batch.columns(); column++) {
                    if (batch.labels()[column] < 0) {
                        continue;
                    }
                    double[] probabilities = softmax(logits, (column - 1) * TinyCheckpoint.VOCABULARY);
                    for (int label = 0; label < probabilities.length; label++) {
                        model.accumulateGradient(scoredOnly(batch, column, label), 1);
                        kernels.fisherAccumulate(sum.list(), model.gradients(), probabilities[label]);
                        model.clearGradients();
                    }
                }
            }
            return values(sum);
        }
    }

    private static Batch scoredOnly(Batch batch, int column, int label) {
        long[] labels = new long[batch.labels().length];
        Arrays.fill(labels, -100);
        labels[column] = label;
        return new Batch(
                1,
                batch.columns(),
                batch.inputIds(),
                labels,
                batch.lengths(),
                batch.examples(),
                batch.leftEdgeOffset(),
                1);
    }

    private static double[] softmax(float[] logits, int from) {
        double[] probabilities = new double[TinyCheckpoint.VOCABULARY];
        double sum = 0;
        for (int i = 0; i < probabilities.length; i++) {
            probabilities[i] = Math.exp(logits[from + i]);
            sum += probabilities[i];
        }
        for (int i = 0; i < probabilities.length; i++) {
            probabilities[i] /= sum;
        }
        return probabilities;
    }

    @ParameterizedTest
    @ValueSource(strings = {"gpt2", "llama"})
    void sampledLabelsGiveTheFisherInformation(String architecture) {
        List<TokenizedRow> rows = List.of(
                new TokenizedRow(new int[] {5, 1, 5, 2, 7}, 3),
                new TokenizedRow(new int[] {4, 9, 3}, 2),
                new TokenizedRow(new int[] {6, 6, 8, 10}, 3));
        try (CausalLm model = TinyCheckpoint.of(architecture, folder).write().open()) {
            Map<String, double[]> expected = expected(model, rows);
            assertSame(atOnce(model, batches(rows, 3), new Labels.Sampled(11, 0, 600)), expected, 0.15);
            // Which a model that has learned nothing tells from the empirical Fisher of the same rows.
            assertThatThrownBy(() -> assertSame(atOnce(model, batches(rows, 3), new Labels.OfData()), expected, 0.25))
                    .isInstanceOf(AssertionError.class);
        }
    }

    /** diag F of a softmax layer's weight is p(1 − p)x² row by row: McCullagh and Nelder 1989, section 5.3. */
    @Test
    void theOutputLayerIsTheClosedFormOfASoftmaxModel() {
        List<TokenizedRow> rows = List.of(new TokenizedRow(new int[] {5, 1, 5}, 2));
        Batch batch = batches(rows, 1).get(0);
        try (CausalLm model = TinyCheckpoint.llama(folder).write().open();
                Arena one = new Arena(model.layout())) {
            double[] probabilities = softmax(model.logits(batch), TinyCheckpoint.VOCABULARY);
            model.accumulateGradient(scoredOnly(batch, 2, 0), 1);
            kernels.fisherAccumulate(one.list(), model.gradients(), 1);
            model.clearGradients();
            double[] ofLabel0 = values(one).get("lm_head.weight");
            double[] sampled = atOnce(model, List.of(batch), new Labels.Sampled(3, 0, 1500))
                    .get("lm_head.weight");
            for (int label = 0; label < probabilities.length; label++) {
                double p = probabilities[label];
                for (int i = 0; i < 8; i++) {
                    double squaredInput = ofLabel0[i] / Math.pow(1 - probabilities[0], 2);
                    double closed = p * (1 - p) * squaredInput;
                    // (p − y)² with y ~ Bernoulli(p) has the variance p(1 − p)(1 − 2p)².
                    double deviation = squaredInput * Math.abs(1 - 2 * p) * Math.sqrt(p * (1 - p) / 1500);
                    assertThat(sampled[8 * label + i]).isCloseTo(closed, within(5 * deviation + 1e-6 * closed));
                }
            }
        }
    }

    @Test
    void drawsAreThoseOfSeedTaskExampleAndDrawAlone() {
        List<TokenizedRow> rows = rows(9);
        try (CausalLm model = TinyCheckpoint.gptNeoX(folder).write().open()) {
            Map<String, double[]> first = atOnce(model, batches(rows, 4), new Labels.Sampled(1, 0, 2));
            assertSame(atOnce(model, batches(rows, 1), new Labels.Sampled(1, 0, 2)), first, 1e-5);
            assertSame(atOnce(model, batches(rows, 9), new Labels.Sampled(1, 0, 2)), first, 1e-5);
            for (Labels other : List.of(new Labels.Sampled(2, 0, 2), new Labels.Sampled(1, 1, 2))) {
                double[] drawn = atOnce(model, batches(rows, 4), other).get("embed_out.weight");
                assertThat(drawn).isNotEqualTo(first.get("embed_out.weight"));
            }
        }
    }

    @Test
    void theSameInputGivesTheSameBits() {
        try (CausalLm model = TinyCheckpoint.gpt2(folder).write().open()) {
            Map<String, double[]> first = atOnce(model, batches(rows(18), 16), new Labels.OfData());
            assertThat(atOnce(model, batches(rows(18), 16), new Labels.OfData()))
                    .usingRecursiveComparison()
                    .isEqualTo(first);
        }
    }

    /** θ as it is at each call, and without a gradient of any parameter. */
    @Test
    void theParametersAreReadAnewAndHaveNoGradient() {
        try (CausalLm model = TinyCheckpoint.llama(folder).write().open();
                ExampleGradients gradients = model.exampleGradients(kernels);
                Arena before = new Arena(model.layout());
                Arena after = new Arena(model.layout())) {
            Batch batch = batches(rows(4), 4).get(0);
            gradients.addSquares(batch, new Labels.OfData(), before, 1);
            model.layout().parameters().forEach(each -> model.theta().add(each, 0.1));
            gradients.addSquares(batch, new Labels.OfData(), after, 1);
            assertThat(values(after).get("lm_head.weight"))
                    .isNotEqualTo(values(before).get("lm_head.weight"));
            assertThat(kernels.norm(model.gradients())).isZero();
        }
    }

    @Test
    void aBatchWithoutAScoredPositionAddsNothing() {
        long[] labels = {-100, -100, -100};
        Batch batch = new Batch(1, 3, new long[] {1, 2, 3}, labels, new int[] {3}, new int[1], 0, 0);
        try (CausalLm model = TinyCheckpoint.gpt2(folder).write().open();
                ExampleGradients gradients = model.exampleGradients(kernels);
                Arena sum = new Arena(model.layout())) {
            ExampleGradients.Findings found = gradients.addSquares(batch, new Labels.OfData(), sum, 1);
            assertThat(found.loss()).isZero();
            assertThat(kernels.norm(sum.list())).isZero();
        }
    }

    @Test
    void aLossThatIsNotFiniteAddsNothing() {
        try (CausalLm model = TinyCheckpoint.llama(folder).write().open();
                ExampleGradients gradients = model.exampleGradients(kernels);
                Arena sum = new Arena(model.layout())) {
            model.layout().parameters().forEach(each -> model.theta().add(each, Double.NaN));
            ExampleGradients.Findings found =
                    gradients.addSquares(batches(rows(4), 4).get(0), new Labels.OfData(), sum, 1);
            assertThat(found.finite()).isFalse();
            assertThat(found.loss()).isNaN();
            assertThat(kernels.norm(sum.list())).isZero();
        }
    }

    /** Logits that are finite for inputs scaled to 1e-12, from weights whose differences are beyond fp32. */
    @Test
    void aGradientThatIsNotFiniteIsFound() {
        TinyCheckpoint tiny = TinyCheckpoint.llama(folder);
        tiny.put("model.norm.weight", SafetensorsBytes.filled(1e-12f, 8));
        float[] head = new float[8 * TinyCheckpoint.VOCABULARY];
        for (int i = 0; i < head.length; i++) {
            head[i] = (i / 8 % 2 == 0 ? 3e38f : -3e38f);
        }
        tiny.put("lm_head.weight", SafetensorsBytes.floats(head, TinyCheckpoint.VOCABULARY, 8));
        try (CausalLm model = tiny.write().open();
                ExampleGradients gradients = model.exampleGradients(kernels);
                Arena sum = new Arena(model.layout())) {
            ExampleGradients.Findings found =
                    gradients.addSquares(batches(rows(4), 4).get(0), new Labels.OfData(), sum, 1);
            assertThat(found.loss()).isFinite();
            assertThat(found.finite()).isFalse();
        }
    }
}
