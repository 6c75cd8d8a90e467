package org.ewc4j.model;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.model.Layers.Blocks;
import org.ewc4j.model.Layers.Lookup;
import org.ewc4j.model.Layers.Norm;
import org.ewc4j.model.Layers.Projection;
import org.ewc4j.tensor.Device;

/** GPT-2. Radford et al. 2019; names and conventions of transformers' {@code gpt2}: weights are stored (in, out). */
record Gpt2(
        int vocabularySize,
        int hiddenSize,
        int layers,
        int heads,
        long innerSize,
        int positions,
        Activation activation,
        double normEpsilon,
        boolean scaleWeights,
        boolean scaleByLayer,
        boolean tied,
        double residualDropout,
        double embeddingDropout,
        double attentionDropout,
        double initializerRange)
        implements Architecture {

    static Gpt2 read(ConfigJson config) {
        if (config.flag("add_cross_attention", false)) {
            throw new InvalidInputException(
                    config.file() + ": key 'add_cross_attention' is true; cross attention is not supported");
        }
        int hidden = config.size("n_embd", 768);
        int heads = config.size("n_head", 12);
        Architecture.headSize(config, "n_embd", hidden, heads);
        return new Gpt2(
                config.size("vocab_size", 50257),
                hidden,
                config.layers("n_layer", 12),
                heads,
                config.size("n_inner", 4L * hidden),
                config.size("n_positions", 1024),
                Activation.named(config, "activation_function", "gelu_new"),
                config.positive("layer_norm_epsilon", 1e-5),
                config.flag("scale_attn_weights", true),
                config.flag("scale_attn_by_inverse_layer_idx", false),
                config.flag("tie_word_embeddings", true),
                config.dropout("resid_pdrop", 0.1),
                config.dropout("embd_pdrop", 0.1),
                config.dropout("attn_pdrop", 0.1),
                config.deviation("initializer_range", 0.02));
    }

    private static String layerPrefix(int layer) {
        return "transformer.h." + layer + ".";
    }

    @Override
    public Map<String, Parameter> parameters() {
        // The projections into the residual stream start smaller, by the number of them (GPT-2 paper, section 2.3).
        double residualDeviation = initializerRange / Math.sqrt(2.0 * layers);
        ParameterMap map = new ParameterMap(initializerRange);
        map.weight(inputEmbedding(), vocabularySize, hiddenSize);
        map.weight("transformer.wpe.weight", positions, hiddenSize);
        for (int layer = 0; layer < layers; layer++) {
            String prefix = layerPrefix(layer);
            map.norm(prefix + "ln_1", hiddenSize, true);
            map.weight(prefix + "attn.c_attn.weight", hiddenSize, 3L * hiddenSize);
            map.bias(prefix + "attn.c_attn.bias", 3L * hiddenSize);
            map.weight(residualDeviation, prefix + "attn.c_proj.weight", hiddenSize, hiddenSize);
            map.bias(prefix + "attn.c_proj.bias", hiddenSize);
            map.norm(prefix + "ln_2", hiddenSize, true);
            map.weight(prefix + "mlp.c_fc.weight", hiddenSize, innerSize);
            map.bias(prefix + "mlp.c_fc.bias", innerSize);
            map.weight(residualDeviation, prefix + "mlp.c_proj.weight", innerSize, hiddenSize);
            map.bias(prefix + "mlp.c_proj.bias", hiddenSize);
        }
        map.norm("transformer.ln_f", hiddenSize, true);
        if (!tied) {
            map.weight(outputEmbedding(), vocabularySize, hiddenSize);
        }
        return map.map();
    }

    @Override
    public Decoder bind(Weights weights, Device device) {
        return new Bound(weights);
    }

    @Override
    public String basePrefix() {
        return "transformer.";
    }

    @Override
    public String inputEmbedding() {
        return "transformer.wte.weight";
    }

    @Override
    public String outputEmbedding() {
        return "lm_head.weight";
    }

    @Override
    public long paddingIndex() {
        return -1;
    }

    @Override
    public String modelType() {
        return "gpt2";
    }

    @Override
    public String transformersClass() {
        return "GPT2LMHeadModel";
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
        private final Lookup tokenEmbedding;
        private final Lookup positionEmbedding;
        private final Blocks blocks;
        private final Norm finalNorm;
        private final List<Layer> bound = new ArrayList<>();

        private record Layer(
                Norm attentionNorm,
                Projection qkv,
                Projection attentionOut,
                Norm feedForwardNorm,
                Projection up,
                Projection down) {}

        Bound(Weights weights) {
            tokenEmbedding = Layers.embedding(weights, inputEmbedding(), paddingIndex());
            positionEmbedding = Layers.embedding(weights, "transformer.wpe.weight", -1);
            blocks = Layers.blocks(weights);
            finalNorm = norm(weights, "transformer.ln_f");
            for (int layer = 0; layer < layers; layer++) {
                String prefix = layerPrefix(layer);
                bound.add(new Layer(
                        norm(weights, prefix + "ln_1"),
                        Layers.transposedLinear(weights, prefix + "attn.c_attn"),
                        Layers.transposedLinear(weights, prefix + "attn.c_proj"),
                        norm(weights, prefix + "ln_2"),
                        Layers.transposedLinear(weights, prefix + "mlp.c_fc"),
                        Layers.transposedLinear(weights, prefix + "mlp.c_proj")));
            }
        }

        private Norm norm(Weights weights, String prefix) {
            return Layers.layerNorm(weights, prefix, hiddenSize, normEpsilon);
        }

        @Override
        public Tensor hidden(ForwardPass pass) {
            Tensor hidden = tokenEmbedding.apply(pass.inputIds()).add(positionEmbedding.apply(pass.positions()));
            hidden = pass.dropout().apply(hidden, embeddingDropout);
            for (int layer = 0; layer < layers; layer++) {
                int index = layer;
                hidden = blocks.apply(hidden, x -> layer(pass, index, bound.get(index), x));
            }
            return finalNorm.apply(hidden);
        }

        private Tensor layer(ForwardPass pass, int index, Layer layer, Tensor hidden) {
            Dropout dropout = pass.dropout();
            boolean last = index == layers - 1;
            Tensor attention = attention(pass, index, layer, layer.attentionNorm.apply(hidden));
            Tensor attended = layer.attentionOut.apply(pass.behindAttention(attention, last));
            Tensor residual = dropout.apply(attended, residualDropout).add(pass.pastAttention(hidden, last));
            Tensor up = activation.apply(layer.up.apply(layer.feedForwardNorm.apply(residual)));
            return dropout.apply(layer.down.apply(up), residualDropout).add(residual);
        }

        private Tensor attention(ForwardPass pass, int index, Layer layer, Tensor x) {
            long size = headSize();
            TensorVector qkv = pass.inRows(layer.qkv.apply(x))
                    .view(pass.rows(), pass.columns(), 3, heads, size)
                    .transpose(1, 3)
                    .unbind(2);
            double scale = (scaleWeights ? 1 / Math.sqrt(size) : 1.0) / (scaleByLayer ? index + 1 : 1);
            return Layers.cachedAttention(pass, index, qkv.get(0), qkv.get(1), qkv.get(2), scale, attentionDropout);
        }
    }
}
