package org.ewc4j.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.bytedeco.javacpp.PointerScope;
import org.ewc4j.Golden;
import org.ewc4j.config.ModelSource;
import org.ewc4j.config.PenaltyOptions;
import org.ewc4j.config.TrainingConfig;
import org.ewc4j.config.TrainingConfig.Positions;
import org.ewc4j.data.Batch;
import org.ewc4j.data.StepBatch;
import org.ewc4j.kernel.Kernels;
import org.ewc4j.model.CausalLm;
import org.ewc4j.model.ModelDirectory;
import org.ewc4j.tensor.Arena;
import org.ewc4j.tensor.StoredType;
import org.ewc4j.tensor.Torch;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Small random checkpoints against what transformers made of them: logits, greedy rows, gradients, an AdamW trajectory, and
 * weights that come out as they went in. Their expectations come from {@code src/test/python/transformers_parity.py}; a folder
 * of more checkpoints is given by {@code -Dparity.checkpoints=DIR}, and gets saved models for that script to load.
 */
class TransformersParityTest {
    private static final String MORE = System.getProperty("parity.checkpoints");

    @TempDir
    Path folder;

    @BeforeAll
    static void start() {
        Torch.start(Golden.THREADS);
    }

    static List<Path> checkpoints() throws IOException {
        List<Path> all = new ArrayList<>();
        for (Path root : MORE == null ? List.of(resources()) : List.of(resources(), Path.of(MORE))) {
            try (Stream<Path> found = Files.list(root)) {
                found.filter(path -> Files.isRegularFile(path.resolve("expected.json")))
                        .sorted()
                        .forEach(all::add);
            }
        }
        return all;
    }

    private static Path resources() {
        return Path.of("src/test/resources/org/ewc4j/train/parity");
    }

    private static CausalLm open(Path checkpoint) {
        return CausalLm.open(
                ModelDirectory.open(new ModelSource(checkpoint, ModelSource.Init.PRETRAINED, 0)),
                Positions.FIRST_TOKEN,
                0);
    }

    private static List<Batch> batches(JsonNode expected) {
        List<Batch> batches = new ArrayList<>();
        for (JsonNode batch : expected.get("batches")) {
            long[] ids = longs(batch.get("input_ids"));
            long[] labels = longs(batch.get("labels"));
            int[] lengths = ints(batch.get("lengths"));
            int columns = ids.length / lengths.length;
            int scored = 0;
            for (int i = 0; i < labels.length; i++) {
                scored += i % columns > 0 && labels[i] >= 0 ? 1 : 0;
            }
            batches.add(new Batch(lengths.length, columns, ids, labels, lengths, new int[lengths.length], 0, scored));
        }
        return batches;
    }

    /** Rows of numbers, end to end. */
    private static long[] longs(JsonNode rows) {
        return StreamSupport.stream(rows.spliterator(), false)
                .flatMap(row -> StreamSupport.stream(row.spliterator(), false))
                .mapToLong(JsonNode::asLong)
                .toArray();
    }

    private static int[] ints(JsonNode row) {
        return StreamSupport.stream(row.spliterator(), false)
                .mapToInt(JsonNode::asInt)
                .toArray();
    }

    private static void assertLogits(CausalLm model, Batch batch, float[] expected, double tolerance) {
        float[] logits = model.logits(batch);
        assertThat(logits).hasSameSizeAs(expected);
        int vocabulary = logits.length / batch.inputIds().length;
        double largest = 0;
        double worst = 0;
        for (int i = 0; i < logits.length; i++) {
            int position = i / vocabulary;
            int row = position / batch.columns();
            assertThat(logits[i]).isFinite();
            if (position % batch.columns() >= batch.columns() - batch.lengths()[row]) {
                largest = Math.max(largest, Math.abs(expected[i]));
                worst = Math.max(worst, Math.abs(logits[i] - expected[i]));
            }
        }
        assertThat(worst / largest).as("error of the logits").isLessThanOrEqualTo(tolerance);
    }

    @ParameterizedTest
    @MethodSource("checkpoints")
    void logitsAndGreedyRows(Path checkpoint) {
        JsonNode expected = Golden.json(checkpoint.resolve("expected.json"));
        List<int[]> prompts = new ArrayList<>();
        expected.get("prompts").forEach(prompt -> prompts.add(ints(prompt)));
        try (CausalLm model = open(checkpoint)) {
            assertLogits(
                    model,
                    batches(expected).get(0),
                    Golden.floats(checkpoint.resolve("expected.safetensors"), "logits"),
                    1e-5);
            List<int[]> together = model.generate(prompts, 12);
            for (int row = 0; row < prompts.size(); row++) {
                int[] greedy = ints(expected.get("greedy").get(row));
                assertThat(together.get(row)).as("row %d", row).isEqualTo(greedy);
                assertThat(model.generate(List.of(prompts.get(row)), 12).get(0)).isEqualTo(greedy);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("checkpoints")
    void gradientsOfEveryTensor(Path checkpoint) {
        JsonNode expected = Golden.json(checkpoint.resolve("expected.json"));
        Batch batch = batches(expected).get(0);
        Map<String, Double> norms = new TreeMap<>();
        try (CausalLm model = open(checkpoint);
                Kernels kernels = Kernels.host(Golden.THREADS);
                Arena squares = new Arena(model.layout());
                PointerScope scope = new PointerScope()) {
            model.accumulateGradient(batch, batch.scoredPositions());
            kernels.fisherAccumulate(squares.list(), model.gradients(), 1);
            model.layout()
                    .parameters()
                    .forEach(parameter -> norms.put(
                            parameter.name(),
                            Math.sqrt(squares.view(parameter).sum().item_double())));
        }
        Map<String, Double> reference = new TreeMap<>();
        // transformers 5 calls GPT-NeoX's output embedding lm_head in memory, and embed_out in a file.
        expected.get("gradient_norms")
                .fields()
                .forEachRemaining(norm -> reference.put(
                        norms.containsKey("embed_out.weight")
                                ? norm.getKey().replace("lm_head", "embed_out")
                                : norm.getKey(),
                        norm.getValue().asDouble()));
        assertThat(norms.keySet()).isEqualTo(reference.keySet());
        double total = Math.sqrt(
                reference.values().stream().mapToDouble(norm -> norm * norm).sum());
        norms.forEach((name, norm) -> assertThat(norm)
                .as(name)
                .isCloseTo(reference.get(name), within(1e-4 * reference.get(name) + 1e-7 * total)));
    }

    @ParameterizedTest
    @MethodSource("checkpoints")
    void aTrajectoryOfAdamWithWeightDecay(Path checkpoint) {
        JsonNode expected = Golden.json(checkpoint.resolve("expected.json"));
        List<Batch> batches = batches(expected);
        double rate = expected.get("learning_rate").asDouble();
        TrainingConfig training = TrainingConfig.defaults()
                .withEpsilon(expected.get("epsilon").asDouble())
                .withWeightDecay(expected.get("weight_decay").asDouble());
        Trainer.TaskTraining task =
                new Trainer.TaskTraining(0, "task", List.of(), training, 0, PenaltyOptions.defaults());
        try (CausalLm model = open(checkpoint);
                Kernels kernels = Kernels.host(Golden.THREADS);
                Trainer trainer = new Trainer(model, kernels)) {
            for (int step = 0; step < expected.get("losses").size(); step++) {
                StepBatch batch = new StepBatch(0, List.of(batches.get(step % batches.size())));
                double loss = expected.get("losses").get(step).asDouble();
                assertThat(trainer.steps(task, List.of(batch), rate, null)
                                .get(0)
                                .lmLoss())
                        .as("loss of step %d", step)
                        .isCloseTo(loss, within(1e-5 * loss));
            }
            float[] logits = Golden.floats(checkpoint.resolve("expected.safetensors"), "trained_logits");
            assertLogits(model, batches.get(0), logits, 1e-4);
            if (checkpoint.startsWith(String.valueOf(MORE))) {
                model.save(checkpoint.resolve("trained"), StoredType.F32);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("checkpoints")
    void untouchedWeightsComeOutWithTheirBits(Path checkpoint) throws IOException {
        StoredType type = storedType(checkpoint);
        Path saved = checkpoint.startsWith(String.valueOf(MORE)) ? checkpoint.resolve("saved") : folder;
        try (CausalLm model = open(checkpoint)) {
            model.save(saved, type);
            JsonNode config = Golden.json(saved.resolve("config.json"));
            assertThat(config.get("dtype").asText()).isEqualTo(type.transformersName());
            if (checkpoint.startsWith(resources())) {
                Map<String, ByteBuffer> before = Golden.allBytes(checkpoint.resolve("model.safetensors"));
                assertThat(Golden.allBytes(saved.resolve("model.safetensors"))).isEqualTo(before);
                assertThat(before.keySet())
                        .containsExactlyInAnyOrderElementsOf(model.layout().parameters().stream()
                                .map(parameter -> parameter.name())
                                .toList());
            }
        }
    }

    private static StoredType storedType(Path checkpoint) {
        JsonNode config = Golden.json(checkpoint.resolve("config.json"));
        String name = config.path("dtype").asText(config.path("torch_dtype").asText());
        return Stream.of(StoredType.F32, StoredType.F16, StoredType.BF16)
                .filter(type -> type.transformersName().equals(name))
                .findFirst()
                .orElseThrow();
    }
}
