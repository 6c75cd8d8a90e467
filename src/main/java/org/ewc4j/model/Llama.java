package org.ewc4j.model;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.bytedeco.pytorch.Tensor;
import org.ewc4j.model.Layers.Blocks;
import org.ewc4j.model.Layers.Lookup;
import org.ewc4j.model.Layers.Norm;
import org.ewc4j.model.Layers.Projection;
import org.ewc4j.tensor.Device;

/**
 * LLaMA, and what shares its architecture (TinyLlama, SmolLM2). Touvron et al. 2023; names and conventions of
 * transformers' {@code llama}, with grouped-query attention (Ainslie et al. 2023).
 */
record Llama(
        int vocabularySize,
        int hiddenSize,
        int layers,
        int heads,
        int keyValueHeads,
        int headSize,
        int intermediateSize,
        int positions,
        Activation activation,
        Rope rope,
        double normEpsilon,
        boolean attentionBias,
        boolean feedForwardBias,
        boolean tied,
        double attentionDropout,
        long paddingIndex,
        double initializerRange)
        implements Architecture {

    static Llama read(ConfigJson config) {
        int hidden = config.size("hidden_size");
        int heads = config.size("num_attention_heads");
        int keyValueHeads = config.size("num_key_value_heads", heads);
        if (heads % keyValueHeads != 0) {
            throw config.wrong("num_key_value_heads", "a divisor of the " + heads + " attention heads");
        }
        int headSize = config.has("head_dim")
                ? config.size("head_dim")
                : Architecture.headSize(config, "hidden_size", hidden, heads);
        int vocabulary = config.size("vocab_size", 32000);
        return new Llama(
                vocabulary,
                hidden,
                config.layers("num_hidden_layers"),
                heads,
                keyValueHeads,
                headSize,
                config.size("intermediate_size"),
                config.size("max_position_embeddings", 2048),
                Activation.named(config, "hidden_act", "silu"),
                Rope.read(config, headSize, Rope.Keys.LLAMA),
                config.positive("rms_norm_eps", 1e-6),
                config.flag("attention_bias", false),
                config.flag("mlp_bias", false),
                config.flag("tie_word_embeddings", false),
                config.dropout("attention_dropout", 0),
                paddingIndex(config, vocabulary),
                config.deviation("initializer_range", 0.02));
    }

    private static long paddingIndex(ConfigJson config, int vocabulary) {
        OptionalInt id = config.tokenId("pad_token_id");
        if (id.isEmpty()) {
            return -1;
        }
        if (id.getAsInt() < -vocabulary || id.getAsInt() >= vocabulary) {
            throw config.wrong("pad_token_id", "a token id below the vocabulary of " + vocabulary);
        }
        // A negative index counts from the end of the vocabulary, as torch.nn.Embedding has it.
        return id.getAsInt() < 0 ? vocabulary + id.getAsInt() : id.getAsInt();
    }

    private static String layerPrefix(int layer) {
        return "model.layers." + layer + ".";
    }

    @Override
    public Map<String, Parameter> parameters() {
        ParameterMap map = new ParameterMap(initializerRange);
        map.weight(inputEmbedding(), vocabularySize, hiddenSize);
        long queries = (long) heads * headSize;
        long keys = (long) keyValueHeads * headSize;
        for (int layer = 0; layer < layers; layer++) {
            String prefix = layerPrefix(layer);
            map.norm(prefix + "input_layernorm", hiddenSize, false);
            map.linear(prefix + "self_attn.q_proj", queries, hiddenSize, attentionBias);
            map.linear(prefix + "self_attn.k_proj", keys, hiddenSize, attentionBias);
            map.linear(prefix + "self_attn.v_proj", keys, hiddenSize, attentionBias);
            map.linear(prefix + "self_attn.o_proj", hiddenSize, queries, attentionBias);
            map.norm(prefix + "post_attention_layernorm", hiddenSize, false);
            map.linear(prefix + "mlp.gate_proj", intermediateSize, hiddenSize, feedForwardBias);
            map.linear(prefix + "mlp.up_proj", intermediateSize, hiddenSize, feedForwardBias);
            map.linear(prefix + "mlp.down_proj", hiddenSize, intermediateSize, feedForwardBias);
        }
        map.norm("model.norm", hiddenSize, false);
        if (!tied) {
            map.weight(outputEmbedding(), vocabularySize, hiddenSize);
        }
        return map.map();
    }

    @Override
    public Decoder bind(Weights weights, Device device) {
        return new Bound(weights, device);
    }

    @Override
    public String basePrefix() {
        return "model.";
    }

    @Override
    public String inputEmbedding() {
        return "model.embed_tokens.weight";
    }

    @Override
    public String outputEmbedding() {
        return "lm_head.weight";
    }

    @Override
    public String modelType() {
        return "llama";
    }

    @Override
    public String transformersClass() {
        return "LlamaForCausalLM";
    }

    private final class Bound implements Decoder {
        private final Lookup embedding;
        private final Blocks blocks;
        private final Norm finalNorm;
        private final Tensor frequencies;
        private final List<Layer> bound = new ArrayList<>();

        private record Layer(
                Norm inputNorm,
                Projection query,
                Projection key,
                Projection value,
                Projection attentionOut,
                Norm postNorm,
                Projection gate,
                Projection up,
                Projection down) {}

        Bound(Weights weights, Device device) {
            embedding = Layers.embedding(weights, inputEmbedding(), paddingIndex);
            blocks = Layers.blocks(weights);
            finalNorm = norm(weights, "model.norm");
            frequencies = rope.frequencies(device);
            for (int layer = 0; layer < layers; layer++) {
                String prefix = layerPrefix(layer);
                bound.add(new Layer(
                        norm(weights, prefix + "input_layernorm"),
                        Layers.linear(weights, prefix + "self_attn.q_proj", attentionBias),
                        Layers.linear(weights, prefix + "self_attn.k_proj", attentionBias),
                        Layers.linear(weights, prefix + "self_attn.v_proj", attentionBias),
                        Layers.linear(weights, prefix + "self_attn.o_proj", attentionBias),
                        norm(weights, prefix + "post_attention_layernorm"),
                        Layers.linear(weights, prefix + "mlp.gate_proj", feedForwardBias),
                        Layers.linear(weights, prefix + "mlp.up_proj", feedForwardBias),
                        Layers.linear(weights, prefix + "mlp.down_proj", feedForwardBias)));
            }
        }

        private Norm norm(Weights weights, String prefix) {
            return Layers.rmsNorm(weights, prefix, hiddenSize, normEpsilon);
        }

        @Override
        public Tensor hidden(ForwardPass pass) {
            Tensor hidden = embedding.apply(pass.inputIds());
            RotaryAngles angles = RotaryAngles.of(frequencies, pass);
            for (int layer = 0; layer < layers; layer++) {
                int index = layer;
                hidden = blocks.apply(hidden, x -> layer(pass, index, bound.get(index), angles, x));
            }
            return finalNorm.apply(hidden);
        }

        private Tensor layer(ForwardPass pass, int index, Layer layer, RotaryAngles angles, Tensor hidden) {
            Tensor attended = attention(pass, index, layer, angles, layer.inputNorm.apply(hidden));
            Tensor residual = hidden.add(layer.attentionOut.apply(attended));
            Tensor x = layer.postNorm.apply(residual);
            Tensor gated = activation.apply(layer.gate.apply(x)).mul(layer.up.apply(x));
            return residual.add(layer.down.apply(gated));
        }

        private Tensor attention(ForwardPass pass, int index, Layer layer, RotaryAngles angles, Tensor x) {
            Tensor query = Layers.rotate(heads(pass, layer.query.apply(x), heads), angles.cos(), angles.sin());
            Tensor key = Layers.rotate(heads(pass, layer.key.apply(x), keyValueHeads), angles.cos(), angles.sin());
            Tensor value = heads(pass, layer.value.apply(x), keyValueHeads);
            return Layers.cachedAttention(
                    pass,
                    index,
                    query.transpose(1, 2),
                    key.transpose(1, 2),
                    value.transpose(1, 2),
                    1 / Math.sqrt(headSize),
                    attentionDropout);
        }

        private Tensor heads(ForwardPass pass, Tensor x, int count) {
            return x.view(pass.rows(), pass.columns(), count, headSize);
        }
    }
}
