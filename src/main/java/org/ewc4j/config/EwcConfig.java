package org.ewc4j.config;

import java.util.OptionalInt;

/**
 * Key {@code ewc}: how what was learned is kept. A value out of its range is an {@code InvalidInputException} that names
 * the key.
 *
 * @param lambda λ, weight of the penalty ½ Σ F (θ*−θ)²; 0 is plain sequential fine-tuning
 * @param fisher kind of Fisher diagonal; λ means something else for each
 * @param merge how a task's Fisher joins those before
 * @param fisherBatchSize rows of a batch in the Fisher pass; none: the training batch size
 * @param fisherOptions what else there is to say about the estimate
 */
public record EwcConfig(
        double lambda, FisherKind fisher, Merge merge, OptionalInt fisherBatchSize, FisherOptions fisherOptions) {
    public enum FisherKind {
        /** Σ n_b g_b² / Σ n_b over batches, g_b the gradient of a batch's mean token loss. */
        BATCH,
        /** The mean of g_n² over examples, g_n the gradient of an example's summed token loss: the empirical Fisher. */
        EXAMPLE,
        /** As EXAMPLE with labels drawn from what the model predicts: the Fisher information by Monte Carlo. */
        SAMPLED,
        /** All ones: an L2 pull towards the last task, the control. */
        UNIFORM
    }

    public enum Merge {
        /** F ← (F_new + t F_old)/(t+1). */
        RUNNING_MEAN
    }

    public EwcConfig {
        Settings.require("ewc.lambda", lambda);
        fisherBatchSize.ifPresent(value -> Settings.require("ewc.fisher_batch_size", value));
    }

    /** λ 5000, batch Fisher, running mean. */
    public static EwcConfig defaults() {
        return SettingValues.defaults().ewc();
    }

    public EwcConfig withLambda(double value) {
        return new EwcConfig(value, fisher, merge, fisherBatchSize, fisherOptions);
    }

    public EwcConfig withFisher(FisherKind value) {
        return new EwcConfig(lambda, value, merge, fisherBatchSize, fisherOptions);
    }

    public EwcConfig withMerge(Merge value) {
        return new EwcConfig(lambda, fisher, value, fisherBatchSize, fisherOptions);
    }

    public EwcConfig withFisherBatchSize(int value) {
        return new EwcConfig(lambda, fisher, merge, OptionalInt.of(value), fisherOptions);
    }

    public EwcConfig withFisherOptions(FisherOptions value) {
        return new EwcConfig(lambda, fisher, merge, fisherBatchSize, value);
    }
}
