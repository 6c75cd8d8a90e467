package org.ewc4j.kernel;

/**
 * What of AdamW changes from step to step.
 *
 * @param step count of this step over the run, from 1, for the bias correction
 * @param learningRate η
 * @param lambda strength of the penalty
 * @param gradientScale multiplies the language-model gradient (clipping); 1 leaves it
 * @param penaltyScale multiplies the penalty gradient λF(θ−θ*) (clipping of the total); 1 leaves it
 */
public record AdamWStep(long step, double learningRate, double lambda, double gradientScale, double penaltyScale) {
    /** A step without clipping. */
    public AdamWStep(long step, double learningRate, double lambda) {
        this(step, learningRate, lambda, 1.0, 1.0);
    }
}
