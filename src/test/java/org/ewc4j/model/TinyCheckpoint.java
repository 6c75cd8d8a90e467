package org.ewc4j.model;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.util.RawValue;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.ewc4j.config.ModelSource;
import org.ewc4j.config.TrainingConfig.Positions;
import org.ewc4j.data.Batch;
import org.ewc4j.tensor.SafetensorsBytes;
import org.ewc4j.tensor.SafetensorsBytes.Stored;

/** A model directory of some hundred parameters, in a test's own folder, to be made wrong in one place. */
final class TinyCheckpoint {
    static final int VOCABULARY = 11;

    private final Path folder;
    private final ObjectNode config;
    final Map<String, Stored> tensors = new LinkedHashMap<>();

    private TinyCheckpoint(Path folder, String config) {
        this.folder = folder;
        try {
            this.config = (ObjectNode) new JsonMapper().readTree(config.replace('\'', '"'));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static TinyCheckpoint llama(Path folder) {
        return llamaFamily(folder, "llama", "LlamaForCausalLM");
    }

    /** With a window of five tokens. */
    static TinyCheckpoint mistral(Path folder) {
        return llamaFamily(folder, "mistral", "MistralForCausalLM").with("sliding_window", "5");
    }

    static TinyCheckpoint qwen2(Path folder) {
        return llamaFamily(folder, "qwen2", "Qwen2ForCausalLM");
    }

    static TinyCheckpoint qwen3(Path folder) {
        return llamaFamily(folder, "qwen3", "Qwen3ForCausalLM").shaped("head_dim", "6");
    }

    private static TinyCheckpoint llamaFamily(Path folder, String modelType, String transformersClass) {
        TinyCheckpoint tiny = new TinyCheckpoint(folder, """
                {'vocab_size': 11, 'hidden_size': 8,
                 'intermediate_size': 12, 'num_hidden_layers': 2, 'num_attention_heads': 2, 'num_key_value_heads': 1,
                 'max_position_embeddings': 200, 'rms_norm_eps': 1e-5, 'eos_token_id': 0, 'tie_word_embeddings': false}
                """);
        return tiny.with("model_type", "'" + modelType + "'")
                .with("architectures", "['" + transformersClass + "']")
                .withTensors();
    }

    static TinyCheckpoint gpt2(Path folder) {
        TinyCheckpoint tiny = new TinyCheckpoint(folder, """
                {'architectures': ['GPT2LMHeadModel'], 'model_type': 'gpt2', 'vocab_size': 11, 'n_embd': 8, 'n_layer': 2,
                 'n_head': 2, 'n_positions': 200, 'eos_token_id': 0, 'resid_pdrop': 0.0, 'embd_pdrop': 0.0, 'attn_pdrop': 0.0}
                """);
        return tiny.withTensors();
    }

    static TinyCheckpoint gptNeoX(Path folder) {
        TinyCheckpoint tiny = new TinyCheckpoint(folder, """
                {'architectures': ['GPTNeoXForCausalLM'], 'model_type': 'gpt_neox', 'vocab_size': 11, 'hidden_size': 8,
                 'intermediate_size': 16, 'num_hidden_layers': 2, 'num_attention_heads': 2, 'max_position_embeddings': 200,
                 'rotary_pct': 0.5, 'rotary_emb_base': 10000, 'eos_token_id': 0}
                """);
        return tiny.withTensors();
    }

    static TinyCheckpoint of(String architecture, Path folder) {
        return switch (architecture) {
            case "gpt2" -> gpt2(folder);
            case "gpt_neox" -> gptNeoX(folder);
            case "mistral" -> mistral(folder);
            case "qwen2" -> qwen2(folder);
            case "qwen3" -> qwen3(folder);
            default -> llama(folder);
        };
    }

    /** Every tensor that the configuration asks for, random. */
    private TinyCheckpoint withTensors() {
        writeConfig();
        tensors.clear();
        architecture()
                .parameters()
                .forEach((name, parameter) ->
                        tensors.put(name, SafetensorsBytes.floats(name.hashCode(), parameter.shape())));
        return this;
    }

    Architecture architecture() {
        return Architecture.read(ConfigJson.read(folder.resolve("config.json")));
    }

    /** Sets a key of config.json to JSON in which ' stands for the double quote. */
    TinyCheckpoint with(String key, String json) {
        config.putPOJO(key, new RawValue(json.replace('\'', '"')));
        return this;
    }

    /** As {@link #with}, and the tensors follow. */
    TinyCheckpoint shaped(String key, String json) {
        return with(key, json).withTensors();
    }

    TinyCheckpoint without(String key) {
        config.remove(key);
        return this;
    }

    /** Renames a tensor. */
    TinyCheckpoint rename(String from, String to) {
        tensors.put(to, tensors.remove(from));
        return this;
    }

    TinyCheckpoint put(String name, Stored tensor) {
        tensors.put(name, tensor);
        return this;
    }

    Path file(String name) {
        return folder.resolve(name);
    }

    TinyCheckpoint text(String name, String content) {
        try {
            Files.writeString(folder.resolve(name), content.replace('\'', '"'));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return this;
    }

    TinyCheckpoint writeConfig() {
        try {
            return text("config.json", new JsonMapper().writeValueAsString(config));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    TinyCheckpoint write() {
        writeConfig();
        SafetensorsBytes.write(folder.resolve("model.safetensors"), tensors);
        return this;
    }

    ModelDirectory directory() {
        return ModelDirectory.open(new ModelSource(folder, ModelSource.Init.PRETRAINED, 0));
    }

    CausalLm open() {
        return CausalLm.open(directory(), Positions.FIRST_TOKEN, 0);
    }

    /** From config.json alone. */
    CausalLm openRandom(long seed) {
        return CausalLm.open(
                ModelDirectory.open(new ModelSource(folder, ModelSource.Init.RANDOM, seed)),
                Positions.FIRST_TOKEN,
                seed);
    }

    /** Two rows, the second padded on the left; the second half of each is scored. */
    static Batch batch() {
        long[] ids = {3, 1, 4, 1, 5, 9, 0, 0, 2, 6, 5, 3};
        long[] labels = {-100, -100, -100, 1, 5, 9, -100, -100, -100, -100, 5, 3};
        return new Batch(2, 6, ids, labels, new int[] {6, 4}, new int[] {0, 1}, 0, 5);
    }
}
