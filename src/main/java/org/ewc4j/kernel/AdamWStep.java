package org.ewc4j.kernel;

/**
 * What of AdamW changes from step to step.
 *
 * @param step count of this update over the run, from 1, for the bias correction; {@link #SKIPPED} leaves θ and the
 *     moments as they are, whatever the gradient is, and only reduces
 * @param learningRate η
 * @param lambda strength of the penalty
 * @param gradientScale multiplies the language-model gradient (clipping); 1 leaves it
 * @param penaltyScale multiplies the penalty gradient λF(θ−θ*) (clipping of the total); 1 leaves it
 */
public record AdamWStep(long step, double learningRate, double lambda, double gradientScale, double penaltyScale) {
    /** In place of a count: the update is left out. */
    public static final long SKIPPED = 0;

    /** A step without clipping. */
    public AdamWStep(long step, double learningRate, double lambda) {
        this(step, learningRate, lambda, 1.0, 1.0);
    }
}
