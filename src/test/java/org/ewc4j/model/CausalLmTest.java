package org.ewc4j.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.ewc4j.Golden;
import org.ewc4j.config.ModelSource;
import org.ewc4j.config.TrainingConfig.Positions;
import org.ewc4j.data.Batch;
import org.ewc4j.tensor.StoredType;
import org.ewc4j.tensor.Torch;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Starting, saving, dropping out and generating, on models made in the test. */
class CausalLmTest {
    @TempDir
    Path folder;

    @TempDir
    Path target;

    @BeforeAll
    static void start() {
        Torch.start(Golden.THREADS);
    }

    private Map<String, float[]> weights(CausalLm model) {
        model.save(target, StoredType.F32);
        return Golden.allFloats(target.resolve("model.safetensors"));
    }

    @ParameterizedTest
    @CsvSource({
        "gpt2, transformer.ln_f.weight, transformer.h.0.mlp.c_fc.bias",
        "gpt_neox, gpt_neox.final_layer_norm.weight, gpt_neox.layers.0.attention.dense.bias",
        "qwen2, model.norm.weight, model.layers.1.self_attn.k_proj.bias"
    })
    void aRandomStartIsThatOfItsSeed(String architecture, String norm, String bias) {
        TinyCheckpoint tiny = TinyCheckpoint.of(architecture, folder).writeConfig();
        Map<String, float[]> first;
        try (CausalLm model = tiny.openRandom(5)) {
            first = weights(model);
        }
        try (CausalLm again = tiny.openRandom(5);
                CausalLm other = tiny.openRandom(6)) {
            assertThat(weights(again)).usingRecursiveComparison().isEqualTo(first);
            assertThat(weights(other).get(tiny.architecture().inputEmbedding()))
                    .isNotEqualTo(first.get(tiny.architecture().inputEmbedding()));
        }
        assertThat(first.get(norm)).containsOnly(1);
        assertThat(first.get(bias)).containsOnly(0);
    }

    @Test
    void theNormsOfHeadsStartAtOne() {
        try (CausalLm model = TinyCheckpoint.qwen3(folder).writeConfig().openRandom(5)) {
            Map<String, float[]> weights = weights(model);
            for (String norm : List.of("q_norm", "k_norm")) {
                assertThat(weights.get("model.layers.1.self_attn." + norm + ".weight"))
                        .hasSize(6)
                        .containsOnly(1);
            }
        }
    }

    @Test
    void aRandomStartHasTheDeviationAskedFor() {
        TinyCheckpoint tiny = TinyCheckpoint.gpt2(folder)
                .with("n_embd", "64")
                .with("initializer_range", "0.1")
                .writeConfig();
        try (CausalLm model = tiny.openRandom(0)) {
            Map<String, float[]> weights = weights(model);
            assertThat(deviation(weights.get("transformer.h.0.mlp.c_fc.weight")))
                    .isCloseTo(0.1, within(0.003));
            // Smaller by the square root of the four projections into the residual stream.
            assertThat(deviation(weights.get("transformer.h.1.mlp.c_proj.weight")))
                    .isCloseTo(0.05, within(0.0015));
        }
    }

    private static double deviation(float[] values) {
        double sum = 0;
        for (float value : values) {
            sum += (double) value * value;
        }
        return Math.sqrt(sum / values.length);
    }

    @Test
    void theRowOfThePaddingTokenStartsAtZeroInLlamaAlone() {
        try (CausalLm llama = TinyCheckpoint.llama(folder)
                .with("pad_token_id", "3")
                .writeConfig()
                .openRandom(1)) {
            float[] embedding = weights(llama).get("model.embed_tokens.weight");
            assertThat(Arrays.copyOfRange(embedding, 24, 32)).containsOnly(0);
            assertThat(Arrays.copyOfRange(embedding, 16, 24)).doesNotContain(0);
        }
        try (CausalLm gpt2 = TinyCheckpoint.gpt2(folder)
                .with("pad_token_id", "3")
                .writeConfig()
                .openRandom(1)) {
            assertThat(Arrays.copyOfRange(weights(gpt2).get("transformer.wte.weight"), 24, 32))
                    .doesNotContain(0);
        }
    }

    @ParameterizedTest
    @CsvSource({
        "gpt2, attn_pdrop",
        "gpt2, resid_pdrop",
        "gpt2, embd_pdrop",
        "gpt_neox, attention_dropout",
        "gpt_neox, hidden_dropout",
        "llama, attention_dropout",
        "mistral, attention_dropout"
    })
    void dropoutIsOnInTrainingAloneAndFollowsItsSeed(String architecture, String key) {
        TinyCheckpoint tiny =
                TinyCheckpoint.of(architecture, folder).with(key, "0.5").write();
        double[] first = losses(tiny, 1);
        assertThat(losses(tiny, 1)).isEqualTo(first);
        assertThat(losses(tiny, 2)[1]).isNotEqualTo(first[1]);
        assertThat(first[0]).as("evaluation before").isEqualTo(first[3]);
        assertThat(first[1]).as("training").isFinite().isNotEqualTo(first[0]).isNotEqualTo(first[2]);
    }

    /** Dropout computes attention by another way, and with next to nothing dropped it has to see as far. */
    @ParameterizedTest
    @ValueSource(strings = {"llama", "mistral"})
    void dropoutChangesNotWhatAttentionSees(String architecture) {
        TinyCheckpoint tiny = TinyCheckpoint.of(architecture, folder)
                .with("attention_dropout", "1e-9")
                .write();
        double[] losses = losses(tiny, 1);
        assertThat(losses[1]).isCloseTo(losses[0], within(1e-5 * losses[0]));
    }

    @Test
    void aTokenBehindTheWindowIsNotSeen() {
        long[] ids = {3, 1, 4, 1, 5, 9};
        TinyCheckpoint tiny =
                TinyCheckpoint.mistral(folder).shaped("num_hidden_layers", "1").write();
        try (CausalLm model = tiny.open()) {
            float[] before = last(model, ids);
            ids[0] = 7;
            assertThat(last(model, ids)).as("five tokens are seen").isEqualTo(before);
            ids[1] = 7;
            assertThat(last(model, ids)).isNotEqualTo(before);
        }
    }

    /** The logits behind the last token. */
    private static float[] last(CausalLm model, long[] ids) {
        long[] unscored = new long[ids.length];
        Arrays.fill(unscored, -100);
        float[] logits =
                model.logits(new Batch(1, ids.length, ids, unscored, new int[] {ids.length}, new int[1], 0, 0));
        return Arrays.copyOfRange(logits, logits.length - TinyCheckpoint.VOCABULARY, logits.length);
    }

    /** Evaluation, twice training, evaluation. */
    private static double[] losses(TinyCheckpoint tiny, long seed) {
        double[] losses = new double[4];
        try (CausalLm model = CausalLm.open(tiny.directory(), Positions.FIRST_TOKEN, seed)) {
            for (int i = 0; i < losses.length; i++) {
                model.training(i == 1 || i == 2);
                losses[i] = model.accumulateGradient(TinyCheckpoint.batch(), 5);
                model.gradients();
                model.clearGradients();
            }
        }
        return losses;
    }

    @ParameterizedTest
    @CsvSource({"gpt2, F32, float32, 0", "gpt_neox, F16, float16, 2e-3", "llama, BF16, bfloat16, 3e-2"})
    void aSavedModelIsTheSame(String architecture, StoredType type, String dtype, double tolerance) throws IOException {
        TinyCheckpoint tiny = TinyCheckpoint.of(architecture, folder)
                .without("architectures")
                .with("torch_dtype", "'float64'")
                .with("unknown_key", "{'kept': 1}")
                .write()
                .text("generation_config.json", "{'eos_token_id': [0, 5]}");
        String modelType = tiny.architecture().modelType();
        tiny.without("model_type")
                .with("architectures", "['" + tiny.architecture().transformersClass() + "']")
                .writeConfig();
        float[] expected;
        try (CausalLm model = tiny.open()) {
            expected = model.logits(TinyCheckpoint.batch());
            model.save(target, type);
        }
        JsonNode config = Golden.json(target.resolve("config.json"));
        assertThat(config.get("dtype").asText()).isEqualTo(dtype);
        assertThat(config.get("torch_dtype").asText()).isEqualTo(dtype);
        assertThat(config.get("model_type").asText()).isEqualTo(modelType);
        assertThat(config.get("unknown_key").get("kept").asInt()).isEqualTo(1);
        assertThat(Files.readString(target.resolve("generation_config.json"))).isEqualTo("{\"eos_token_id\": [0, 5]}");
        try (CausalLm back = CausalLm.open(
                ModelDirectory.open(new ModelSource(target, ModelSource.Init.PRETRAINED, 0)),
                Positions.FIRST_TOKEN,
                0)) {
            assertThat(back.logits(TinyCheckpoint.batch())).containsExactly(expected, within((float) tolerance));
            assertThat(back.specialTokens().stop()).containsExactly(0, 5);
        }
    }

    /** Long enough that the cache grows twice. */
    @ParameterizedTest
    @ValueSource(strings = {"gpt2", "gpt_neox", "llama", "mistral", "qwen2", "qwen3"})
    void cachedGenerationIsThatOfWholePasses(String architecture) {
        TinyCheckpoint tiny = TinyCheckpoint.of(architecture, folder).write();
        List<int[]> prompts = List.of(new int[] {3, 1, 4, 1, 5}, new int[] {9}, new int[] {2, 6, 5});
        try (CausalLm model = tiny.open()) {
            List<int[]> batched = model.generate(prompts, 150);
            for (int row = 0; row < prompts.size(); row++) {
                assertThat(batched.get(row)).isEqualTo(oneByOne(model, prompts.get(row), 150));
            }
        }
    }

    private static int[] oneByOne(CausalLm model, int[] prompt, int maxNewTokens) {
        List<Integer> ids = new ArrayList<>(Arrays.stream(prompt).boxed().toList());
        while (ids.size() < prompt.length + maxNewTokens
                && (ids.size() == prompt.length || ids.get(ids.size() - 1) != 0)) {
            long[] input = ids.stream().mapToLong(Integer::longValue).toArray();
            float[] logits = last(model, input);
            int best = 0;
            for (int token = 1; token < TinyCheckpoint.VOCABULARY; token++) {
                best = logits[token] > logits[best] ? token : best;
            }
            ids.add(best);
        }
        return ids.subList(prompt.length, ids.size()).stream()
                .mapToInt(Integer::intValue)
                .toArray();
    }

    @Test
    void generationEndsAtAnyEndOfSequence() {
        TinyCheckpoint tiny = TinyCheckpoint.llama(folder).write();
        int[] whole;
        try (CausalLm model = tiny.open()) {
            whole = model.generate(List.of(new int[] {3, 1}), 20).get(0);
        }
        int stop = whole[2];
        int end = 1 + Arrays.stream(whole).boxed().toList().indexOf(stop);
        try (CausalLm model =
                tiny.with("eos_token_id", "[0, " + stop + "]").write().open()) {
            assertThat(model.generate(List.of(new int[] {3, 1}), 20).get(0)).isEqualTo(Arrays.copyOf(whole, end));
            assertThat(model.specialTokens().endOfSequence()).isZero();
        }
    }
}
