package org.ewc4j.config;

import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.function.Consumer;

/**
 * Key {@code training}: how one task is learned. Start from {@link #defaults()} and change what differs:
 * {@code TrainingConfig.defaults().withEpochs(2)}. A value out of its range is an {@code InvalidInputException} that names
 * the key. Ranges and defaults stand in docs/configuration.md.
 *
 * @param epochs how often the task's rows are read
 * @param maxSteps cap on the optimizer steps of a task
 * @param batchSize rows of a micro-batch
 * @param gradientAccumulation micro-batches per optimizer step
 * @param learningRate highest learning rate of the schedule
 * @param schedule how the learning rate goes on after the warm-up
 * @param warmupSteps steps of linear rise at the beginning of a task
 * @param weightDecay decoupled decay, on every parameter
 * @param beta1 decay of the first moment
 * @param beta2 decay of the second moment
 * @param epsilon added to the root of the second moment
 * @param clipNorm 2-norm that a gradient is scaled down to; none: no clipping
 * @param clipTarget which gradient's norm is clipped; key {@code clip_of}
 * @param maxLength tokens of a row at most
 * @param shuffle whether rows are shuffled, anew each epoch
 * @param seed of shuffling and dropout
 * @param threads of libtorch and the native kernels
 * @param loaderThreads that prepare batches ahead
 * @param positions from where token positions count
 * @param device where the learner computes; key {@code device}
 * @param precision of forward and backward pass; key {@code precision}
 * @param logEvery steps between two readings of losses and norms; none: 1 on the CPU, 20 on a CUDA device
 * @param onNonfinite what a gradient with NaN or Inf leads to
 * @param replay rows of each earlier task that are learned again with a later one
 */
public record TrainingConfig(
        int epochs,
        OptionalInt maxSteps,
        int batchSize,
        int gradientAccumulation,
        double learningRate,
        Schedule schedule,
        int warmupSteps,
        double weightDecay,
        double beta1,
        double beta2,
        double epsilon,
        OptionalDouble clipNorm,
        ClipTarget clipTarget,
        int maxLength,
        boolean shuffle,
        long seed,
        int threads,
        int loaderThreads,
        Positions positions,
        DeviceSetting device,
        Precision precision,
        OptionalInt logEvery,
        OnNonfinite onNonfinite,
        int replay) {
    public enum Schedule {
        CONSTANT,
        LINEAR,
        COSINE
    }

    /** Which gradient's 2-norm is clipped: that of the language-model loss, or that of loss and penalty together. */
    public enum ClipTarget {
        LANGUAGE_MODEL,
        TOTAL
    }

    /** Where position 0 is: at a row's first real token, or at the left edge of {@code max_length} columns. */
    public enum Positions {
        FIRST_TOKEN,
        LEFT_EDGE
    }

    /** Of forward and backward pass; parameters, moments and the accumulated Fisher are fp32 always. */
    public enum Precision {
        FP32,
        /** fp32, with the operands of matrix products rounded to 10 bits of mantissa; on CUDA devices only. */
        TF32,
        BF16
    }

    /** What a gradient with NaN or Inf leads to. */
    public enum OnNonfinite {
        /** The run ends when it is read; nothing computed since is saved. */
        STOP,
        /** The step's update is left out and does not count as a step. */
        SKIP
    }

    public TrainingConfig {
        Settings.require("training.epochs", epochs);
        maxSteps.ifPresent(value -> Settings.require("training.max_steps", value));
        Settings.require("training.batch_size", batchSize);
        Settings.require("training.gradient_accumulation", gradientAccumulation);
        Settings.require("training.learning_rate", learningRate);
        Settings.require("training.schedule", schedule);
        Settings.require("training.warmup_steps", warmupSteps);
        Settings.require("training.weight_decay", weightDecay);
        Settings.require("training.beta1", beta1);
        Settings.require("training.beta2", beta2);
        Settings.require("training.epsilon", epsilon);
        clipNorm.ifPresent(value -> Settings.require("training.clip_norm", value));
        Settings.require("training.max_length", maxLength);
        Settings.require("training.threads", threads);
        Settings.require("training.loader_threads", loaderThreads);
        logEvery.ifPresent(value -> Settings.require("training.log_every", value));
        Settings.require("training.replay", replay);
    }

    /** The published recipe's settings, with a thread per physical core. */
    public static TrainingConfig defaults() {
        return SettingValues.defaults().training();
    }

    public TrainingConfig withEpochs(int value) {
        return with(draft -> draft.epochs = value);
    }

    public TrainingConfig withMaxSteps(int value) {
        return with(draft -> draft.maxSteps = OptionalInt.of(value));
    }

    public TrainingConfig withBatchSize(int value) {
        return with(draft -> draft.batchSize = value);
    }

    public TrainingConfig withGradientAccumulation(int value) {
        return with(draft -> draft.gradientAccumulation = value);
    }

    public TrainingConfig withLearningRate(double value) {
        return with(draft -> draft.learningRate = value);
    }

    public TrainingConfig withSchedule(Schedule value) {
        return with(draft -> draft.schedule = value);
    }

    public TrainingConfig withWarmupSteps(int value) {
        return with(draft -> draft.warmupSteps = value);
    }

    public TrainingConfig withWeightDecay(double value) {
        return with(draft -> draft.weightDecay = value);
    }

    public TrainingConfig withBeta1(double value) {
        return with(draft -> draft.beta1 = value);
    }

    public TrainingConfig withBeta2(double value) {
        return with(draft -> draft.beta2 = value);
    }

    public TrainingConfig withEpsilon(double value) {
        return with(draft -> draft.epsilon = value);
    }

    public TrainingConfig withClipNorm(double value) {
        return with(draft -> draft.clipNorm = OptionalDouble.of(value));
    }

    public TrainingConfig withClipTarget(ClipTarget value) {
        return with(draft -> draft.clipTarget = value);
    }

    public TrainingConfig withMaxLength(int value) {
        return with(draft -> draft.maxLength = value);
    }

    public TrainingConfig withShuffle(boolean value) {
        return with(draft -> draft.shuffle = value);
    }

    public TrainingConfig withSeed(long value) {
        return with(draft -> draft.seed = value);
    }

    public TrainingConfig withThreads(int value) {
        return with(draft -> draft.threads = value);
    }

    public TrainingConfig withLoaderThreads(int value) {
        return with(draft -> draft.loaderThreads = value);
    }

    public TrainingConfig withPositions(Positions value) {
        return with(draft -> draft.positions = value);
    }

    public TrainingConfig withDevice(DeviceSetting value) {
        return with(draft -> draft.device = value);
    }

    public TrainingConfig withPrecision(Precision value) {
        return with(draft -> draft.precision = value);
    }

    public TrainingConfig withLogEvery(int value) {
        return with(draft -> draft.logEvery = OptionalInt.of(value));
    }

    public TrainingConfig withOnNonfinite(OnNonfinite value) {
        return with(draft -> draft.onNonfinite = value);
    }

    public TrainingConfig withReplay(int value) {
        return with(draft -> draft.replay = value);
    }

    private TrainingConfig with(Consumer<Draft> change) {
        Draft draft = new Draft(this);
        change.accept(draft);
        return draft.config();
    }

    /** A changeable copy, so that each with-method names only what it changes. */
    private static final class Draft {
        private int epochs;
        private OptionalInt maxSteps;
        private int batchSize;
        private int gradientAccumulation;
        private double learningRate;
        private Schedule schedule;
        private int warmupSteps;
        private double weightDecay;
        private double beta1;
        private double beta2;
        private double epsilon;
        private OptionalDouble clipNorm;
        private ClipTarget clipTarget;
        private int maxLength;
        private boolean shuffle;
        private long seed;
        private int threads;
        private int loaderThreads;
        private Positions positions;
        private DeviceSetting device;
        private Precision precision;
        private OptionalInt logEvery;
        private OnNonfinite onNonfinite;
        private int replay;

        Draft(TrainingConfig config) {
            epochs = config.epochs;
            maxSteps = config.maxSteps;
            batchSize = config.batchSize;
            gradientAccumulation = config.gradientAccumulation;
            learningRate = config.learningRate;
            schedule = config.schedule;
            warmupSteps = config.warmupSteps;
            weightDecay = config.weightDecay;
            beta1 = config.beta1;
            beta2 = config.beta2;
            epsilon = config.epsilon;
            clipNorm = config.clipNorm;
            clipTarget = config.clipTarget;
            maxLength = config.maxLength;
            shuffle = config.shuffle;
            seed = config.seed;
            threads = config.threads;
            loaderThreads = config.loaderThreads;
            positions = config.positions;
            device = config.device;
            precision = config.precision;
            logEvery = config.logEvery;
            onNonfinite = config.onNonfinite;
            replay = config.replay;
        }

        TrainingConfig config() {
            return new TrainingConfig(
                    epochs,
                    maxSteps,
                    batchSize,
                    gradientAccumulation,
                    learningRate,
                    schedule,
                    warmupSteps,
                    weightDecay,
                    beta1,
                    beta2,
                    epsilon,
                    clipNorm,
                    clipTarget,
                    maxLength,
                    shuffle,
                    seed,
                    threads,
                    loaderThreads,
                    positions,
                    device,
                    precision,
                    logEvery,
                    onNonfinite,
                    replay);
        }
    }
}
