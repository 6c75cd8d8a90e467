package org.ewc4j.model;

import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.tensor.Device;

/**
 * Rotary position embedding: which frequencies, and over how much of a head. Su et al. 2021, RoFormer, eq. 34; the
 * {@code llama3} scaling as Llama 3.1 published it.
 *
 * @param dimensions d of the frequencies θ^(−2i/d); the ⌈d/2⌉ pairs that they make are the rotated leading entries of a
 *     head, so that an odd d rotates d + 1 entries, as it does in transformers
 * @param theta base of the frequencies
 * @param scaling how the frequencies are stretched
 */
record Rope(int dimensions, double theta, Scaling scaling) {
    sealed interface Scaling {
        record None() implements Scaling {}

        /** Positions divided by {@code factor}. */
        record Linear(double factor) implements Scaling {}

        record Llama3(double factor, double lowFrequencyFactor, double highFrequencyFactor, double originalPositions)
                implements Scaling {}
    }

    /** What a family calls base and fraction in a transformers 4 config.json; null where it has no such key. */
    record Keys(String theta, String fraction, double defaultFraction) {
        static final Keys GPT_NEOX = new Keys("rotary_emb_base", "rotary_pct", 0.25);
        static final Keys LLAMA = new Keys("rope_theta", null, 1);
    }

    /**
     * Reads both spellings, with the precedence of transformers: {@code rope_scaling} (4) or {@code rope_parameters} (5), and
     * what these do not say from the top level.
     *
     * @param positions of the model
     */
    static Rope read(ConfigJson config, int headSize, int positions, Keys keys) {
        ConfigJson rope = config.object("rope_scaling");
        if (rope == null || rope.node().isEmpty()) {
            rope = config.object("rope_parameters");
        }
        double theta = config.positive(keys.theta(), 10000);
        double fraction = keys.fraction() == null ? 1 : config.positive(keys.fraction(), keys.defaultFraction());
        Scaling scaling = new Scaling.None();
        if (rope != null) {
            theta = rope.positive("rope_theta", theta);
            requireOneForAllLayers(rope);
            scaling = scaling(config, rope, positions);
            if (keys.fraction() != null) {
                fraction = rope.positive("partial_rotary_factor", fraction);
            } else if (!(scaling instanceof Scaling.None)) {
                requireWhole(config);
                requireWhole(rope);
            }
        }
        int dimensions = (int) Math.min(headSize + 1.0, headSize * fraction);
        if (dimensions < 1 || dimensions + dimensions % 2 > headSize) {
            throw new InvalidInputException(config.file() + ": with " + fraction + " of a head's " + headSize
                    + " entries to be rotated, in pairs, between 1 pair and the whole head is expected");
        }
        return new Rope(dimensions, theta, scaling);
    }

    /** Unscaled, LLaMA ignores the fraction; scaled, transformers follows it and then fails. */
    private static void requireWhole(ConfigJson rope) {
        if (rope.number("partial_rotary_factor", 1) != 1) {
            throw rope.wrong("partial_rotary_factor", "1, as this architecture rotates whole heads");
        }
    }

    /** transformers 5 may nest the parameters by layer type, for architectures that are none of ours. */
    private static void requireOneForAllLayers(ConfigJson rope) {
        rope.node().fieldNames().forEachRemaining(key -> {
            if (rope.node().get(key).isObject()) {
                throw rope.wrong(key, "no parameters by layer type, as this architecture has one set for all layers");
            }
        });
    }

    private static Scaling scaling(ConfigJson config, ConfigJson rope, int positions) {
        String key = rope.has("rope_type") ? "rope_type" : "type";
        String type = rope.text(key, "default");
        return switch (type) {
            case "default" -> new Scaling.None();
            case "linear" -> new Scaling.Linear(required(rope, "factor"));
            case "llama3" ->
                new Scaling.Llama3(
                        required(rope, "factor"),
                        required(rope, "low_freq_factor"),
                        required(rope, "high_freq_factor"),
                        originalPositions(config, rope, positions));
            default -> throw rope.wrong(key, "one of the supported rope types default, linear, llama3");
        };
    }

    private static double originalPositions(ConfigJson config, ConfigJson rope, int positions) {
        String key = "original_max_position_embeddings";
        double inside = rope.positive(key, positions);
        return config.positive(key, inside);
    }

    private static double required(ConfigJson rope, String key) {
        if (!rope.has(key)) {
            throw new InvalidInputException(rope.file() + ": the rope parameters have no '" + key + "'");
        }
        return rope.positive(key, 1);
    }

    /** The ⌈dimensions / 2⌉ angles per position, computed in fp32 in the order in which transformers computes them. */
    Tensor frequencies(Device device) {
        return frequencies().to(device.torch(), ScalarType.Float);
    }

    private Tensor frequencies() {
        try (NoGradGuard guard = new NoGradGuard()) {
            Tensor steps = torch.arange(new Scalar(0), new Scalar(dimensions), new Scalar(2))
                    .to(ScalarType.Float);
            return scaled(torch.pow(new Scalar(theta), steps.div(new Scalar((double) dimensions)))
                    .reciprocal());
        }
    }

    private Tensor scaled(Tensor inverse) {
        if (scaling instanceof Scaling.Linear linear) {
            return inverse.div(new Scalar(linear.factor()));
        }
        if (scaling instanceof Scaling.Llama3 llama) {
            Scalar factor = new Scalar(llama.factor());
            double longest = llama.originalPositions() / llama.lowFrequencyFactor();
            double shortest = llama.originalPositions() / llama.highFrequencyFactor();
            Tensor wavelength = inverse.reciprocal().mul(new Scalar(2 * Math.PI));
            Tensor stretched = torch.where(wavelength.gt(new Scalar(longest)), inverse.div(factor), inverse);
            Tensor smooth = wavelength
                    .reciprocal()
                    .mul(new Scalar(llama.originalPositions()))
                    .sub(new Scalar(llama.lowFrequencyFactor()))
                    .div(new Scalar(llama.highFrequencyFactor() - llama.lowFrequencyFactor()));
            Tensor one = torch.ones_like(smooth);
            Tensor smoothed = one.sub(smooth).mul(stretched).div(factor).add(smooth.mul(stretched));
            Tensor medium = wavelength.ge(new Scalar(shortest)).logical_and(wavelength.le(new Scalar(longest)));
            return torch.where(medium, smoothed, stretched);
        }
        return inverse;
    }
}
