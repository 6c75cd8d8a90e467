package org.ewc4j.model;

import java.util.Arrays;
import java.util.Optional;

/**
 * The members of the LLaMA family: what each has beside the common skeleton of {@link Llama}, and the defaults of its
 * configuration class in transformers, which count where config.json does not have the key.
 */
enum LlamaFamily {
    /** Touvron et al. 2023; TinyLlama, SmolLM2. */
    LLAMA("llama", "LlamaForCausalLM", 32000, 2048) {
        @Override
        boolean queryKeyValueBias(ConfigJson config) {
            return config.flag("attention_bias", false);
        }

        @Override
        boolean attentionOutBias(ConfigJson config) {
            return config.flag("attention_bias", false);
        }

        @Override
        boolean feedForwardBias(ConfigJson config) {
            return config.flag("mlp_bias", false);
        }
    },

    /** Jiang et al. 2023: no biases, and attention that may be limited to a sliding window. */
    MISTRAL("mistral", "MistralForCausalLM", 32000, 131072) {
        @Override
        int keyValueHeads(int heads) {
            return 8;
        }

        @Override
        int slidingWindow(ConfigJson config, int layers, int positions) {
            boolean whole = config.isNull("sliding_window");
            requireLayerTypes(
                    config,
                    whole ? FULL : "sliding_attention",
                    "as sliding_window " + (whole ? "is null" : "holds for every layer"));
            return whole ? Integer.MAX_VALUE : config.size("sliding_window", 4096);
        }
    },

    /** Yang et al. 2024: biases of query, key and value alone. */
    QWEN2("qwen2", "Qwen2ForCausalLM", 151936, 32768) {
        @Override
        int keyValueHeads(int heads) {
            return 32;
        }

        @Override
        boolean queryKeyValueBias(ConfigJson config) {
            return true;
        }

        @Override
        int slidingWindow(ConfigJson config, int layers, int positions) {
            return noWindow(config, layers, positions);
        }
    },

    /** Yang et al. 2025: a norm over each head of query and key before it is rotated, and heads of a size of their own. */
    QWEN3("qwen3", "Qwen3ForCausalLM", 151936, 32768) {
        @Override
        int keyValueHeads(int heads) {
            return 32;
        }

        @Override
        int headSize(ConfigJson config, int hidden, int heads) {
            return config.size("head_dim", 128);
        }

        @Override
        boolean headNorms() {
            return true;
        }

        @Override
        boolean queryKeyValueBias(ConfigJson config) {
            return config.flag("attention_bias", false);
        }

        @Override
        boolean attentionOutBias(ConfigJson config) {
            return config.flag("attention_bias", false);
        }

        @Override
        int slidingWindow(ConfigJson config, int layers, int positions) {
            return noWindow(config, layers, positions);
        }
    };

    private static final String FULL = "full_attention";

    private final String modelType;
    private final String transformersClass;
    private final int defaultVocabulary;
    private final int defaultPositions;

    LlamaFamily(String modelType, String transformersClass, int defaultVocabulary, int defaultPositions) {
        this.modelType = modelType;
        this.transformersClass = transformersClass;
        this.defaultVocabulary = defaultVocabulary;
        this.defaultPositions = defaultPositions;
    }

    /** The member that {@code model_type} names. */
    static Optional<LlamaFamily> of(String modelType) {
        return Arrays.stream(values())
                .filter(member -> member.modelType.equals(modelType))
                .findFirst();
    }

    String modelType() {
        return modelType;
    }

    String transformersClass() {
        return transformersClass;
    }

    int defaultVocabulary() {
        return defaultVocabulary;
    }

    int defaultPositions() {
        return defaultPositions;
    }

    /** Heads of key and value where config.json has no {@code num_key_value_heads}. */
    int keyValueHeads(int heads) {
        return heads;
    }

    int headSize(ConfigJson config, int hidden, int heads) {
        return config.has("head_dim")
                ? config.size("head_dim")
                : Architecture.headSize(config, "hidden_size", hidden, heads);
    }

    /** Whether query and key are normalised head by head before they are rotated. */
    boolean headNorms() {
        return false;
    }

    boolean queryKeyValueBias(ConfigJson config) {
        return false;
    }

    boolean attentionOutBias(ConfigJson config) {
        return false;
    }

    boolean feedForwardBias(ConfigJson config) {
        return false;
    }

    /** See {@link Architecture#slidingWindow}. */
    int slidingWindow(ConfigJson config, int layers, int positions) {
        return Integer.MAX_VALUE;
    }

    /** Qwen's windows hold for some of the layers; what would set one that is shorter than the model is refused. */
    private static int noWindow(ConfigJson config, int layers, int positions) {
        if (config.has("layer_types")) {
            requireLayerTypes(config, FULL, "as windows in some of the layers are not supported");
        } else if (config.flag("use_sliding_window", false)
                && !config.isNull("sliding_window")
                && config.size("sliding_window", 4096) < positions
                && config.number("max_window_layers", 28) < layers) {
            throw config.wrong(
                    "use_sliding_window",
                    "false, or max_window_layers of at least " + layers
                            + ", as windows in some of the layers are not supported");
        }
        return Integer.MAX_VALUE;
    }

    private static void requireLayerTypes(ConfigJson config, String type, String why) {
        if (!config.texts("layer_types").stream().allMatch(type::equals)) {
            throw config.wrong("layer_types", "'" + type + "' for every layer, " + why);
        }
    }
}
