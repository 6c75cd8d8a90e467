package org.ewc4j.kernel;

/**
 * What one optimizer step reduced on its way over the parameters. Norms are 2-norms before any scale.
 *
 * @param penalty ½ Σ F (θ*−θ)² at θ before the step, before λ; 0 without a Fisher
 * @param gradientNorm ‖g‖ of the language-model gradient
 * @param penaltyGradientNorm ‖λF(θ−θ*)‖; 0 without a Fisher
 */
public record StepStatistics(double penalty, double gradientNorm, double penaltyGradientNorm) {}
