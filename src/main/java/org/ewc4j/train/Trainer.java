package org.ewc4j.train;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import org.ewc4j.config.TrainingConfig;
import org.ewc4j.config.TrainingConfig.ClipTarget;
import org.ewc4j.consolidation.Consolidation;
import org.ewc4j.data.Batch;
import org.ewc4j.data.BatchLoader;
import org.ewc4j.data.StepBatch;
import org.ewc4j.data.TokenizedRow;
import org.ewc4j.error.RunFailedException;
import org.ewc4j.kernel.AdamWOptions;
import org.ewc4j.kernel.AdamWStep;
import org.ewc4j.kernel.Kernels;
import org.ewc4j.kernel.StepStatistics;
import org.ewc4j.kernel.TensorList;
import org.ewc4j.model.CausalLm;
import org.ewc4j.tensor.Arena;

/**
 * Trains a model on one task after another by AdamW, under the penalty of a consolidation once there is one.
 *
 * <p>The optimizer is PyTorch's AdamW (Loshchilov and Hutter 2019): decay first, then the moments. The penalty's gradient
 * λF(θ−θ*) joins the loss's before the moments, in the same native pass. Moments and step count carry over between tasks.
 * Owned and closed by the learner; used by one thread at a time.
 */
public final class Trainer implements AutoCloseable {
    /**
     * A task to train on.
     *
     * @param index from 0
     * @param rows its tokenized training rows
     * @param lambda λ
     */
    public record TaskTraining(int index, String name, List<TokenizedRow> rows, TrainingConfig config, double lambda) {}

    private static final double CLIP_EPSILON = 1e-6;

    private final CausalLm model;
    private final Kernels kernels;
    private Arena firstMoment;
    private Arena secondMoment;
    private long steps;

    public Trainer(CausalLm model, Kernels kernels) {
        this.model = model;
        this.kernels = kernels;
    }

    /** Optimizer steps taken so far, over all tasks. */
    public long steps() {
        return steps;
    }

    /**
     * Trains one task to its end.
     *
     * @param consolidation of the tasks before; null, or one that holds none yet, for no penalty
     * @param listener told of every step
     * @throws RunFailedException where a loss or gradient is not finite: θ is then not to be saved
     */
    public void train(TaskTraining task, Consolidation consolidation, Consumer<StepMetrics> listener) {
        Consolidation active = consolidation != null && consolidation.held() > 0 ? consolidation : null;
        LearningRate rate =
                new LearningRate(task.config(), BatchLoader.steps(task.rows().size(), task.config()));
        try (BatchLoader loader = new BatchLoader(
                task.rows(), task.config(), task.index(), model.specialTokens().padding())) {
            long first = steps;
            Optional<StepBatch> batch;
            while ((batch = loader.next()).isPresent()) {
                listener.accept(step(task, batch.get(), rate.at(steps - first), active));
            }
        }
    }

    /**
     * One step of {@link #train}.
     *
     * @param consolidation null for no penalty
     */
    public StepMetrics step(TaskTraining task, StepBatch batch, double learningRate, Consolidation consolidation) {
        long started = System.nanoTime();
        try {
            model.training(true);
            double sum = 0;
            for (Batch microBatch : batch.microBatches()) {
                sum += model.accumulateGradient(microBatch, batch.scoredPositions());
            }
            double lmLoss = sum / batch.scoredPositions();
            requireFinite(lmLoss, "lm_loss", task, batch);
            StepStatistics statistics = update(task, learningRate, consolidation);
            double penalty = consolidation == null ? 0 : statistics.penalty() + consolidation.constant();
            double loss = lmLoss + task.lambda() * penalty;
            requireFinite(loss, "loss", task, batch);
            requireFinite(statistics.gradientNorm(), "grad_norm", task, batch);
            double seconds = (System.nanoTime() - started) * 1e-9;
            return new StepMetrics(
                    task.index(),
                    task.name(),
                    batch.epoch(),
                    steps++,
                    lmLoss,
                    penalty,
                    loss,
                    statistics.gradientNorm(),
                    statistics.penaltyGradientNorm(),
                    learningRate,
                    batch.tokens(),
                    seconds);
        } finally {
            model.training(false);
            model.clearGradients();
        }
    }

    private StepStatistics update(TaskTraining task, double learningRate, Consolidation consolidation) {
        takeMoments();
        TrainingConfig config = task.config();
        TensorList gradient = model.gradients();
        TensorList theta = model.theta().list();
        TensorList fisher =
                consolidation == null ? null : consolidation.fisher().list();
        TensorList anchor =
                consolidation == null ? null : consolidation.anchor().list();
        double scale = 1;
        if (config.clipNorm().isPresent()) {
            double norm = config.clipTarget() == ClipTarget.LANGUAGE_MODEL || consolidation == null
                    ? kernels.norm(gradient)
                    : kernels.totalNorm(gradient, theta, anchor, fisher, task.lambda());
            scale = Math.min(1, config.clipNorm().getAsDouble() / (norm + CLIP_EPSILON));
        }
        return kernels.adamwStep(
                theta,
                firstMoment.list(),
                secondMoment.list(),
                gradient,
                fisher,
                anchor,
                new AdamWOptions(config.beta1(), config.beta2(), config.epsilon(), config.weightDecay()),
                new AdamWStep(
                        steps + 1,
                        learningRate,
                        task.lambda(),
                        scale,
                        config.clipTarget() == ClipTarget.TOTAL ? scale : 1));
    }

    private void requireFinite(double value, String what, TaskTraining task, StepBatch batch) {
        if (!Double.isFinite(value)) {
            int[] rows = batch.microBatches().stream()
                    .flatMapToInt(microBatch -> Arrays.stream(microBatch.examples()))
                    .toArray();
            throw new RunFailedException("task '" + task.name() + "', epoch " + batch.epoch() + ", step " + steps + ": "
                    + what + " is " + value + " on the batch of training rows " + Arrays.toString(rows)
                    + "; the run stops, what was saved before stands. A lower training.learning_rate or ewc.lambda, or"
                    + " training.clip_norm, may help");
        }
    }

    /** A learner that is only asked takes no memory for them. */
    private void takeMoments() {
        if (firstMoment == null) {
            firstMoment = new Arena(model.layout());
        }
        if (secondMoment == null) {
            secondMoment = new Arena(model.layout());
        }
    }

    @Override
    public void close() {
        if (firstMoment != null) {
            firstMoment.close();
        }
        if (secondMoment != null) {
            secondMoment.close();
        }
    }
}
