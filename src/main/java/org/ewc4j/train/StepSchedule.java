package org.ewc4j.train;

import org.ewc4j.config.PenaltyOptions;
import org.ewc4j.config.TrainingConfig;
import org.ewc4j.config.TrainingConfig.Schedule;

/**
 * A number that follows the steps of a task, the learning rate or λ: a linear rise over the warm-up steps, then constant, or
 * down to zero at the task's end linearly or along a half cosine. The first warm-up step takes 1/warm-up of it, not zero.
 *
 * @param peak the number at its highest
 * @param schedule how it goes on behind the warm-up
 * @param warmup steps of the rise
 * @param steps optimizer steps of the task
 */
record StepSchedule(double peak, Schedule schedule, long warmup, long steps) {
    static StepSchedule ofLearningRate(TrainingConfig config, long steps) {
        return new StepSchedule(config.learningRate(), config.schedule(), config.warmupSteps(), steps);
    }

    static StepSchedule ofLambda(double lambda, PenaltyOptions options, long steps) {
        return new StepSchedule(lambda, options.lambdaSchedule(), Math.round(options.lambdaWarmup() * steps), steps);
    }

    static StepSchedule constant(double value) {
        return new StepSchedule(value, Schedule.CONSTANT, 0, 1);
    }

    /** @param step from 0, within the task */
    double at(long step) {
        if (step < warmup) {
            return peak * (step + 1) / warmup;
        }
        double gone = steps > warmup ? (double) (step - warmup) / (steps - warmup) : 0;
        return switch (schedule) {
            case CONSTANT -> peak;
            case LINEAR -> peak * (1 - gone);
            case COSINE -> peak * 0.5 * (1 + Math.cos(Math.PI * gone));
        };
    }
}
