package org.ewc4j.model;

import static org.assertj.core.api.Assertions.assertThat;

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
import org.ewc4j.tensor.Torch;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

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
                                .shaped("tie_word_embeddings", "true")));
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
}
