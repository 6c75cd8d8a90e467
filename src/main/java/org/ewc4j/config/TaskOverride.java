package org.ewc4j.config;

import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import org.ewc4j.config.TrainingConfig.Schedule;

/** What one task does otherwise than {@code training} and {@code ewc} say; key {@code task_overrides.<task name>}. */
public record TaskOverride(
        OptionalInt epochs,
        OptionalInt maxSteps,
        OptionalInt batchSize,
        OptionalDouble learningRate,
        Optional<Schedule> schedule,
        OptionalInt warmupSteps,
        OptionalDouble weightDecay,
        OptionalDouble lambda) {

    /** The settings of the task, given those of the run. */
    public TrainingConfig applyTo(TrainingConfig training) {
        TrainingConfig applied = training.withEpochs(epochs.orElse(training.epochs()))
                .withBatchSize(batchSize.orElse(training.batchSize()))
                .withLearningRate(learningRate.orElse(training.learningRate()))
                .withSchedule(schedule.orElse(training.schedule()))
                .withWarmupSteps(warmupSteps.orElse(training.warmupSteps()))
                .withWeightDecay(weightDecay.orElse(training.weightDecay()));
        return maxSteps.isPresent() ? applied.withMaxSteps(maxSteps.getAsInt()) : applied;
    }

    /** The consolidation settings of the task, given those of the run. */
    public EwcConfig applyTo(EwcConfig ewc) {
        return ewc.withLambda(lambda.orElse(ewc.lambda()));
    }
}
