package org.ewc4j.kernel;

/**
 * What of AdamW stays the same over a run (Loshchilov and Hutter 2019, as PyTorch computes it).
 *
 * @param beta1 decay of the first moment, in [0, 1)
 * @param beta2 decay of the second moment, in [0, 1)
 * @param epsilon added to the root of the second moment, 0 or more
 * @param weightDecay decoupled decay: θ ← θ(1 − η·weightDecay) before the update, 0 or more
 * @param segmentLearningRate factors of the learning rate, one for each tensor of θ, 0 or more; null: 1 for all
 * @param segmentWeightDecay in place of weightDecay, one for each tensor of θ, 0 or more; null: weightDecay for all
 * @param segmentLambda factors of λ, one for each tensor of θ, 0 or more; null: 1 for all
 * @param proximal whether the penalty pulls θ towards θ* behind the step, at any λ steadily, in place of joining the
 *     gradient; ewc.h has the formula
 */
public record AdamWOptions(
        double beta1,
        double beta2,
        double epsilon,
        double weightDecay,
        double[] segmentLearningRate,
        double[] segmentWeightDecay,
        double[] segmentLambda,
        boolean proximal) {
    /** The same for all tensors. */
    public AdamWOptions(double beta1, double beta2, double epsilon, double weightDecay) {
        this(beta1, beta2, epsilon, weightDecay, null, null, null, false);
    }

    /** PyTorch's defaults for the moments (0.9, 0.999, 1e-8) with this decay. */
    public static AdamWOptions withWeightDecay(double weightDecay) {
        return new AdamWOptions(0.9, 0.999, 1e-8, weightDecay);
    }
}
