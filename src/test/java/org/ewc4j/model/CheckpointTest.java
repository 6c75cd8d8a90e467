package org.ewc4j.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import org.ewc4j.Golden;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.tensor.SafetensorsBytes;
import org.ewc4j.tensor.SafetensorsBytes.Stored;
import org.ewc4j.tensor.StoredType;
import org.ewc4j.tensor.Torch;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Which stored weights are taken, and what is said of those that are not. */
class CheckpointTest {
    private static final String LLAMA_UP = "model.layers.1.mlp.up_proj.weight";

    @TempDir
    Path folder;

    @BeforeAll
    static void start() {
        Torch.start(Golden.THREADS);
    }

    private static void assertRefused(TinyCheckpoint tiny, String... parts) {
        long kept = Torch.keptObjects();
        assertThatThrownBy(() -> tiny.open().close())
                .isInstanceOf(InvalidInputException.class)
                .message()
                .contains(parts)
                .doesNotContain("\n");
        assertThat(Torch.keptObjects()).as("what was opened is closed").isEqualTo(kept);
    }

    private static float[] logits(TinyCheckpoint tiny) {
        try (CausalLm model = tiny.open()) {
            return model.logits(TinyCheckpoint.batch());
        }
    }

    @Test
    void aMissingTensor() {
        TinyCheckpoint tiny = TinyCheckpoint.llama(folder);
        tiny.tensors.remove(LLAMA_UP);
        assertRefused(tiny.write(), "have no tensor '" + LLAMA_UP + "', which LlamaForCausalLM");
        tiny.tensors.remove("model.norm.weight");
        assertRefused(tiny.write(), "'" + LLAMA_UP + "' (and 1 more)");
    }

    @Test
    void aSurplusTensor() {
        assertRefused(
                TinyCheckpoint.gpt2(folder)
                        .put("score.weight", SafetensorsBytes.floats(0, 2, 8))
                        .write(),
                "have a tensor 'score.weight' that GPT2LMHeadModel with this config.json does not use");
    }

    @Test
    void aWrongShape() {
        assertRefused(
                TinyCheckpoint.llama(folder)
                        .put(LLAMA_UP, SafetensorsBytes.floats(0, 8, 12))
                        .write(),
                "model.safetensors: tensor '" + LLAMA_UP + "' has shape [8, 12], config.json makes it [12, 8]");
    }

    @ParameterizedTest
    @CsvSource({"I64, 8", "F8_E4M3, 1", "F64, 8"})
    void aWeightOfAWrongType(String dtype, int bytes) {
        assertRefused(
                TinyCheckpoint.llama(folder)
                        .put(LLAMA_UP, SafetensorsBytes.zeros(dtype, bytes, 12, 8))
                        .write(),
                "tensor '" + LLAMA_UP + "' has dtype " + dtype + "; weights are read as F32, F16 or BF16");
    }

    @Test
    void sizesThatNoMemoryHoldsAreToldByTheShapesThatDiffer() {
        TinyCheckpoint tiny =
                TinyCheckpoint.llama(folder).with("vocab_size", "2000000000").write();
        assertRefused(
                tiny, "tensor 'model.embed_tokens.weight' has shape [11, 8], config.json makes it [2000000000, 8]");
    }

    @Test
    void pickledWeightsOrNone() throws IOException {
        TinyCheckpoint tiny = TinyCheckpoint.llama(folder);
        assertRefused(tiny, "model.safetensors: missing, and no model.safetensors.index.json either", "init: random");
        tiny.text("pytorch_model-00001-of-00002.bin", "");
        assertRefused(
                tiny,
                "has pytorch_model-00001-of-00002.bin but no model.safetensors; convert it once with: python3 -c",
                "save_pretrained");
    }

    @ParameterizedTest
    @ValueSource(strings = {"gpt2", "gpt_neox", "llama"})
    void namesWithoutTheBasePrefix(String architecture) {
        TinyCheckpoint tiny = TinyCheckpoint.of(architecture, folder);
        float[] expected = logits(tiny.write());
        String prefix = tiny.architecture().basePrefix();
        Map<String, Stored> bare = new LinkedHashMap<>();
        tiny.tensors.forEach(
                (name, tensor) -> bare.put(name.startsWith(prefix) ? name.substring(prefix.length()) : name, tensor));
        tiny.tensors.clear();
        tiny.tensors.putAll(bare);
        assertThat(tiny.tensors.keySet()).noneMatch(name -> name.startsWith(prefix));
        assertThat(logits(tiny.write())).isEqualTo(expected);
    }

    @Test
    void aTensorByTwoNames() {
        TinyCheckpoint tiny = TinyCheckpoint.llama(folder)
                .put("norm.weight", SafetensorsBytes.floats(0, 8))
                .write();
        assertRefused(tiny, "tensor 'norm.weight' is there twice, as 'model.norm.weight' too");
    }

    @Test
    void buffersOfOldCheckpoints() {
        TinyCheckpoint gpt2 = TinyCheckpoint.gpt2(folder)
                .put("transformer.h.0.attn.bias", SafetensorsBytes.zeros("U8", 1, 1, 1, 200, 200))
                .put("transformer.h.1.attn.masked_bias", SafetensorsBytes.zeros("F32", 4));
        gpt2.write().open().close();
        TinyCheckpoint neox = TinyCheckpoint.gptNeoX(folder)
                .put("gpt_neox.layers.0.attention.bias", SafetensorsBytes.zeros("BOOL", 1, 1, 1, 200, 200))
                .put("gpt_neox.layers.0.attention.masked_bias", SafetensorsBytes.zeros("F32", 4))
                .put("gpt_neox.layers.0.attention.rotary_emb.inv_freq", SafetensorsBytes.floats(0, 1));
        neox.write().open().close();
        TinyCheckpoint.llama(folder)
                .put("model.layers.0.self_attn.rotary_emb.inv_freq", SafetensorsBytes.floats(0, 2))
                .write()
                .open()
                .close();
    }

    @ParameterizedTest
    @CsvSource({
        "gpt2, transformer.wte.weight, lm_head.weight",
        "gpt_neox, gpt_neox.embed_in.weight, embed_out.weight",
        "gpt_neox, gpt_neox.embed_in.weight, lm_head.weight",
        "llama, model.embed_tokens.weight, lm_head.weight"
    })
    void aTiedTensorByEitherNameOrBoth(String architecture, String input, String output) {
        TinyCheckpoint tiny = TinyCheckpoint.of(architecture, folder)
                .shaped("tie_word_embeddings", "true")
                .write();
        float[] expected = logits(tiny);
        Stored embedding = tiny.tensors.get(input);
        assertThat(logits(tiny.put(output, embedding).write())).isEqualTo(expected);
        tiny.tensors.remove(input);
        assertThat(logits(tiny.write())).isEqualTo(expected);
        tiny.put(input, SafetensorsBytes.floats(99, TinyCheckpoint.VOCABULARY, 8));
        assertRefused(
                tiny.write(), "tensor '" + output + "' differs from " + input, "set tie_word_embeddings to false");
    }

    @Test
    void weightsInBfloat16AreTheirValues() {
        TinyCheckpoint tiny = TinyCheckpoint.llama(folder);
        Stored full = tiny.tensors.get(LLAMA_UP);
        Stored half = SafetensorsBytes.truncatedToBf16(full);
        byte[] widened = full.bytes().clone();
        for (int i = 0; i < widened.length; i += 4) {
            widened[i] = 0;
            widened[i + 1] = 0;
        }
        float[] expected = logits(
                tiny.put(LLAMA_UP, new Stored("F32", full.shape(), widened)).write());
        assertThat(logits(tiny.put(LLAMA_UP, half).write())).isEqualTo(expected);
    }

    @Test
    void shardsAreWrittenAndReadBack() throws IOException {
        TinyCheckpoint tiny = TinyCheckpoint.gpt2(folder).write();
        float[] expected = logits(tiny);
        Locale before = Locale.getDefault();
        Locale.setDefault(Locale.forLanguageTag("ar-EG")); // has digits of its own
        try (CausalLm model = tiny.open()) {
            Files.delete(tiny.file("model.safetensors"));
            CheckpointWriter.writeWeights(model.theta(), folder, StoredType.F32, 2000);
        } finally {
            Locale.setDefault(before);
        }
        JsonNode index = Golden.json(tiny.file("model.safetensors.index.json"));
        assertThat(index.get("weight_map").size()).isEqualTo(tiny.tensors.size());
        assertThat(index.get("metadata").get("total_size").asLong())
                .isEqualTo(tiny.tensors.values().stream()
                        .mapToLong(tensor -> tensor.bytes().length)
                        .sum());
        assertThat(index.get("weight_map").get("transformer.wte.weight").asText())
                .matches("model-00001-of-0000[3-9].safetensors");
        assertThat(tiny.file("model.safetensors")).doesNotExist();
        assertThat(logits(tiny)).isEqualTo(expected);
    }

    /** An index over two shards of a LLaMA, of which the second has only the last norm. */
    private TinyCheckpoint sharded(String secondShard) {
        TinyCheckpoint tiny = TinyCheckpoint.llama(folder).writeConfig();
        SafetensorsBytes.write(
                tiny.file("b.safetensors"), Map.of("model.norm.weight", tiny.tensors.remove("model.norm.weight")));
        SafetensorsBytes.write(tiny.file("a.safetensors"), tiny.tensors);
        StringBuilder map = new StringBuilder("{'weight_map': {'model.norm.weight': '" + secondShard + "'");
        tiny.tensors.keySet().forEach(name -> map.append(", '").append(name).append("': 'a.safetensors'"));
        return tiny.text("model.safetensors.index.json", map + "}}");
    }

    @ParameterizedTest
    @CsvSource({
        "c.safetensors, shard 'c.safetensors' is missing",
        "../b.safetensors, shard '../b.safetensors' lies outside the model directory",
        "/etc/hostname, shard '/etc/hostname' lies outside the model directory",
        "sub/b.safetensors, shard 'sub/b.safetensors' lies outside the model directory",
        ".., shard '..' lies outside the model directory",
        "a.safetensors, tensor 'model.norm.weight' is not in the shard a.safetensors"
    })
    void shardsThatAreNotThere(String shard, String message) {
        assertRefused(sharded(shard), "model.safetensors.index.json: " + message);
    }

    @Test
    void anIndexThatIsBroken() {
        sharded("b.safetensors").open().close();
        TinyCheckpoint tiny = sharded("b.safetensors");
        assertRefused(tiny.text("model.safetensors.index.json", "{}"), "index.json: key 'weight_map' is missing");
        assertRefused(
                tiny.text("model.safetensors.index.json", "{'weight_map': []}"),
                "key 'weight_map' is [], expected an object");
        assertRefused(
                tiny.text("model.safetensors.index.json", "{'weight_map': {'a': 1}}"),
                "key 'weight_map.a' is 1, expected the name of a shard");
        assertRefused(tiny.text("model.safetensors.index.json", "{'weight_map'"), "index.json:1: not valid JSON");
        SafetensorsBytes.write(tiny.file("b.safetensors"), Map.of("lm_head.weight", SafetensorsBytes.floats(0, 11, 8)));
        assertRefused(
                sharded("b.safetensors").text("a.safetensors", ""), "a.safetensors: not a safetensors file: 0 bytes");
    }

    @Test
    void aTensorInTwoShards() {
        TinyCheckpoint tiny = sharded("b.safetensors");
        Map<String, Stored> both = new LinkedHashMap<>();
        both.put("model.norm.weight", SafetensorsBytes.floats(0, 8));
        both.put(LLAMA_UP, SafetensorsBytes.floats(0, 12, 8));
        SafetensorsBytes.write(tiny.file("b.safetensors"), both);
        assertRefused(tiny, "b.safetensors: tensor '" + LLAMA_UP + "' is in a.safetensors too");
    }
}
