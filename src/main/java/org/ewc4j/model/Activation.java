package org.ewc4j.model;

import java.util.Map;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** The elementwise function of a feed-forward layer, by the names that transformers gives it. */
enum Activation {
    /** x Φ(x). */
    GELU {
        @Override
        Tensor apply(Tensor x) {
            return torch.gelu(x);
        }
    },
    /** The tanh approximation, 0.5 x (1 + tanh(√(2/π)(x + 0.044715 x³))). Hendrycks and Gimpel 2016. */
    GELU_TANH {
        @Override
        Tensor apply(Tensor x) {
            return torch.gelu(x, "tanh");
        }
    },
    /** x σ(1.702 x). */
    QUICK_GELU {
        @Override
        Tensor apply(Tensor x) {
            return x.mul(torch.sigmoid(x.mul(new Scalar(1.702))));
        }
    },
    /** max(x, 0). */
    RELU {
        @Override
        Tensor apply(Tensor x) {
            return torch.relu(x);
        }
    },
    /** x σ(x). */
    SILU {
        @Override
        Tensor apply(Tensor x) {
            return torch.silu(x);
        }
    };

    private static final Map<String, Activation> BY_NAME = Map.ofEntries(
            Map.entry("gelu", GELU),
            Map.entry("gelu_python", GELU),
            Map.entry("gelu_new", GELU_TANH),
            Map.entry("gelu_fast", GELU_TANH),
            Map.entry("gelu_accurate", GELU_TANH),
            Map.entry("gelu_pytorch_tanh", GELU_TANH),
            Map.entry("gelu_python_tanh", GELU_TANH),
            Map.entry("quick_gelu", QUICK_GELU),
            Map.entry("relu", RELU),
            Map.entry("silu", SILU),
            Map.entry("swish", SILU));

    abstract Tensor apply(Tensor x);

    /** The activation that a configuration names under {@code key}; one that is not supported is refused by name. */
    static Activation named(ConfigJson config, String key, String missing) {
        String name = config.text(key, missing);
        Activation activation = BY_NAME.get(name);
        if (activation == null) {
            throw config.wrong(
                    key,
                    "one of the supported activations "
                            + BY_NAME.keySet().stream().sorted().toList());
        }
        return activation;
    }
}
