package org.ewc4j.kernel;

/**
 * What a step decides from the gradient's norm before it is taken, where the gradient lies, so that nobody waits for it.
 *
 * @param clipNorm 2-norm that a larger gradient is scaled down to, above 0; infinite: no clipping
 * @param ofTotal whether the norm is that of g + λF(θ−θ*) and both are scaled; else that of g, and g alone is
 * @param skipNonfinite whether a step whose norm is not finite is left out, and does not count
 */
public record StepGuard(double clipNorm, boolean ofTotal, boolean skipNonfinite) {
    /** The step is taken as it is. */
    public static final StepGuard NONE = new StepGuard(Double.POSITIVE_INFINITY, false, false);

    boolean needsNorm() {
        return skipNonfinite || Double.isFinite(clipNorm);
    }
}
