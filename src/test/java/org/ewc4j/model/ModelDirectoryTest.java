package org.ewc4j.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.List;
import org.ewc4j.Golden;
import org.ewc4j.config.ModelSource;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.tensor.Torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What config.json may say, in both of its spellings, and what is refused by name. */
class ModelDirectoryTest {
    @TempDir
    Path folder;

    private void assertRefused(TinyCheckpoint tiny, String... parts) {
        assertThatThrownBy(() -> ModelDirectory.open(new ModelSource(folder, ModelSource.Init.RANDOM, 0)))
                .isInstanceOf(InvalidInputException.class)
                .message()
                .startsWith(folder.toString())
                .contains(parts)
                .doesNotContain("\n");
    }

    @ParameterizedTest(name = "{0}: {1} = {2}")
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "llama | model_type | 'mamba' | key 'model_type' is \"mamba\", expected one of the supported architectures gpt_neox, gpt2, llama, mistral, qwen2, qwen3",
                "llama | model_type | 3 | key 'model_type' is 3, expected a text",
                "llama | architectures | ['MistralForCausalLM'] | key 'architectures' is [\"MistralForCausalLM\"], expected the causal language model of model_type 'llama'",
                "gpt2 | architectures | ['GPT2ForSequenceClassification'] | key 'architectures'",
                "gpt2 | model_type | 'llama' | expected the causal language model of model_type 'llama'",
                "llama | quantization_config | {'quant_method': 'gptq'} | key 'quantization_config' is {\"quant_method\":\"gptq\"}, expected none",
                "llama | hidden_act | 'laplace' | key 'hidden_act' is \"laplace\", expected one of the supported activations",
                "gpt2 | activation_function | 'tanhexp' | key 'activation_function'",
                "gpt_neox | hidden_act | 'gelu_10' | key 'hidden_act'",
                "llama | rope_scaling | {'rope_type': 'yarn', 'factor': 2.0} | key 'rope_scaling.rope_type' is \"yarn\", expected one of the supported rope types default, linear, llama3",
                "llama | rope_scaling | {'type': 'dynamic', 'factor': 2.0} | key 'rope_scaling.type' is \"dynamic\"",
                "gpt_neox | rope_parameters | {'rope_type': 'longrope'} | key 'rope_parameters.rope_type' is \"longrope\"",
                "llama | rope_scaling | {'rope_type': 'linear'} | the rope parameters have no 'factor'",
                "llama | rope_scaling | {'rope_type': 'llama3', 'factor': 8.0} | the rope parameters have no 'low_freq_factor'",
                "llama | rope_scaling | {'rope_type': 'linear', 'factor': -1} | key 'rope_scaling.factor' is -1, expected a number above 0",
                "llama | rope_scaling | {'rope_type': 'linear', 'factor': 2, 'partial_rotary_factor': 0.5} | key 'rope_scaling.partial_rotary_factor' is 0.5, expected 1",
                "llama | rope_scaling | 'linear' | key 'rope_scaling' is \"linear\", expected an object",
                "qwen3 | rope_scaling | {'rope_type': 'yarn', 'factor': 4.0} | key 'rope_scaling.rope_type' is \"yarn\", expected one of the supported rope types",
                "qwen3 | rope_parameters | {'full_attention': {'rope_theta': 7}} | key 'rope_parameters.full_attention' is {\"rope_theta\":7}, expected no parameters by layer type",
                "qwen2 | layer_types | ['full_attention', 'sliding_attention'] | key 'layer_types' is [\"full_attention\",\"sliding_attention\"], expected 'full_attention' for every layer, as windows in some of the layers are not supported",
                "qwen3 | layer_types | ['chunked_attention'] | key 'layer_types' is [\"chunked_attention\"], expected 'full_attention' for every layer",
                "qwen3 | layer_types | 'full_attention' | key 'layer_types' is \"full_attention\", expected a list of texts",
                "mistral | layer_types | ['sliding_attention', 'full_attention'] | expected 'sliding_attention' for every layer, as sliding_window holds for every layer",
                "mistral | sliding_window | 0 | key 'sliding_window' is 0, expected a whole number from 1",
                "qwen2 | architectures | ['Qwen3ForCausalLM'] | key 'architectures' is [\"Qwen3ForCausalLM\"], expected the causal language model of model_type 'qwen2'",
                "llama | rope_theta | 0 | key 'rope_theta' is 0, expected a number above 0",
                "gpt_neox | rotary_pct | 1e300 | of a head's 4 entries to be rotated",
                "gpt_neox | rotary_pct | 0.1 | of a head's 4 entries to be rotated",
                "llama | head_dim | 7 | of a head's 7 entries to be rotated",
                "llama | hidden_size | 9 | key 'hidden_size' is 9, expected a multiple of the 2 attention heads",
                "llama | num_key_value_heads | 3 | key 'num_key_value_heads' is 3, expected a divisor of the 2 attention heads",
                "llama | hidden_size | -8 | key 'hidden_size' is -8, expected a whole number from 1",
                "llama | hidden_size | 1.5 | key 'hidden_size' is 1.5, expected a whole number from 1",
                "llama | hidden_size | '8' | key 'hidden_size' is \"8\", expected a whole number from 1",
                "llama | hidden_size | 4294967304 | key 'hidden_size' is 4294967304, expected a whole number from 1",
                "llama | hidden_size | null | key 'hidden_size' is missing, expected a whole number from 1",
                "llama | num_hidden_layers | 2147483647 | key 'num_hidden_layers' is 2147483647, expected at most 10000 layers",
                "gpt2 | add_cross_attention | true | cross attention is not supported",
                "gpt2 | tie_word_embeddings | 'yes' | key 'tie_word_embeddings' is \"yes\", expected true or false",
                "gpt2 | resid_pdrop | 1.5 | key 'resid_pdrop' is 1.5, expected a probability from 0 to below 1",
                "gpt2 | layer_norm_epsilon | -1 | key 'layer_norm_epsilon' is -1, expected a number above 0",
                "gpt2 | initializer_range | -0.02 | key 'initializer_range' is -0.02, expected a number from 0",
                "gpt2 | eos_token_id | 11 | key 'eos_token_id' is 11, expected token ids below the vocabulary of 11",
                "gpt2 | eos_token_id | null | key 'eos_token_id' is missing; it ends every answer",
                "gpt2 | eos_token_id | ['a'] | key 'eos_token_id' is [\"a\"], expected a token id or a list of token ids",
                "llama | pad_token_id | 11 | key 'pad_token_id' is 11, expected a token id below the vocabulary of 11"
            })
    void oneKeyThatDoesNotFit(String architecture, String key, String value, String message) {
        assertRefused(TinyCheckpoint.of(architecture, folder).with(key, value).writeConfig(), "config.json: ", message);
    }

    @Test
    void sizesBeyondArithmeticOrMemory() {
        TinyCheckpoint tiny = TinyCheckpoint.llama(folder)
                .with("vocab_size", "2147483647")
                .with("hidden_size", "2147483644")
                .with("intermediate_size", "2147483647");
        assertRefused(
                tiny.writeConfig(), "config.json: the sizes given there make more parameters than 64 bits can count");
        TinyCheckpoint gpt2 =
                TinyCheckpoint.gpt2(folder).with("n_embd", "2147483646").with("n_layer", "10000");
        assertRefused(gpt2.writeConfig(), "more parameters than 64 bits can count");
        Torch.start(Golden.THREADS);
        TinyCheckpoint large = TinyCheckpoint.gpt2(folder)
                .with("n_positions", "2147483647")
                .with("n_embd", "65536")
                .writeConfig();
        assertThatThrownBy(() -> large.openRandom(0))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("config.json: the model has 140,")
                .hasMessageContaining("parameters, at 4 bytes each more than the");
    }

    @Test
    void positionsOfARotaryModelTakeNoMemory() {
        Torch.start(Golden.THREADS);
        TinyCheckpoint tiny = TinyCheckpoint.llama(folder)
                .with("max_position_embeddings", "2147483647")
                .write();
        try (CausalLm model = tiny.open()) {
            assertThat(model.logits(TinyCheckpoint.batch())).doesNotContain(Float.NaN);
        }
    }

    @Test
    void filesThatAreNotThereOrBroken() {
        assertRefused(null, "config.json: missing; a model directory needs it");
        TinyCheckpoint tiny = TinyCheckpoint.llama(folder);
        assertRefused(tiny.text("config.json", "{'vocab_size': 3,\n'hidden_size'"), "config.json:2: not valid JSON");
        assertRefused(
                tiny.text("config.json", "{"),
                "config.json:1: not valid JSON: Unexpected end-of-input: expected close marker for Object, at column");
        assertRefused(tiny.text("config.json", "{} {}"), "config.json:1: not valid JSON");
        assertRefused(tiny.text("config.json", "[]"), "config.json: expected a JSON object");
        assertRefused(tiny.text("config.json", "{}"), "is not known and key 'model_type' is missing");
        tiny.writeConfig();
        assertRefused(
                tiny.text("generation_config.json", "{'eos_token_id': [0, 99]}"),
                "generation_config.json: key 'eos_token_id' is [0,99]");
        assertThatThrownBy(() ->
                        ModelDirectory.open(new ModelSource(folder.resolve("none"), ModelSource.Init.PRETRAINED, 0)))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage(folder.resolve("none")
                        + ": no such model directory; expected a folder with config.json, model.safetensors"
                        + " and tokenizer.json");
    }

    @ParameterizedTest
    @ValueSource(strings = {"['LlamaModel']", "['LLaMAForCausalLM']", "[]", "null"})
    void namesOfTheSameArchitecture(String architectures) {
        TinyCheckpoint.llama(folder).with("architectures", architectures).writeConfig();
        assertThat(ModelDirectory.open(new ModelSource(folder, ModelSource.Init.RANDOM, 0))
                        .architectureName())
                .isEqualTo("LlamaForCausalLM");
        TinyCheckpoint.gpt2(folder).without("model_type").writeConfig();
        assertThat(ModelDirectory.open(new ModelSource(folder, ModelSource.Init.RANDOM, 0))
                        .architectureName())
                .isEqualTo("GPT2LMHeadModel");
    }

    @Test
    void windowsThatSomeLayersWouldHave() {
        TinyCheckpoint tiny = TinyCheckpoint.qwen2(folder)
                .with("use_sliding_window", "true")
                .with("sliding_window", "199")
                .with("max_window_layers", "1");
        assertRefused(
                tiny.writeConfig(),
                "key 'use_sliding_window' is true, expected false, or max_window_layers of at least 2");
        for (String harmless : List.of("200", "null")) {
            tiny.with("sliding_window", harmless).writeConfig();
            assertThat(tiny.architecture().slidingWindow()).isEqualTo(Integer.MAX_VALUE);
        }
        tiny.with("sliding_window", "199").with("max_window_layers", "2").writeConfig();
        assertThat(tiny.architecture().slidingWindow()).isEqualTo(Integer.MAX_VALUE);
        TinyCheckpoint whole = TinyCheckpoint.mistral(folder)
                .with("sliding_window", "null")
                .with("layer_types", "['sliding_attention', 'sliding_attention']");
        assertRefused(
                whole.writeConfig(),
                "key 'layer_types'",
                "'full_attention' for every layer, as sliding_window is null");
    }

    /** The defaults of the configuration classes of transformers 5.18, where a key is missing. */
    @ParameterizedTest
    @CsvSource({
        "llama, 32000, 2048, 64, 128, 2147483647",
        "mistral, 32000, 131072, 8, 128, 4096",
        "qwen2, 151936, 32768, 32, 128, 2147483647",
        "qwen3, 151936, 32768, 32, 128, 2147483647"
    })
    void keysThatAreMissing(
            String architecture, int vocabulary, int positions, int keyValueHeads, int headSize, int window) {
        TinyCheckpoint tiny = TinyCheckpoint.of(architecture, folder)
                .with("num_attention_heads", "64")
                .with("hidden_size", "8192");
        List.of("vocab_size", "max_position_embeddings", "num_key_value_heads", "head_dim", "sliding_window")
                .forEach(tiny::without);
        Architecture read = tiny.writeConfig().architecture();
        assertThat(read.vocabularySize()).isEqualTo(vocabulary);
        assertThat(read.positions()).isEqualTo(positions);
        assertThat(read.keyValueHeads()).isEqualTo(keyValueHeads);
        assertThat(read.headSize()).isEqualTo(headSize);
        assertThat(read.slidingWindow()).isEqualTo(window);
        assertThat(read.modelType()).isEqualTo(architecture);
        Architecture ofNull =
                tiny.with("num_key_value_heads", "null").writeConfig().architecture();
        assertThat(ofNull.keyValueHeads()).as("null").isEqualTo(64);
    }

    /** attention_bias is a key of LLaMA and Qwen3, mlp_bias of LLaMA alone; elsewhere transformers ignores them. */
    @ParameterizedTest
    @CsvSource({
        "llama, false, ''",
        "llama, true, q_proj k_proj v_proj o_proj gate_proj up_proj down_proj",
        "mistral, true, ''",
        "qwen2, false, q_proj k_proj v_proj",
        "qwen2, true, q_proj k_proj v_proj",
        "qwen3, false, ''",
        "qwen3, true, q_proj k_proj v_proj o_proj"
    })
    void biases(String architecture, String asked, String expected) {
        Architecture read = TinyCheckpoint.of(architecture, folder)
                .with("attention_bias", asked)
                .with("mlp_bias", asked)
                .writeConfig()
                .architecture();
        assertThat(read.parameters().keySet())
                .filteredOn(name -> name.startsWith("model.layers.1.") && name.endsWith(".bias"))
                .extracting(name -> name.split("\\.")[4])
                .containsExactly(expected.isEmpty() ? new String[0] : expected.split(" "));
    }

    private Rope rope(TinyCheckpoint tiny) {
        Architecture architecture = tiny.writeConfig().architecture();
        return architecture instanceof GptNeoX neox ? neox.rope() : ((Llama) architecture).rope();
    }

    @Test
    void bothSpellingsOfRotaryPositions() {
        Rope.Scaling none = new Rope.Scaling.None();
        assertThat(rope(TinyCheckpoint.gptNeoX(folder).with("rotary_emb_base", "500")))
                .isEqualTo(new Rope(2, 500, none));
        assertThat(rope(TinyCheckpoint.gptNeoX(folder)
                        .without("rotary_pct")
                        .without("rotary_emb_base")
                        .with(
                                "rope_parameters",
                                "{'rope_type': 'default', 'rope_theta': 500, 'partial_rotary_factor': 1.0}")))
                .isEqualTo(new Rope(4, 500, none));
        assertThat(rope(TinyCheckpoint.llama(folder).with("rope_theta", "500000")))
                .isEqualTo(new Rope(4, 500000, none));
        assertThat(rope(TinyCheckpoint.llama(folder)
                        .with("rope_theta", "7")
                        .with("rope_parameters", "{'rope_type': 'linear', 'factor': 2, 'rope_theta': 9}")))
                .isEqualTo(new Rope(4, 9, new Rope.Scaling.Linear(2)));
        Rope llama3 = new Rope(4, 7, new Rope.Scaling.Llama3(8, 1, 4, 50));
        String scaling = "{'rope_type': 'llama3', 'factor': 8, 'low_freq_factor': 1, 'high_freq_factor': 4";
        assertThat(rope(TinyCheckpoint.llama(folder)
                        .with("rope_theta", "7")
                        .with("rope_scaling", scaling + ", 'original_max_position_embeddings': 50}")))
                .isEqualTo(llama3);
        // As in transformers: a number outside wins, and without any it is the number of positions.
        assertThat(rope(TinyCheckpoint.llama(folder)
                        .with("rope_theta", "7")
                        .with("original_max_position_embeddings", "50")
                        .with("rope_scaling", scaling + ", 'original_max_position_embeddings': 40}")))
                .isEqualTo(llama3);
        assertThat(rope(TinyCheckpoint.llama(folder)
                        .with("rope_theta", "7")
                        .with("max_position_embeddings", "50")
                        .with("rope_scaling", scaling + "}")))
                .isEqualTo(llama3);
    }

    @Test
    void keysOfAnotherFamilyAreIgnoredAsTransformersDoes() {
        Rope.Scaling none = new Rope.Scaling.None();
        assertThat(rope(TinyCheckpoint.llama(folder)
                        .with("rotary_emb_base", "7")
                        .with("rotary_pct", "0.5")
                        .with("partial_rotary_factor", "0.5")))
                .isEqualTo(new Rope(4, 10000, none));
        assertThat(rope(TinyCheckpoint.gptNeoX(folder).with("rope_theta", "7").with("partial_rotary_factor", "1")))
                .isEqualTo(new Rope(2, 10000, none));
        assertThat(rope(TinyCheckpoint.llama(folder).with("rope_theta", "7").with("rope_scaling", "{}")))
                .isEqualTo(new Rope(4, 7, none));
    }
}
