package org.ewc4j.model;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.ewc4j.model.Layers.Blocks;
import org.ewc4j.model.Layers.Lookup;
import org.ewc4j.model.Layers.Norm;
import org.ewc4j.model.Layers.Projection;
import org.ewc4j.tensor.Device;

/**
 * LLaMA and its family: Mistral, Qwen2, Qwen3. Touvron et al. 2023; names and conventions of transformers' {@code llama},
 * with grouped-query attention (Ainslie et al. 2023). What sets the members apart is in {@link LlamaFamily}.
 *
 * @param queryKeyValueBias whether the projections to query, key and value have a bias
 * @param attentionOutBias whether the projection behind the attention has one
 * @param feedForwardBias whether the three of the feed-forward layer have one
 */
record Llama(
        LlamaFamily family,
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
        int slidingWindow,
        boolean queryKeyValueBias,
        boolean attentionOutBias,
        boolean feedForwardBias,
        boolean tied,
        double attentionDropout,
        long paddingIndex,
        double initializerRange)
        implements Architecture {

    static Llama read(ConfigJson config, LlamaFamily family) {
        int hidden = config.size("hidden_size");
        int heads = config.size("num_attention_heads");
        int keyValueHeads = config.size(
                "num_key_value_heads", config.isNull("num_key_value_heads") ? heads : family.keyValueHeads(heads));
        if (heads % keyValueHeads != 0) {
            throw config.wrong("num_key_value_heads", "a divisor of the " + heads + " attention heads");
        }
        int headSize = family.headSize(config, hidden, heads);
        int layers = config.layers("num_hidden_layers");
        int positions = config.size("max_position_embeddings", family.defaultPositions());
        int vocabulary = config.size("vocab_size", family.defaultVocabulary());
        return new Llama(
                family,
                vocabulary,
                hidden,
                layers,
                heads,
                keyValueHeads,
                headSize,
                config.size("intermediate_size"),
                positions,
                Activation.named(config, "hidden_act", "silu"),
                Rope.read(config, headSize, positions, Rope.Keys.LLAMA),
                config.positive("rms_norm_eps", 1e-6),
                family.slidingWindow(config, layers, positions),
                family.queryKeyValueBias(config),
                family.attentionOutBias(config),
                family.feedForwardBias(config),
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
            map.linear(prefix + "self_attn.q_proj", queries, hiddenSize, queryKeyValueBias);
            map.linear(prefix + "self_attn.k_proj", keys, hiddenSize, queryKeyValueBias);
            map.linear(prefix + "self_attn.v_proj", keys, hiddenSize, queryKeyValueBias);
            map.linear(prefix + "self_attn.o_proj", hiddenSize, queries, attentionOutBias);
            if (family.headNorms()) {
                map.norm(prefix + "self_attn.q_norm", headSize, false);
                map.norm(prefix + "self_attn.k_norm", headSize, false);
            }
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
        return family.modelType();
    }

    @Override
    public String transformersClass() {
        return family.transformersClass();
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
                Norm queryNorm,
                Norm keyNorm,
                Projection attentionOut,
                Norm postNorm,
                Projection gate,
                Projection up,
                Projection down) {}

        Bound(Weights weights, Device device) {
            embedding = Layers.embedding(weights, inputEmbedding(), paddingIndex);
            blocks = Layers.blocks(weights);
            finalNorm = Layers.rmsNorm(weights, "model.norm", hiddenSize, normEpsilon);
            frequencies = rope.frequencies(device);
            for (int layer = 0; layer < layers; layer++) {
                String prefix = layerPrefix(layer);
                bound.add(new Layer(
                        Layers.rmsNorm(weights, prefix + "input_layernorm", hiddenSize, normEpsilon),
                        Layers.linear(weights, prefix + "self_attn.q_proj", queryKeyValueBias),
                        Layers.linear(weights, prefix + "self_attn.k_proj", queryKeyValueBias),
                        Layers.linear(weights, prefix + "self_attn.v_proj", queryKeyValueBias),
                        headNorm(weights, prefix + "self_attn.q_norm"),
                        headNorm(weights, prefix + "self_attn.k_norm"),
                        Layers.linear(weights, prefix + "self_attn.o_proj", attentionOutBias),
                        Layers.rmsNorm(weights, prefix + "post_attention_layernorm", hiddenSize, normEpsilon),
                        Layers.linear(weights, prefix + "mlp.gate_proj", feedForwardBias),
                        Layers.linear(weights, prefix + "mlp.up_proj", feedForwardBias),
                        Layers.linear(weights, prefix + "mlp.down_proj", feedForwardBias)));
            }
        }

        /** Over the entries of each head, or nothing at all. */
        private Norm headNorm(Weights weights, String prefix) {
            return family.headNorms() ? Layers.rmsNorm(weights, prefix, headSize, normEpsilon) : x -> x;
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
            boolean last = index == layers - 1;
            Tensor attention = attention(pass, index, layer, angles, layer.inputNorm.apply(hidden));
            Tensor attended = layer.attentionOut.apply(pass.behindAttention(attention, last));
            Tensor residual = pass.pastAttention(hidden, last).add(attended);
            Tensor x = layer.postNorm.apply(residual);
            Tensor gated = activation.apply(layer.gate.apply(x)).mul(layer.up.apply(x));
            return residual.add(layer.down.apply(gated));
        }

        private Tensor attention(ForwardPass pass, int index, Layer layer, RotaryAngles angles, Tensor x) {
            TensorVector qkv = pass.inRows(layer.query.apply(x), layer.key.apply(x), layer.value.apply(x));
            Tensor query = layer.queryNorm.apply(heads(pass, qkv.get(0), heads));
            Tensor key = layer.keyNorm.apply(heads(pass, qkv.get(1), keyValueHeads));
            Tensor value = heads(pass, qkv.get(2), keyValueHeads);
            return Layers.cachedAttention(
                    pass,
                    index,
                    Layers.rotate(query, angles.cos(), angles.sin()).transpose(1, 2),
                    Layers.rotate(key, angles.cos(), angles.sin()).transpose(1, 2),
                    value.transpose(1, 2),
                    1 / Math.sqrt(headSize),
                    attentionDropout);
        }

        private Tensor heads(ForwardPass pass, Tensor x, int count) {
            return x.view(pass.rows(), pass.columns(), count, headSize);
        }
    }
}
