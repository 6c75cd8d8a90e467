package org.ewc4j.bench;

import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.function.IntFunction;
import org.ewc4j.config.FisherOptions.Unit;
import org.ewc4j.config.PenaltyOptions;
import org.ewc4j.config.TrainingConfig;
import org.ewc4j.consolidation.Consolidation;
import org.ewc4j.consolidation.HeldFisher;
import org.ewc4j.consolidation.MergeSchedule;
import org.ewc4j.consolidation.StatePlaces;
import org.ewc4j.data.Batch;
import org.ewc4j.data.StepBatch;
import org.ewc4j.fisher.BatchFisher;
import org.ewc4j.fisher.ExampleFisher;
import org.ewc4j.fisher.FisherEstimator;
import org.ewc4j.fisher.FisherReading;
import org.ewc4j.fisher.UniformFisher;
import org.ewc4j.kernel.ElementType;
import org.ewc4j.kernel.Kernels;
import org.ewc4j.model.CausalLm;
import org.ewc4j.model.Labels;
import org.ewc4j.tensor.Arena;
import org.ewc4j.tensor.Device;
import org.ewc4j.train.Trainer;

/**
 * A training step without and with EWC, the forward and backward pass alone, and the Fisher pass, each on the same batch
 * in a round, by the code that trains.
 */
final class StepBenchmark {
    /** λ of the published recipe; the cost does not depend on it. */
    static final double LAMBDA = 5000;

    /**
     * For each round so many more in which only what is compared takes turns: what EWC adds to a step, and the squares to a
     * pass, is less than single ones scatter.
     */
    private static final int PAIRS = 4;

    /** Milliseconds on a batch: on the clock, and what this process's threads computed. */
    record Timing(Spread wall, Spread processor) {}

    /**
     * What was timed.
     *
     * @param forwardBackward loss and gradients, and their release
     * @param plain forward, backward, AdamW
     * @param ewc the same with the penalty of a consolidation whose Fisher is that of one batch: as of any task, it is 0 for what
     *     the task never met, most rows of the input embedding say, and the host's pass skips that
     * @param ewcOverPlain their ratio, of these rounds and of those in which only the two take turns
     * @param denseEwc with one whose Fisher is 0 nowhere, so that nothing is skipped
     * @param fisher forward, backward, accumulation of the squared gradient
     * @param fisherOverForwardBackward their ratio, of pairs as many
     * @param exampleFisher forward, backward to the layers' outputs, accumulation of each example's squared gradient
     * @param sampledFisher the same with labels drawn once
     * @param ewcStateBytesPerParameter what EWC keeps beyond AdamW training: F and θ*
     * @param trainingStateBytesPerParameter what plain training keeps from step to step: θ and the two moments
     */
    record Result(
            Timing forwardBackward,
            Timing plain,
            Timing ewc,
            Spread ewcOverPlain,
            Timing denseEwc,
            Timing fisher,
            Spread fisherOverForwardBackward,
            Timing exampleFisher,
            Timing sampledFisher,
            double ewcStateBytesPerParameter,
            double trainingStateBytesPerParameter) {}

    private StepBenchmark() {}

    static Result run(
            CausalLm model, Kernels kernels, TrainingConfig config, BenchBatches batches, BenchOptions options) {
        List<StepBatch> steps = batches.steps();
        Device device = model.theta().device();
        Trainer.TaskTraining task =
                new Trainer.TaskTraining(0, "bench", List.of(), config, LAMBDA, PenaltyOptions.defaults());
        try (Trainer trainer = new Trainer(model, kernels);
                Consolidation consolidation = empty(model, options);
                Consolidation dense = empty(model, options);
                Arena newFisher = new Arena(model.layout(), ElementType.F32, device)) {
            consolidate(model, kernels, consolidation, new BatchFisher(model, steps.subList(0, 1)));
            consolidate(model, kernels, dense, new UniformFisher(model, model.trained()));
            IntFunction<StepBatch> batch = round -> steps.get(round % steps.size());
            RoundRobin robin = RoundRobin.on(device, RoundRobin.STEPS_ON_DEVICE);
            robin.add("forward_backward", round -> forwardBackward(model, batch.apply(round)));
            robin.add("plain", (round, times) -> train(trainer, task, batch.apply(round), times, null));
            robin.add("ewc", (round, times) -> train(trainer, task, batch.apply(round), times, consolidation));
            robin.add("ewc_dense", (round, times) -> train(trainer, task, batch.apply(round), times, dense));
            robin.add(
                    "fisher",
                    round -> new BatchFisher(model, List.of(batch.apply(round)))
                            .accumulateInto(newFisher, 1, FisherReading.NONE, reading -> {}));
            robin.add(
                    "example_fisher",
                    round -> exampleFisher(model, kernels, batch.apply(round), new Labels.OfData(), newFisher));
            robin.add(
                    "sampled_fisher",
                    round -> exampleFisher(model, kernels, batch.apply(round), new Labels.Sampled(0, 0, 1), newFisher));
            Map<String, RoundRobin.Seconds> seconds = robin.run(options.rounds());
            int pairs = PAIRS * options.rounds();
            double parameters = model.layout().elements();
            return new Result(
                    milliseconds(seconds.get("forward_backward")),
                    milliseconds(seconds.get("plain")),
                    milliseconds(seconds.get("ewc")),
                    over("ewc", "plain", seconds, robin, pairs),
                    milliseconds(seconds.get("ewc_dense")),
                    milliseconds(seconds.get("fisher")),
                    over("fisher", "forward_backward", seconds, robin, pairs),
                    milliseconds(seconds.get("example_fisher")),
                    milliseconds(seconds.get("sampled_fisher")),
                    consolidation.stateBytes() / parameters,
                    3 * newFisher.bytes() / parameters);
        }
    }

    private static Consolidation empty(CausalLm model, BenchOptions options) {
        return new Consolidation(
                model.layout(),
                new MergeSchedule.RunningMean(),
                options.state(),
                StatePlaces.on(model.theta().device()));
    }

    private static void consolidate(
            CausalLm model, Kernels kernels, Consolidation consolidation, FisherEstimator estimator) {
        consolidation.add(kernels, estimator, model.theta(), new HeldFisher("bench", estimator.describe()), done -> {});
    }

    /** Steps on a batch, read at the end as in training. */
    private static void train(
            Trainer trainer, Trainer.TaskTraining task, StepBatch batch, int times, Consolidation consolidation) {
        trainer.steps(task, Collections.nCopies(times, batch), task.config().learningRate(), consolidation);
    }

    private static void forwardBackward(CausalLm model, StepBatch batch) {
        model.training(true);
        for (Batch microBatch : batch.microBatches()) {
            model.accumulateGradient(microBatch, batch.scoredPositions());
        }
        model.training(false);
        model.clearGradients();
    }

    private static void exampleFisher(CausalLm model, Kernels kernels, StepBatch batch, Labels labels, Arena fisher) {
        new ExampleFisher(model, kernels, List.of(batch), Unit.SEQUENCE, labels)
                .accumulateInto(fisher, 1, FisherReading.NONE, reading -> {});
    }

    /** The ratio of two operations in the rounds of all, and in so many more of the two alone. */
    private static Spread over(
            String name, String base, Map<String, RoundRobin.Seconds> all, RoundRobin robin, int pairs) {
        return over(name, base, all).and(over(name, base, robin.run(pairs, List.of(base, name))));
    }

    private static Spread over(String name, String base, Map<String, RoundRobin.Seconds> seconds) {
        return seconds.get(name).wall().over(seconds.get(base).wall());
    }

    private static Timing milliseconds(RoundRobin.Seconds seconds) {
        return new Timing(seconds.wall().map(s -> 1e3 * s), seconds.processor().map(s -> 1e3 * s));
    }
}
