package org.ewc4j.model;

import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** The layers that the architectures are made of. Each takes and gives tensors of the pass's floating type in the caller's pointer scope. */
final class Layers {
    private Layers() {}

    /** A map of the last dimension. */
    interface Projection {
        Tensor apply(Tensor x);
    }

    /** x Wᵀ + b with W (out, in), as {@code torch.nn.Linear}. */
    record Linear(Tensor weight, TensorOptional bias) implements Projection {
        @Override
        public Tensor apply(Tensor x) {
            return torch.linear(x, weight, bias);
        }
    }

    /** x W + b with W (in, out), as GPT-2's {@code Conv1D}. */
    record TransposedLinear(Tensor weight, Tensor bias) implements Projection {
        @Override
        public Tensor apply(Tensor x) {
            Tensor flat = torch.addmm(bias, x.view(-1, x.size(-1)), weight);
            return x.dim() == 2 ? flat : flat.view(x.size(0), x.size(1), -1);
        }
    }

    /** A normalisation of the last dimension. */
    interface Norm {
        Tensor apply(Tensor x);
    }

    /** Ba et al. 2016, with weight and bias. */
    record LayerNorm(long[] shape, TensorOptional weight, TensorOptional bias, double epsilon) implements Norm {
        @Override
        public Tensor apply(Tensor x) {
            return torch.layer_norm(x, shape, weight, bias, epsilon, true);
        }
    }

    /** Zhang and Sennrich 2019, with a weight. */
    record RmsNorm(long[] shape, TensorOptional weight, DoubleOptional epsilon) implements Norm {
        @Override
        public Tensor apply(Tensor x) {
            return torch.rms_norm(x, shape, weight, epsilon);
        }
    }

    /** Rows of a table. */
    interface Lookup {
        Tensor apply(Tensor ids);
    }

    /** As {@code torch.nn.Embedding}; the gradient of row {@code paddingIndex} is dropped, −1 for none. */
    record Embedding(Tensor weight, long paddingIndex, boolean sparsely) implements Lookup {
        @Override
        public Tensor apply(Tensor ids) {
            return torch.embedding(weight, ids, paddingIndex, false, sparsely);
        }
    }

    /** Runs the blocks of a decoder one after another. */
    interface Blocks {
        Tensor apply(Tensor hidden, UnaryOperator<Tensor> block);
    }

    /** The norm whose weight and bias carry this prefix. */
    static Norm layerNorm(Architecture.Weights weights, String prefix, long size, double epsilon) {
        long[] shape = {size};
        LayerNorm norm = new LayerNorm(
                shape,
                new TensorOptional(weights.get(prefix + ".weight")),
                new TensorOptional(weights.get(prefix + ".bias")),
                epsilon);
        if (weights.tape() == null) {
            return norm;
        }
        LayerNorm unscaled = new LayerNorm(shape, new TensorOptional(), new TensorOptional(), epsilon);
        return weights.tape().norm(norm, unscaled, prefix, true);
    }

    /** The norm whose weight carries this prefix. */
    static Norm rmsNorm(Architecture.Weights weights, String prefix, long size, double epsilon) {
        long[] shape = {size};
        DoubleOptional ofRoot = new DoubleOptional(epsilon);
        RmsNorm norm = new RmsNorm(shape, new TensorOptional(weights.get(prefix + ".weight")), ofRoot);
        if (weights.tape() == null) {
            return norm;
        }
        return weights.tape().norm(norm, new RmsNorm(shape, new TensorOptional(), ofRoot), prefix, false);
    }

    /** The linear layer whose weight and, where it has one, bias carry this prefix. */
    static Projection linear(Architecture.Weights weights, String prefix, boolean hasBias) {
        TensorOptional bias = hasBias ? new TensorOptional(weights.get(prefix + ".bias")) : new TensorOptional();
        Linear linear = new Linear(weights.get(prefix + ".weight"), bias);
        return weights.tape() == null ? linear : weights.tape().projection(linear, prefix, hasBias, false);
    }

    /** The {@code Conv1D} whose weight and bias carry this prefix. */
    static Projection transposedLinear(Architecture.Weights weights, String prefix) {
        TransposedLinear linear = new TransposedLinear(weights.get(prefix + ".weight"), weights.get(prefix + ".bias"));
        return weights.tape() == null ? linear : weights.tape().projection(linear, prefix, true, true);
    }

    /** The embedding with this weight. */
    static Lookup embedding(Architecture.Weights weights, String name, long paddingIndex) {
        Embedding embedding = new Embedding(weights.get(name), paddingIndex, weights.lookedUpSparsely());
        return weights.tape() == null ? embedding : weights.tape().lookup(embedding, name);
    }

    /** How the blocks over these weights are run. */
    static Blocks blocks(Architecture.Weights weights) {
        return weights.tape() == null ? (hidden, block) -> block.apply(hidden) : weights.tape()::block;
    }

    /** {@link #attention} over what the pass's cache holds and the new keys and values, or over these alone. */
    static Tensor cachedAttention(
            ForwardPass pass, int layer, Tensor query, Tensor key, Tensor value, double scale, double dropout) {
        if (pass.cache() == null) {
            return attention(pass, query, key, value, scale, dropout);
        }
        Tensor[] all = pass.cache().append(layer, key, value);
        return attention(pass, query, all[0], all[1], scale, dropout);
    }

    /**
     * Softmax attention. Query rows of padding, which have nothing to attend to, give zeros
     * where the pass has any use for them.
     *
     * @param query (rows, heads, columns, headSize)
     * @param key (rows, keyValueHeads, all columns, headSize), heads a multiple of keyValueHeads
     * @param value as the key
     * @param dropout probability with which attention weights are dropped while training
     * @return (rows, columns, heads · headSize)
     */
    static Tensor attention(ForwardPass pass, Tensor query, Tensor key, Tensor value, double scale, double dropout) {
        long repeat = query.size(1) / key.size(1);
        Tensor k = repeatHeads(key, repeat);
        Tensor v = repeatHeads(value, repeat);
        Tensor attended = pass.dropout().active(dropout)
                ? dropped(pass, query, k, v, scale, dropout)
                : torch.scaled_dot_product_attention(
                        query, k, v, pass.mask(), 0.0, pass.causal(), new DoubleOptional(scale), false);
        if (pass.paddedQueries() != null) {
            attended = attended.masked_fill(pass.paddedQueries(), new Scalar(0));
        }
        return attended.transpose(1, 2).reshape(query.size(0), query.size(2), -1);
    }

    private static Tensor repeatHeads(Tensor x, long repeat) {
        if (repeat == 1) {
            return x;
        }
        return x.unsqueeze(2)
                .expand(x.size(0), x.size(1), repeat, x.size(2), x.size(3))
                .reshape(x.size(0), x.size(1) * repeat, x.size(2), x.size(3));
    }

    private static Tensor dropped(
            ForwardPass pass, Tensor query, Tensor key, Tensor value, double scale, double dropout) {
        Tensor scores = torch.matmul(query, key.transpose(2, 3)).mul(new Scalar(scale));
        if (pass.causal()) {
            Tensor index = torch.arange(
                    new Scalar(pass.columns()), pass.numerics().device().options(ScalarType.Long));
            scores =
                    scores.masked_fill(index.unsqueeze(0).gt(index.unsqueeze(1)), new Scalar(Double.NEGATIVE_INFINITY));
        } else if (pass.mask().has_value()) {
            scores = scores.add(pass.mask().get());
        }
        Tensor weights = torch.softmax(scores, -1);
        return torch.matmul(pass.dropout().apply(weights, dropout), value);
    }

    /**
     * Rotates the leading {@code 2 · cos.size(-1)} entries of each head; the rest passes through. Su et al. 2021.
     *
     * @param x (rows, columns, heads, headSize)
     * @param cos (rows, columns, 1, half)
     */
    static Tensor rotate(Tensor x, Tensor cos, Tensor sin) {
        long half = cos.size(-1);
        long rest = x.size(-1) - 2 * half;
        // One split, so that the backward pass joins the parts once instead of padding each with zeros.
        TensorVector split =
                rest == 0 ? x.split(new long[] {half, half}, -1) : x.split(new long[] {half, half, rest}, -1);
        Tensor first = split.get(0);
        Tensor second = split.get(1);
        Tensor rotatedFirst = first.mul(cos).sub(second.mul(sin));
        Tensor rotatedSecond = second.mul(cos).add(first.mul(sin));
        TensorVector parts = rest == 0
                ? new TensorVector(rotatedFirst, rotatedSecond)
                : new TensorVector(rotatedFirst, rotatedSecond, split.get(2));
        return torch.cat(parts, -1);
    }
}
