package org.ewc4j.train;

import org.ewc4j.config.TrainingConfig;

/**
 * The learning rate of each step of a task: a linear rise over the warm-up steps, then constant, or down to zero at the
 * task's end linearly or along a half cosine. The first warm-up step takes 1/warm-up of the rate, not zero of it.
 */
final class LearningRate {
    private final TrainingConfig config;
    private final long steps;

    /** @param steps optimizer steps of the task */
    LearningRate(TrainingConfig config, long steps) {
        this.config = config;
        this.steps = steps;
    }

    /** @param step from 0, within the task */
    double at(long step) {
        int warmup = config.warmupSteps();
        if (step < warmup) {
            return config.learningRate() * (step + 1) / warmup;
        }
        double gone = steps > warmup ? (double) (step - warmup) / (steps - warmup) : 0;
        return switch (config.schedule()) {
            case CONSTANT -> config.learningRate();
            case LINEAR -> config.learningRate() * (1 - gone);
            case COSINE -> config.learningRate() * 0.5 * (1 + Math.cos(Math.PI * gone));
        };
    }
}
