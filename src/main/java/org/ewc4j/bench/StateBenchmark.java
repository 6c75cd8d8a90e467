package org.ewc4j.bench;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.ewc4j.config.AnchorPlacement;
import org.ewc4j.config.AnchorPlacement.Memory;
import org.ewc4j.config.PenaltyOptions;
import org.ewc4j.config.TrainingConfig;
import org.ewc4j.consolidation.Consolidation;
import org.ewc4j.consolidation.HeldFisher;
import org.ewc4j.consolidation.MergeSchedule;
import org.ewc4j.consolidation.StatePlaces;
import org.ewc4j.consolidation.StateTypes;
import org.ewc4j.data.StepBatch;
import org.ewc4j.fisher.BatchFisher;
import org.ewc4j.kernel.ElementType;
import org.ewc4j.kernel.Kernels;
import org.ewc4j.kernel.StepSlots;
import org.ewc4j.model.CausalLm;
import org.ewc4j.tensor.Arena;
import org.ewc4j.tensor.Device;
import org.ewc4j.train.Trainer;

/**
 * What each way to keep F and θ* costs: the optimizer's pass alone, the only part of a step that it changes, and whole
 * steps, all of them in turn, on the same batch in a round.
 */
final class StateBenchmark {
    /** A way to keep F and θ*. */
    record State(StateTypes types, Memory memory) {}

    /**
     * What was found of one.
     *
     * @param bytesPerParameter of F and θ* where the kernels run
     * @param elsewhere bytes of θ* a parameter in the machine's pinned memory or a file
     * @param pass milliseconds of AdamW with the penalty
     * @param passOverPlain that pass ÷ AdamW's without a penalty
     * @param stepOverPlain a training step ÷ one without a penalty
     */
    record Result(
            State state,
            double bytesPerParameter,
            double elsewhere,
            Spread pass,
            Spread passOverPlain,
            Spread stepOverPlain) {}

    private StateBenchmark() {}

    /** The ways that there are on a device; the first is the full one. */
    static List<State> states(Device device) {
        ElementType f32 = ElementType.F32;
        ElementType int16 = ElementType.I16_BLOCK256;
        ElementType int8 = ElementType.U8_BLOCK256;
        Memory away = device.isCuda() ? Memory.HOST : Memory.MAPPED;
        return List.of(
                new State(StateTypes.FULL, Memory.DEVICE),
                new State(new StateTypes(ElementType.BF16, f32), Memory.DEVICE),
                new State(new StateTypes(int8, f32), Memory.DEVICE),
                new State(new StateTypes(f32, int16), Memory.DEVICE),
                new State(new StateTypes(f32, ElementType.F16), Memory.DEVICE),
                new State(new StateTypes(ElementType.BF16, int16), Memory.DEVICE),
                new State(new StateTypes(int8, int16), Memory.DEVICE),
                new State(new StateTypes(ElementType.BF16, ElementType.F16), Memory.DEVICE),
                new State(StateTypes.FULL, away),
                new State(new StateTypes(ElementType.BF16, int16), away),
                new State(new StateTypes(int8, int16), away));
    }

    /** @param folder on whose disk the maps lie */
    static List<Result> run(
            CausalLm model, Kernels kernels, TrainingConfig config, BenchBatches batches, int rounds, Path folder) {
        Device device = model.theta().device();
        Map<State, Consolidation> consolidations = new LinkedHashMap<>();
        try {
            StepBatch first = batches.steps().get(0);
            for (State state : states(device)) {
                AnchorPlacement placement =
                        AnchorPlacement.defaults().withMemory(state.memory()).withFolder(folder);
                Consolidation made = new Consolidation(
                        model.layout(),
                        new MergeSchedule.RunningMean(),
                        state.types(),
                        StatePlaces.of(placement, device));
                consolidations.put(state, made);
                BatchFisher fisher = new BatchFisher(model, List.of(first));
                made.add(kernels, fisher, model.theta(), new HeldFisher("bench", fisher.describe()), done -> {});
            }
            RoundRobin robin = RoundRobin.on(device, RoundRobin.VERBS_ON_DEVICE);
            Map<String, RoundRobin.Seconds> passes = passes(model, kernels, consolidations, rounds, robin);
            Map<String, RoundRobin.Seconds> steps = steps(model, kernels, config, batches, consolidations, rounds);
            return results(consolidations, passes, steps);
        } finally {
            consolidations.values().forEach(Consolidation::close);
        }
    }

    private static Map<String, RoundRobin.Seconds> passes(
            CausalLm model, Kernels kernels, Map<State, Consolidation> consolidations, int rounds, RoundRobin robin) {
        Device device = model.theta().device();
        try (Arena gradient = new Arena(model.layout(), ElementType.F32, device);
                Arena firstMoment = new Arena(model.layout(), ElementType.F32, device);
                Arena secondMoment = new Arena(model.layout(), ElementType.F32, device);
                Arena theta = model.theta().copy();
                StepSlots slots = kernels.slots(1)) {
            gradient.fill(1e-3);
            OptimizerPass optimizer = new OptimizerPass(kernels, theta, firstMoment, secondMoment, gradient, slots);
            List<Consolidation> all = new ArrayList<>(consolidations.values());
            all.add(0, null);
            for (Consolidation kept : all) {
                robin.add(
                        name(all.indexOf(kept)),
                        round -> optimizer.run(
                                kept == null ? null : kept.fisher().list(),
                                kept == null ? null : kept.anchor().list()));
            }
            return robin.run(rounds);
        }
    }

    private static Map<String, RoundRobin.Seconds> steps(
            CausalLm model,
            Kernels kernels,
            TrainingConfig config,
            BenchBatches batches,
            Map<State, Consolidation> consolidations,
            int rounds) {
        RoundRobin robin = RoundRobin.on(model.theta().device(), RoundRobin.STEPS_ON_DEVICE);
        Trainer.TaskTraining task = new Trainer.TaskTraining(
                0, "bench", List.of(), config, StepBenchmark.LAMBDA, PenaltyOptions.defaults());
        try (Trainer trainer = new Trainer(model, kernels)) {
            List<Consolidation> all = new ArrayList<>(consolidations.values());
            all.add(0, null);
            for (Consolidation kept : all) {
                robin.add(
                        name(all.indexOf(kept)),
                        (round, times) -> trainer.steps(
                                task,
                                Collections.nCopies(times, batches.steps().get(round)),
                                config.learningRate(),
                                kept));
            }
            return robin.run(rounds);
        }
    }

    /** 0 is without a penalty. */
    private static String name(int index) {
        return Integer.toString(index);
    }

    private static List<Result> results(
            Map<State, Consolidation> consolidations,
            Map<String, RoundRobin.Seconds> passes,
            Map<String, RoundRobin.Seconds> steps) {
        List<Result> results = new ArrayList<>();
        consolidations.forEach((state, kept) -> {
            String name = name(results.size() + 1);
            double elements = kept.fisher().layout().elements();
            double anchor = kept.anchor().bytes() / elements;
            boolean away = state.memory() != Memory.DEVICE;
            Spread pass = passes.get(name).wall();
            results.add(new Result(
                    state,
                    kept.fisher().bytes() / elements + (away ? 0 : anchor),
                    away ? anchor : 0,
                    pass.map(s -> 1e3 * s),
                    pass.over(passes.get(name(0)).wall()),
                    steps.get(name).wall().over(steps.get(name(0)).wall())));
        });
        return results;
    }
}
