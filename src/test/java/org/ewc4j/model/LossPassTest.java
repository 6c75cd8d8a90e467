package org.ewc4j.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.PointerScope;
import org.ewc4j.Golden;
import org.ewc4j.config.TrainingConfig.Positions;
import org.ewc4j.data.Batch;
import org.ewc4j.kernel.Kernels;
import org.ewc4j.tensor.Arena;
import org.ewc4j.tensor.Torch;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a pass leaves out that is run for the loss alone, padding, last column and unscored positions, the loss does not need. */
class LossPassTest {
    private static final int[][] SCORED = {
        {2, 0, 1}, // of rows of 7, 3 and 5 tokens: how many of the last are scored
        {6, 2, 4}, // all that can be
        {0, 0, 3}, // rows without any
        {0, 0, 0}
    };

    @TempDir
    Path folder;

    @BeforeAll
    static void start() {
        Torch.start(Golden.THREADS);
    }

    @ParameterizedTest
    @CsvSource({
        "gpt2, FIRST_TOKEN", "gpt2, LEFT_EDGE", "gpt_neox, FIRST_TOKEN", "gpt_neox, LEFT_EDGE",
        "llama, FIRST_TOKEN", "mistral, FIRST_TOKEN", "qwen2, FIRST_TOKEN", "qwen3, LEFT_EDGE"
    })
    void theLossIsThatOfAllLogits(String architecture, Positions positions) {
        try (CausalLm model =
                CausalLm.open(TinyCheckpoint.of(architecture, folder).write().directory(), positions, 0)) {
            for (int[] scored : SCORED) {
                Batch batch = batch(new int[] {7, 3, 5}, scored);
                double expected = lossOf(model.logits(batch), batch);
                assertThat(model.loss(batch)).isCloseTo(expected, within(1e-5 * expected + 1e-9));
                assertThat(model.accumulateGradient(batch, 1)).isCloseTo(expected, within(1e-5 * expected + 1e-9));
                model.clearGradients();
            }
        }
    }

    /** The row of one token has nothing to score, and nothing of it is left. */
    @ParameterizedTest
    @ValueSource(strings = {"gpt2", "gpt_neox", "llama", "mistral", "qwen3"})
    void theGradientIsThatOfTheRowsAlone(String architecture) {
        int[] lengths = {7, 3, 5, 1};
        try (CausalLm model = TinyCheckpoint.of(architecture, folder).write().open()) {
            for (int[] some : SCORED) {
                int[] scored = Arrays.copyOf(some, lengths.length);
                double[] together = gradient(model, List.of(batch(lengths, scored)));
                List<Batch> rows = new ArrayList<>();
                for (int row = 0; row < lengths.length; row++) {
                    rows.add(batch(new int[] {lengths[row]}, new int[] {scored[row]}, row));
                }
                double[] alone = gradient(model, rows);
                double most = Arrays.stream(alone).map(Math::abs).max().orElseThrow();
                for (int i = 0; i < alone.length; i++) {
                    assertThat(together[i]).as("element " + i).isCloseTo(alone[i], within(2e-6 * most));
                }
            }
        }
    }

    /** The summed token loss's, element by element. */
    private double[] gradient(CausalLm model, List<Batch> batches) {
        batches.forEach(batch -> model.accumulateGradient(batch, 1));
        try (Arena arena = new Arena(model.layout());
                Kernels kernels = Kernels.host(Golden.THREADS);
                PointerScope scope = new PointerScope()) {
            kernels.convert(arena.list(), model.gradients());
            model.clearGradients();
            return arena.layout().parameters().stream()
                    .flatMapToDouble(parameter -> {
                        float[] floats = new float[(int) parameter.elements()];
                        new FloatPointer(arena.view(parameter).data_ptr_float()).get(floats);
                        return IntStream.range(0, floats.length).mapToDouble(i -> floats[i]);
                    })
                    .toArray();
        }
    }

    private static double lossOf(float[] logits, Batch batch) {
        double loss = 0;
        for (int place = 0; place + 1 < batch.labels().length; place++) {
            long label = batch.labels()[place + 1];
            if (label >= 0) {
                double sum = 0;
                for (int entry = 0; entry < TinyCheckpoint.VOCABULARY; entry++) {
                    sum += Math.exp(logits[place * TinyCheckpoint.VOCABULARY + entry]);
                }
                loss += Math.log(sum) - logits[place * TinyCheckpoint.VOCABULARY + (int) label];
            }
        }
        return loss;
    }

    private static Batch batch(int[] lengths, int[] scored) {
        return batch(lengths, scored, 0);
    }

    /** Rows of these lengths whose last tokens are scored; each has tokens of its own, from {@code first} on. */
    private static Batch batch(int[] lengths, int[] scored, int first) {
        int columns = Arrays.stream(lengths).max().orElseThrow();
        long[] ids = new long[lengths.length * columns];
        long[] labels = new long[ids.length];
        Arrays.fill(labels, -100);
        for (int row = 0; row < lengths.length; row++) {
            Random random = new Random(first + row);
            for (int column = columns - lengths[row]; column < columns; column++) {
                int place = row * columns + column;
                ids[place] = 1 + random.nextInt(TinyCheckpoint.VOCABULARY - 1);
                labels[place] = column >= columns - scored[row] ? ids[place] : -100;
            }
        }
        return new Batch(
                lengths.length,
                columns,
                ids,
                labels,
                lengths,
                new int[lengths.length],
                2,
                Arrays.stream(scored).sum());
    }
}
