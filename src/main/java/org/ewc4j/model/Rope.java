package org.ewc4j.model;

import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.ewc4j.error.InvalidInputException;

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

    /**
     * Reads both spellings: {@code rope_parameters} of transformers 5, and {@code rope_theta}, {@code rotary_emb_base},
     * {@code rotary_pct}, {@code rope_scaling} of transformers 4.
     *
     * @param defaultFraction the fraction of a head that is rotated where the configuration does not say
     * @param fractionIsFree whether the architecture can rotate less than a whole head
     */
    static Rope read(ConfigJson config, int headSize, double defaultFraction, boolean fractionIsFree) {
        ConfigJson rope = config.has("rope_scaling") ? config.object("rope_scaling") : config.object("rope_parameters");
        double theta = config.positive("rotary_emb_base", config.positive("rope_theta", 10000));
        double fraction = config.positive("rotary_pct", config.positive("partial_rotary_factor", defaultFraction));
        Scaling scaling = new Scaling.None();
        if (rope != null) {
            theta = rope.positive("rope_theta", theta);
            fraction = rope.positive("partial_rotary_factor", fraction);
            scaling = scaling(config, rope);
        }
        if (!fractionIsFree) {
            if (fraction != 1 && !(scaling instanceof Scaling.None)) {
                throw new InvalidInputException(config.file() + ": partial_rotary_factor " + fraction
                        + " together with rope scaling is not supported for this architecture");
            }
            fraction = 1;
        }
        int dimensions = (int) (headSize * fraction);
        if (dimensions < 1 || dimensions + dimensions % 2 > headSize) {
            throw new InvalidInputException(config.file() + ": " + dimensions + " of the " + headSize
                    + " entries of a head would be rotated, in pairs; expected 1 to the head's size");
        }
        return new Rope(dimensions, theta, scaling);
    }

    private static Scaling scaling(ConfigJson config, ConfigJson rope) {
        String key = rope.has("rope_type") ? "rope_type" : "type";
        String type = rope.text(key, "default");
        return switch (type) {
            case "default" -> new Scaling.None();
            case "linear" -> new Scaling.Linear(required(rope, "factor"));
            case "llama3" -> new Scaling.Llama3(
                    required(rope, "factor"),
                    required(rope, "low_freq_factor"),
                    required(rope, "high_freq_factor"),
                    rope.positive("original_max_position_embeddings", config.positive("original_max_position_embeddings",
                            config.size("max_position_embeddings", 2048))));
            default -> throw rope.wrong(key, "one of the supported rope types default, linear, llama3");
        };
    }

    private static double required(ConfigJson rope, String key) {
        if (!rope.has(key)) {
            throw new InvalidInputException(rope.file() + ": the rope parameters have no '" + key + "'");
        }
        return rope.positive(key, 1);
    }

    /**
     * Cosines and sines of every position, computed in fp32 in the order in which transformers computes them.
     *
     * @return two tensors (positions, ⌈dimensions / 2⌉) of the caller's pointer scope
     */
    Tensor[] tables(int positions) {
        try (NoGradGuard guard = new NoGradGuard()) {
            Tensor steps = torch.arange(new Scalar(0), new Scalar(dimensions), new Scalar(2)).to(ScalarType.Float);
            Tensor inverse = scaled(torch.pow(new Scalar(theta), steps.div(new Scalar((double) dimensions))).reciprocal());
            Tensor angles = torch.outer(torch.arange(new Scalar(positions)).to(ScalarType.Float), inverse);
            return new Tensor[] {angles.cos(), angles.sin()};
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
