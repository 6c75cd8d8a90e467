package org.ewc4j.model;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.ewc4j.model.Layers.Blocks;
import org.ewc4j.model.Layers.Lookup;
import org.ewc4j.model.Layers.Norm;
import org.ewc4j.model.Layers.Projection;
import org.ewc4j.tensor.Device;

/** GPT-NeoX, the architecture of Pythia. Black et al. 2022; names and conventions of transformers' {@code gpt_neox}. */
record GptNeoX(
        int vocabularySize,
        int hiddenSize,
        int layers,
        int heads,
        int intermediateSize,
        int positions,
        Activation activation,
        Rope rope,
        double normEpsilon,
        boolean parallelResidual,
        boolean attentionBias,
        boolean tied,
        double hiddenDropout,
        double attentionDropout,
        double initializerRange)
        implements Architecture {

    static GptNeoX read(ConfigJson config) {
        int hidden = config.size("hidden_size");
        int heads = config.size("num_attention_heads");
        int headSize = Architecture.headSize(config, "hidden_size", hidden, heads);
        int positions = config.size("max_position_embeddings", 2048);
        return new GptNeoX(
                config.size("vocab_size"),
                hidden,
                config.layers("num_hidden_layers"),
                heads,
                config.size("intermediate_size"),
                positions,
                Activation.named(config, "hidden_act", "gelu"),
                Rope.read(config, headSize, positions, Rope.Keys.GPT_NEOX),
                config.positive("layer_norm_eps", 1e-5),
                config.flag("use_parallel_residual", true),
                config.flag("attention_bias", true),
                config.flag("tie_word_embeddings", false),
                config.dropout("hidden_dropout", 0),
                config.dropout("attention_dropout", 0),
                config.deviation("initializer_range", 0.02));
    }

    private static String layerPrefix(int layer) {
        return "gpt_neox.layers." + layer + ".";
    }

    @Override
    public Map<String, Parameter> parameters() {
        ParameterMap map = new ParameterMap(initializerRange);
        map.weight(inputEmbedding(), vocabularySize, hiddenSize);
        for (int layer = 0; layer < layers; layer++) {
            String prefix = layerPrefix(layer);
            map.norm(prefix + "input_layernorm", hiddenSize, true);
            map.norm(prefix + "post_attention_layernorm", hiddenSize, true);
            map.linear(prefix + "attention.query_key_value", 3L * hiddenSize, hiddenSize, attentionBias);
            map.linear(prefix + "attention.dense", hiddenSize, hiddenSize, attentionBias);
            map.linear(prefix + "mlp.dense_h_to_4h", intermediateSize, hiddenSize, true);
            map.linear(prefix + "mlp.dense_4h_to_h", hiddenSize, intermediateSize, true);
        }
        map.norm("gpt_neox.final_layer_norm", hiddenSize, true);
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
        return "gpt_neox.";
    }

    @Override
    public String inputEmbedding() {
        return "gpt_neox.embed_in.weight";
    }

    @Override
    public String outputEmbedding() {
        return "embed_out.weight";
    }

    @Override
    public Map<String, String> aliases() {
        // transformers 5 calls the module lm_head, and still stores it as embed_out.
        return Map.of("lm_head.weight", outputEmbedding());
    }

    @Override
    public long paddingIndex() {
        return -1;
    }

    @Override
    public String modelType() {
        return "gpt_neox";
    }

    @Override
    public String transformersClass() {
        return "GPTNeoXForCausalLM";
    }

    @Override
    public int keyValueHeads() {
        return heads;
    }

    @Override
    public int headSize() {
        return hiddenSize / heads;
    }

    private final class Bound implements Decoder {
        private final Lookup embedding;
        private final Blocks blocks;
        private final Norm finalNorm;
        private final Tensor frequencies;
        private final List<Layer> bound = new ArrayList<>();

        private record Layer(
                Norm inputNorm, Norm postNorm, Projection qkv, Projection dense, Projection up, Projection down) {}

        Bound(Weights weights, Device device) {
            embedding = Layers.embedding(weights, inputEmbedding(), paddingIndex());
            blocks = Layers.blocks(weights);
            finalNorm = norm(weights, "gpt_neox.final_layer_norm");
            frequencies = rope.frequencies(device);
            for (int layer = 0; layer < layers; layer++) {
                String prefix = layerPrefix(layer);
                bound.add(new Layer(
                        norm(weights, prefix + "input_layernorm"),
                        norm(weights, prefix + "post_attention_layernorm"),
                        Layers.linear(weights, prefix + "attention.query_key_value", attentionBias),
                        Layers.linear(weights, prefix + "attention.dense", attentionBias),
                        Layers.linear(weights, prefix + "mlp.dense_h_to_4h", true),
                        Layers.linear(weights, prefix + "mlp.dense_4h_to_h", true)));
            }
        }

        private Norm norm(Weights weights, String prefix) {
            return Layers.layerNorm(weights, prefix, hiddenSize, normEpsilon);
        }

        @Override
        public Tensor hidden(ForwardPass pass) {
            Dropout dropout = pass.dropout();
            Tensor hidden = dropout.apply(embedding.apply(pass.inputIds()), hiddenDropout);
            RotaryAngles angles = RotaryAngles.of(frequencies, pass);
            for (int layer = 0; layer < layers; layer++) {
                int index = layer;
                hidden = blocks.apply(hidden, x -> layer(pass, index, bound.get(index), angles, x));
            }
            return finalNorm.apply(hidden);
        }

        private Tensor layer(ForwardPass pass, int index, Layer layer, RotaryAngles angles, Tensor all) {
            Dropout dropout = pass.dropout();
            boolean last = index == layers - 1;
            Tensor attention = attention(pass, index, layer, angles, layer.inputNorm.apply(all));
            Tensor attended = dropout.apply(layer.dense.apply(pass.behindAttention(attention, last)), hiddenDropout);
            Tensor hidden = pass.pastAttention(all, last);
            Tensor residual = parallelResidual ? hidden : attended.add(hidden);
            Tensor up = activation.apply(layer.up.apply(layer.postNorm.apply(residual)));
            Tensor fed = dropout.apply(layer.down.apply(up), hiddenDropout);
            return parallelResidual ? fed.add(attended).add(hidden) : fed.add(residual);
        }

        private Tensor attention(ForwardPass pass, int index, Layer layer, RotaryAngles angles, Tensor x) {
            long size = headSize();
            // Query, key and value lie side by side within each head: (rows, columns, heads, 3, size).
            Tensor qkv = pass.inRows(layer.qkv.apply(x)).view(pass.rows(), pass.columns(), heads, 3, size);
            TensorVector split = qkv.split(new long[] {2, 1}, 3);
            Tensor rotated = Layers.rotate(
                    split.get(0), angles.cos().unsqueeze(3), angles.sin().unsqueeze(3));
            TensorVector queryAndKey = rotated.unbind(3);
            Tensor query = queryAndKey.get(0).transpose(1, 2);
            Tensor key = queryAndKey.get(1).transpose(1, 2);
            Tensor value = split.get(1).squeeze(3).transpose(1, 2);
            return Layers.cachedAttention(pass, index, query, key, value, 1 / Math.sqrt(size), attentionDropout);
        }
    }
}
