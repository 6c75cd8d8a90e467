package org.ewc4j.kernel;

/**
 * What one optimizer step reduced on its way over the parameters. Norms are 2-norms before any scale.
 *
 * @param penalty ½ Σ fF (θ*−θ)² at θ before the step, before λ, f the factor of λ; 0 without a Fisher
 * @param gradientNorm ‖g‖ of the language-model gradient
 * @param displacementNorm ‖fF(θ−θ*)‖ at θ before the step, before λ; 0 without a Fisher
 * @param lambda λ of the step
 */
public record StepStatistics(double penalty, double gradientNorm, double displacementNorm, double lambda) {
    /** ‖λfF(θ−θ*)‖, whether the step took it as a gradient or was proximal; 0 without a Fisher. */
    public double penaltyGradientNorm() {
        return lambda * displacementNorm;
    }
}
