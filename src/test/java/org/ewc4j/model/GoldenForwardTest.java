package org.ewc4j.model;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.ewc4j.Golden;
import org.ewc4j.config.ModelSource;
import org.ewc4j.config.TrainingConfig.Positions;
import org.ewc4j.data.Batch;
import org.ewc4j.data.TextTokenizer;
import org.ewc4j.tensor.Torch;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Logits, loss and greedy continuation against transformers, for the three architectures. */
class GoldenForwardTest {
    @BeforeAll
    static void start() {
        Torch.start(Golden.THREADS);
    }

    private static CausalLm open(String architecture) {
        Path directory = Golden.shared("golden/" + architecture + "/model");
        return CausalLm.open(
                ModelDirectory.open(new ModelSource(directory, ModelSource.Init.PRETRAINED, 0)),
                Positions.FIRST_TOKEN,
                0);
    }

    @ParameterizedTest
    @ValueSource(strings = {"gpt_neox", "gpt2", "llama"})
    void logitsAndLossAreThoseOfTransformers(String architecture) {
        Path file = Golden.shared("golden/" + architecture + "/forward.safetensors");
        Batch batch = Golden.forwardBatch(file, 4, 32);
        float[] expected = Golden.floats(file, "logits");
        long[] mask = Golden.longs(file, "attention_mask");
        try (CausalLm model = open(architecture)) {
            float[] logits = model.logits(batch);
            assertThat(logits).hasSameSizeAs(expected);
            int vocabulary = logits.length / mask.length;
            double worst = 0;
            for (int i = 0; i < logits.length; i++) {
                assertThat(logits[i]).isFinite();
                if (mask[i / vocabulary] == 1) {
                    worst = Math.max(worst, Math.abs(logits[i] - expected[i]));
                }
            }
            assertThat(worst).isLessThanOrEqualTo(1e-5);
            double loss = model.loss(batch) / batch.scoredPositions();
            assertThat(loss).isCloseTo(Golden.floats(file, "loss")[0], org.assertj.core.data.Offset.offset(1e-5));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"gpt_neox", "gpt2", "llama"})
    void greedyContinuationIsThatOfTransformers(String architecture) {
        JsonNode greedy = Golden.json(Golden.shared("golden/" + architecture + "/greedy.json"));
        int[] prompt = ids(greedy.get("prompt_ids"));
        int[] whole = ids(greedy.get("generated_ids"));
        int[] expected = java.util.Arrays.copyOfRange(whole, prompt.length, whole.length);
        try (CausalLm model = open(architecture)) {
            assertThat(model.generate(List.of(prompt), 10).get(0)).isEqualTo(expected);
            // The same beside a longer and a shorter row, which pad it.
            List<int[]> rows = new ArrayList<>();
            int[] longer = new int[prompt.length + 7];
            java.util.Arrays.fill(longer, 7);
            rows.add(longer);
            rows.add(prompt);
            rows.add(new int[] {prompt[0]});
            assertThat(model.generate(rows, 10).get(1)).isEqualTo(expected);
        }
    }

    @Test
    void aTrainedModelTellsItsStory() {
        Path directory = Golden.shared("models/stories260K");
        try (CausalLm model = CausalLm.open(
                        ModelDirectory.open(new ModelSource(directory, ModelSource.Init.PRETRAINED, 0)),
                        Positions.FIRST_TOKEN,
                        0);
                TextTokenizer tokenizer = TextTokenizer.load(directory)) {
            int[] prompt = tokenizer.encodePrompt("Once upon a time");
            String story = tokenizer.decode(model.generate(List.of(prompt), 60).get(0));
            assertThat(story)
                    .startsWith(", there was a little girl named Lily. She loved to play outside in the park.");
        }
    }

    private static int[] ids(JsonNode node) {
        int[] ids = new int[node.size()];
        for (int i = 0; i < ids.length; i++) {
            ids[i] = node.get(i).asInt();
        }
        return ids;
    }
}
