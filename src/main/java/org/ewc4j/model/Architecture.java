package org.ewc4j.model;

import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.tensor.Device;

/**
 * The shape of one model: which parameters it has, and how they are computed with. Pure until {@link #bind}.
 *
 * <p>Parameter names are those of {@code model.safetensors}; a tied output embedding is no parameter of its own.
 */
interface Architecture {
    /**
     * A parameter before it has a place.
     *
     * @param shape row-major extents as stored
     * @param init how it starts when the model is initialised at random
     */
    record Parameter(long[] shape, Init init) {}

    /** Random initialisation as transformers does it. */
    sealed interface Init {
        /** Every element the same: 0 for biases, 1 for the weights of norms. */
        record Constant(double value) implements Init {}

        /** Normal with mean 0. */
        record Normal(double deviation) implements Init {}
    }

    /** Finds a parameter's leaf tensor by name. */
    @FunctionalInterface
    interface Weights {
        Tensor get(String name);

        /** What the layers bound to these weights tell of what they read and gave; null where nobody asks. */
        default Tape tape() {
            return null;
        }

        /** Whether the gradient of a table that is looked up holds only the rows that are read. */
        default boolean lookedUpSparsely() {
            return false;
        }
    }

    /** The layers, bound to their weights. */
    @FunctionalInterface
    interface Decoder {
        /** Final hidden states behind the last norm: (rows, columns, hidden size), or of what {@link ForwardPass} leaves of these. */
        Tensor hidden(ForwardPass pass);
    }

    /** In the order in which they are laid out in memory. */
    Map<String, Parameter> parameters();

    /** The layers over these weights, which lie on {@code device}. */
    Decoder bind(Weights weights, Device device);

    /** The prefix of the base model's names, with its dot. */
    String basePrefix();

    /** Name of the input embedding, (vocabulary, hidden size). */
    String inputEmbedding();

    /** Name of the output embedding as stored, (vocabulary, hidden size); not a parameter where it is tied. */
    String outputEmbedding();

    /** Whether the output embedding is the input embedding. */
    boolean tied();

    /** {@code padding_idx} of the input embedding, whose gradient is dropped; −1 for none. */
    long paddingIndex();

    /**
     * How many columns attention reads at most, the query's own the last of them, as transformers counts
     * {@code sliding_window}; {@link Integer#MAX_VALUE} where it reads all that are before it.
     */
    default int slidingWindow() {
        return Integer.MAX_VALUE;
    }

    /** Other names under which a stored tensor may come, as (stored, ours). */
    default Map<String, String> aliases() {
        return Map.of();
    }

    /** {@code model_type} of config.json. */
    String modelType();

    /** The class of transformers that holds this model with its language-model head. */
    String transformersClass();

    int vocabularySize();

    int hiddenSize();

    int positions();

    int layers();

    int keyValueHeads();

    int headSize();

    /** Model types by the classes that are read, in lower case: the first LLaMA checkpoints say LLaMAForCausalLM. */
    Map<String, String> TYPE_OF_CLASS = Map.ofEntries(
            Map.entry("gptneoxforcausallm", "gpt_neox"),
            Map.entry("gptneoxmodel", "gpt_neox"),
            Map.entry("gpt2lmheadmodel", "gpt2"),
            Map.entry("gpt2model", "gpt2"),
            Map.entry("llamaforcausallm", "llama"),
            Map.entry("llamamodel", "llama"),
            Map.entry("mistralforcausallm", "mistral"),
            Map.entry("mistralmodel", "mistral"),
            Map.entry("qwen2forcausallm", "qwen2"),
            Map.entry("qwen2model", "qwen2"),
            Map.entry("qwen3forcausallm", "qwen3"),
            Map.entry("qwen3model", "qwen3"));

    /** As a refusal lists them. */
    String SUPPORTED = "gpt_neox, gpt2, llama, mistral, qwen2, qwen3";

    /** Reads the architecture that a config.json describes; one that is not supported is refused by name. */
    static Architecture read(ConfigJson config) {
        String named = config.firstText("architectures");
        String typeOfNamed = named == null ? null : TYPE_OF_CLASS.get(named.toLowerCase(Locale.ROOT));
        if (!config.has("model_type") && typeOfNamed == null) {
            throw new InvalidInputException(
                    config.file() + ": architecture " + (named == null ? "" : "'" + named + "' ")
                            + "is not known and key 'model_type' is missing, expected one of " + SUPPORTED);
        }
        String type = config.text("model_type", typeOfNamed);
        if (!TYPE_OF_CLASS.containsValue(type)) {
            throw config.wrong("model_type", "one of the supported architectures " + SUPPORTED);
        }
        if (named != null && !type.equals(typeOfNamed)) {
            throw config.wrong(
                    "architectures", "the causal language model of model_type '" + type + "' or its base model");
        }
        if (config.has("quantization_config")) {
            throw config.wrong("quantization_config", "none: quantized weights are not supported");
        }
        return switch (type) {
            case "gpt_neox" -> GptNeoX.read(config);
            case "gpt2" -> Gpt2.read(config);
            default -> Llama.read(config, LlamaFamily.of(type).orElseThrow());
        };
    }

    /** Collects parameters in order, with their random initialisation. */
    final class ParameterMap {
        private final Map<String, Parameter> parameters = new LinkedHashMap<>();
        private final double deviation;

        ParameterMap(double deviation) {
            this.deviation = deviation;
        }

        void weight(String name, long... shape) {
            parameters.put(name, new Parameter(shape, new Init.Normal(deviation)));
        }

        void weight(double ownDeviation, String name, long... shape) {
            parameters.put(name, new Parameter(shape, new Init.Normal(ownDeviation)));
        }

        void bias(String name, long size) {
            parameters.put(name, new Parameter(new long[] {size}, new Init.Constant(0)));
        }

        void norm(String prefix, long size, boolean hasBias) {
            parameters.put(prefix + ".weight", new Parameter(new long[] {size}, new Init.Constant(1)));
            if (hasBias) {
                bias(prefix + ".bias", size);
            }
        }

        void linear(String prefix, long out, long in, boolean hasBias) {
            weight(prefix + ".weight", out, in);
            if (hasBias) {
                bias(prefix + ".bias", out);
            }
        }

        Map<String, Parameter> map() {
            return parameters;
        }
    }

    /** Refuses a hidden size that the heads do not divide. */
    static int headSize(ConfigJson config, String hiddenKey, int hidden, int heads) {
        if (hidden % heads != 0) {
            throw config.wrong(hiddenKey, "a multiple of the " + heads + " attention heads");
        }
        return hidden / heads;
    }
}
