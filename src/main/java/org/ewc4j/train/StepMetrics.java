package org.ewc4j.train;

/**
 * One optimizer step as it is reported, a row of {@code steps.jsonl}.
 *
 * @param task index of the task, from 0
 * @param taskName its name
 * @param epoch from 0, within the task
 * @param step from 0, over the run
 * @param lmLoss mean token loss over the scored positions of the step, in nats
 * @param penalty ½ Σ F (θ*−θ)² + c, before λ, at θ before the step; c is 0 but for {@code ewc.merge: sum}
 * @param loss {@code lmLoss + λ·penalty}
 * @param gradNorm 2-norm of the language-model gradient before clipping
 * @param lambda λ as applied in this step
 * @param displacementNorm 2-norm of F(θ−θ*), before λ, at θ before the step; 0 where nothing is consolidated yet
 * @param learningRate as applied in this step
 * @param tokens input tokens without padding
 * @param seconds wall time of the step; where several are read at once, their time divided among them
 * @param skipped whether the update was left out because the gradient was not finite
 */
public record StepMetrics(
        int task,
        String taskName,
        int epoch,
        long step,
        double lmLoss,
        double penalty,
        double loss,
        double gradNorm,
        double lambda,
        double displacementNorm,
        double learningRate,
        long tokens,
        double seconds,
        boolean skipped) {
    /** A step whose update was made. */
    public StepMetrics(
            int task,
            String taskName,
            int epoch,
            long step,
            double lmLoss,
            double penalty,
            double loss,
            double gradNorm,
            double lambda,
            double displacementNorm,
            double learningRate,
            long tokens,
            double seconds) {
        this(
                task,
                taskName,
                epoch,
                step,
                lmLoss,
                penalty,
                loss,
                gradNorm,
                lambda,
                displacementNorm,
                learningRate,
                tokens,
                seconds,
                false);
    }

    /** ‖λF(θ−θ*)‖, the 2-norm of the penalty's gradient, whether the step took that or was proximal. */
    public double penaltyGradNorm() {
        return lambda * displacementNorm;
    }

    /** ‖λF(θ−θ*)‖ ÷ ‖g‖: how the penalty weighs beside the loss; NaN or infinite where ‖g‖ is 0. */
    public double penaltyGradRatio() {
        return penaltyGradNorm() / gradNorm;
    }
}
