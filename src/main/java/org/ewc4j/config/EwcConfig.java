package org.ewc4j.config;

import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * Key {@code ewc}: how what was learned is kept. A value out of its range is an {@code InvalidInputException} that names
 * the key.
 *
 * @param lambda λ, weight of the penalty ½ Σ F (θ*−θ)²; 0 is plain sequential fine-tuning
 * @param fisher kind of Fisher diagonal; λ means something else for each
 * @param merge how a task's Fisher joins those before
 * @param gamma γ of {@link Merge#ONLINE}
 * @param alpha α of {@link Merge#EMA}
 * @param fisherType in which F is kept
 * @param anchorType in which θ* is kept
 * @param from folder of a consolidation that training starts under
 * @param fisherBatchSize rows of a batch in the Fisher pass; none: the training batch size
 * @param fisherOptions what else there is to say about the estimate
 * @param protect data of what the starting checkpoint knows; none: the first task is learned without a penalty
 */
public record EwcConfig(
        double lambda,
        FisherKind fisher,
        Merge merge,
        double gamma,
        double alpha,
        FisherType fisherType,
        AnchorType anchorType,
        Optional<Path> from,
        OptionalInt fisherBatchSize,
        FisherOptions fisherOptions,
        Optional<ProtectConfig> protect) {
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

    /** How Fishers combine; {@code consolidation.MergeSchedule} has equations and sources. */
    public enum Merge {
        /** F ← (F_new + t F_old)/(t+1). */
        RUNNING_MEAN,
        /** F ← γ F_old + F_new. */
        ONLINE,
        /** F ← (1−α) F_old + α F_new. */
        EMA,
        /** Every task's own penalty, summed. */
        SUM,
        /** F ← max(F_old, F_new). */
        MAX
    }

    /** In which type F is kept. */
    public enum FisherType {
        FP32,
        BF16,
        /** 8-bit levels of the root, with a scale for each 256 elements. */
        INT8
    }

    /** In which type θ* is kept. */
    public enum AnchorType {
        FP32,
        FP16,
        /** Levels with a step for each 256 elements. */
        INT16,
        BF16
    }

    public EwcConfig {
        Settings.require("ewc.lambda", lambda);
        Settings.require("ewc.gamma", gamma);
        Settings.require("ewc.alpha", alpha);
        fisherBatchSize.ifPresent(value -> Settings.require("ewc.fisher_batch_size", value));
    }

    /** λ 5000, batch Fisher, running mean, fp32. */
    public static EwcConfig defaults() {
        return SettingValues.defaults().ewc();
    }

    public EwcConfig withLambda(double value) {
        return new EwcConfig(
                value,
                fisher,
                merge,
                gamma,
                alpha,
                fisherType,
                anchorType,
                from,
                fisherBatchSize,
                fisherOptions,
                protect);
    }

    public EwcConfig withFisher(FisherKind value) {
        return new EwcConfig(
                lambda,
                value,
                merge,
                gamma,
                alpha,
                fisherType,
                anchorType,
                from,
                fisherBatchSize,
                fisherOptions,
                protect);
    }

    public EwcConfig withMerge(Merge value) {
        return new EwcConfig(
                lambda,
                fisher,
                value,
                gamma,
                alpha,
                fisherType,
                anchorType,
                from,
                fisherBatchSize,
                fisherOptions,
                protect);
    }

    /** γ, of {@link Merge#ONLINE}. */
    public EwcConfig withGamma(double value) {
        return new EwcConfig(
                lambda,
                fisher,
                merge,
                value,
                alpha,
                fisherType,
                anchorType,
                from,
                fisherBatchSize,
                fisherOptions,
                protect);
    }

    /** α, of {@link Merge#EMA}. */
    public EwcConfig withAlpha(double value) {
        return new EwcConfig(
                lambda,
                fisher,
                merge,
                gamma,
                value,
                fisherType,
                anchorType,
                from,
                fisherBatchSize,
                fisherOptions,
                protect);
    }

    /** In which types F and θ* are kept. */
    public EwcConfig withStateTypes(FisherType fisherValue, AnchorType anchorValue) {
        return new EwcConfig(
                lambda,
                fisher,
                merge,
                gamma,
                alpha,
                fisherValue,
                anchorValue,
                from,
                fisherBatchSize,
                fisherOptions,
                protect);
    }

    /** The folder of a consolidation that training starts under. */
    public EwcConfig withFrom(Path folder) {
        return new EwcConfig(
                lambda,
                fisher,
                merge,
                gamma,
                alpha,
                fisherType,
                anchorType,
                Optional.of(folder),
                fisherBatchSize,
                fisherOptions,
                protect);
    }

    public EwcConfig withFisherBatchSize(int value) {
        return new EwcConfig(
                lambda,
                fisher,
                merge,
                gamma,
                alpha,
                fisherType,
                anchorType,
                from,
                OptionalInt.of(value),
                fisherOptions,
                protect);
    }

    public EwcConfig withFisherOptions(FisherOptions value) {
        return new EwcConfig(
                lambda, fisher, merge, gamma, alpha, fisherType, anchorType, from, fisherBatchSize, value, protect);
    }

    public EwcConfig withProtect(ProtectConfig value) {
        return new EwcConfig(
                lambda,
                fisher,
                merge,
                gamma,
                alpha,
                fisherType,
                anchorType,
                from,
                fisherBatchSize,
                fisherOptions,
                Optional.of(value));
    }
}
