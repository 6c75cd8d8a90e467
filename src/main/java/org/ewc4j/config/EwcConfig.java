package org.ewc4j.config;

import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.Consumer;
import org.ewc4j.error.InvalidInputException;

/**
 * Key {@code ewc}: how what was learned is kept. A value out of its range is an {@code InvalidInputException} that names
 * the key.
 *
 * @param lambdaSetting λ, weight of the penalty ½ Σ F (θ*−θ)², or that it is to be chosen; 0 is plain sequential fine-tuning
 * @param fisher kind of Fisher diagonal; λ means something else for each
 * @param merge how a task's Fisher joins those before
 * @param gamma γ of {@link Merge#ONLINE}
 * @param alpha α of {@link Merge#EMA}
 * @param fisherType in which F is kept
 * @param anchorType in which θ* is kept
 * @param anchorPlacement where θ* lies
 * @param from folder of a consolidation that training starts under
 * @param fromOtherParameters whether that may be one of other parameters than training starts from
 * @param fisherBatchSize rows of a batch in the Fisher pass; none: the training batch size
 * @param fisherOptions what else there is to say about the estimate
 * @param protect data of what the starting checkpoint knows; none: the first task is learned without a penalty
 * @param penaltyOptions how the penalty acts
 */
public record EwcConfig(
        LambdaSetting lambdaSetting,
        FisherKind fisher,
        Merge merge,
        double gamma,
        double alpha,
        FisherType fisherType,
        AnchorType anchorType,
        AnchorPlacement anchorPlacement,
        Optional<Path> from,
        boolean fromOtherParameters,
        OptionalInt fisherBatchSize,
        FisherOptions fisherOptions,
        Optional<ProtectConfig> protect,
        PenaltyOptions penaltyOptions) {
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
        Settings.require("ewc.lambda", lambdaSetting);
        Settings.require("ewc.gamma", gamma);
        Settings.require("ewc.alpha", alpha);
        fisherBatchSize.ifPresent(value -> Settings.require("ewc.fisher_batch_size", value));
    }

    /** λ 5000, batch Fisher, running mean, fp32. */
    public static EwcConfig defaults() {
        return SettingValues.defaults().ewc();
    }

    /**
     * λ.
     *
     * @throws InvalidInputException where it is still to be chosen
     */
    public double lambda() {
        return lambdaSetting.value();
    }

    public EwcConfig withLambda(double value) {
        return withLambda(LambdaSetting.of(value));
    }

    public EwcConfig withLambda(LambdaSetting value) {
        return with(draft -> draft.lambda = value);
    }

    public EwcConfig withFisher(FisherKind value) {
        return with(draft -> draft.fisher = value);
    }

    public EwcConfig withMerge(Merge value) {
        return with(draft -> draft.merge = value);
    }

    /** γ, of {@link Merge#ONLINE}. */
    public EwcConfig withGamma(double value) {
        return with(draft -> draft.gamma = value);
    }

    /** α, of {@link Merge#EMA}. */
    public EwcConfig withAlpha(double value) {
        return with(draft -> draft.alpha = value);
    }

    /** In which types F and θ* are kept. */
    public EwcConfig withStateTypes(FisherType fisherValue, AnchorType anchorValue) {
        return with(draft -> {
            draft.fisherType = fisherValue;
            draft.anchorType = anchorValue;
        });
    }

    /** Where θ* lies. */
    public EwcConfig withAnchorPlacement(AnchorPlacement value) {
        return with(draft -> draft.anchorPlacement = value);
    }

    /** The folder of a consolidation that training starts under. */
    public EwcConfig withFrom(Path folder) {
        return with(draft -> draft.from = Optional.of(folder));
    }

    /** Whether the parameters may be others than those that the consolidation of {@link #withFrom} holds on to. */
    public EwcConfig withFromOtherParameters(boolean value) {
        return with(draft -> draft.fromOtherParameters = value);
    }

    public EwcConfig withFisherBatchSize(int value) {
        return with(draft -> draft.fisherBatchSize = OptionalInt.of(value));
    }

    public EwcConfig withFisherOptions(FisherOptions value) {
        return with(draft -> draft.fisherOptions = value);
    }

    public EwcConfig withProtect(ProtectConfig value) {
        return with(draft -> draft.protect = Optional.of(value));
    }

    public EwcConfig withPenaltyOptions(PenaltyOptions value) {
        return with(draft -> draft.penaltyOptions = value);
    }

    /**
     * @throws InvalidInputException where these settings and those of training contradict each other
     */
    public void requireFits(TrainingConfig training) {
        if (penaltyOptions.kind() == PenaltyOptions.Kind.PROXIMAL
                && training.clipTarget() == TrainingConfig.ClipTarget.TOTAL) {
            throw new InvalidInputException("training.clip_of: total does not go with ewc.penalty: proximal,"
                    + " whose penalty is no gradient that could be clipped; leave clip_of at lm");
        }
    }

    private EwcConfig with(Consumer<Draft> change) {
        Draft draft = new Draft(this);
        change.accept(draft);
        return draft.config();
    }

    /** A changeable copy, so that each with-method names only what it changes. */
    private static final class Draft {
        private LambdaSetting lambda;
        private FisherKind fisher;
        private Merge merge;
        private double gamma;
        private double alpha;
        private FisherType fisherType;
        private AnchorType anchorType;
        private AnchorPlacement anchorPlacement;
        private Optional<Path> from;
        private boolean fromOtherParameters;
        private OptionalInt fisherBatchSize;
        private FisherOptions fisherOptions;
        private Optional<ProtectConfig> protect;
        private PenaltyOptions penaltyOptions;

        Draft(EwcConfig config) {
            lambda = config.lambdaSetting;
            fisher = config.fisher;
            merge = config.merge;
            gamma = config.gamma;
            alpha = config.alpha;
            fisherType = config.fisherType;
            anchorType = config.anchorType;
            anchorPlacement = config.anchorPlacement;
            from = config.from;
            fromOtherParameters = config.fromOtherParameters;
            fisherBatchSize = config.fisherBatchSize;
            fisherOptions = config.fisherOptions;
            protect = config.protect;
            penaltyOptions = config.penaltyOptions;
        }

        EwcConfig config() {
            return new EwcConfig(
                    lambda,
                    fisher,
                    merge,
                    gamma,
                    alpha,
                    fisherType,
                    anchorType,
                    anchorPlacement,
                    from,
                    fromOtherParameters,
                    fisherBatchSize,
                    fisherOptions,
                    protect,
                    penaltyOptions);
        }
    }
}
