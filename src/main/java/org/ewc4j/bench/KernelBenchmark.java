package org.ewc4j.bench;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.ewc4j.kernel.ElementType;
import org.ewc4j.kernel.Kernels;
import org.ewc4j.kernel.StepSlots;
import org.ewc4j.tensor.Arena;
import org.ewc4j.tensor.Device;
import org.ewc4j.tensor.ParameterLayout;

/**
 * Bytes per second of each streaming verb over arenas as large as a model, against libtorch's copy of one such arena to
 * another. Bytes are what the verb must read and write at least, so that a share of 1 is the copy's own speed.
 */
final class KernelBenchmark {
    /** The bytes that a verb reads and writes for a parameter, fp32. */
    private static final Map<String, Integer> BYTES = bytes();

    private static final String COPY = "copy_";

    /**
     * What became of one verb.
     *
     * @param streaming whether it is one of the verbs that a run spends its time in
     * @param bytesPerParameter least bytes read plus written
     * @param shareOfCopy of libtorch's copy in the same round
     */
    record Result(
            String name,
            boolean streaming,
            int bytesPerParameter,
            Spread milliseconds,
            Spread gigabytesPerSecond,
            Spread shareOfCopy) {}

    private KernelBenchmark() {}

    private static Map<String, Integer> bytes() {
        Map<String, Integer> bytes = new LinkedHashMap<>();
        bytes.put("fisher_accumulate", 12);
        bytes.put("penalty", 20);
        bytes.put("adamw_step", 28);
        bytes.put("adamw_step_ewc", 36);
        bytes.put("fisher_merge", 12);
        bytes.put("norm", 4);
        bytes.put("penalty_value", 12);
        bytes.put("total_norm", 16);
        bytes.put(COPY, 8);
        return bytes;
    }

    /** The verbs, the copy last. */
    static List<Result> run(ParameterLayout layout, Device device, Kernels kernels, int rounds) {
        Map<String, RoundRobin.Seconds> seconds;
        try (Arena theta = filled(layout, device, 0.02);
                Arena anchor = filled(layout, device, 0.01);
                Arena fisher = filled(layout, device, 1e-6);
                Arena gradient = filled(layout, device, 1e-3);
                Arena firstMoment = filled(layout, device, 1e-4);
                Arena secondMoment = filled(layout, device, 1e-8);
                StepSlots slots = kernels.slots(1)) {
            OptimizerPass optimizer = new OptimizerPass(kernels, theta, firstMoment, secondMoment, gradient, slots);
            RoundRobin robin = RoundRobin.on(device, RoundRobin.VERBS_ON_DEVICE);
            robin.add("fisher_accumulate", round -> kernels.fisherAccumulate(fisher.list(), gradient.list(), 1e-3));
            robin.add(
                    "penalty",
                    round -> kernels.penaltyGradient(
                            gradient.list(), theta.list(), anchor.list(), fisher.list(), 1, slots, 0));
            robin.add("adamw_step", round -> optimizer.run(null, null));
            robin.add("adamw_step_ewc", round -> optimizer.run(fisher.list(), anchor.list()));
            // The second moment stands for a new Fisher: positive and small.
            robin.add("fisher_merge", round -> kernels.fisherMerge(fisher.list(), secondMoment.list(), 0.5, 0.5));
            robin.add("norm", round -> kernels.norm(gradient.list(), slots, 0));
            robin.add("penalty_value", round -> kernels.penalty(theta.list(), anchor.list(), fisher.list()));
            robin.add(
                    "total_norm",
                    round -> kernels.totalNorm(gradient.list(), theta.list(), anchor.list(), fisher.list(), 1));
            robin.add(COPY, round -> anchor.copyFrom(theta));
            seconds = robin.run(rounds);
        }
        return results(layout.elements(), seconds);
    }

    private static Arena filled(ParameterLayout layout, Device device, double value) {
        Arena arena = new Arena(layout, ElementType.F32, device);
        arena.fill(value);
        return arena;
    }

    private static List<Result> results(long elements, Map<String, RoundRobin.Seconds> seconds) {
        Spread copy = bandwidth(COPY, elements, seconds);
        List<Result> results = new ArrayList<>();
        seconds.forEach((name, taken) -> {
            Spread bandwidth = bandwidth(name, elements, seconds);
            boolean streaming = !List.of(COPY, "penalty_value", "total_norm").contains(name);
            results.add(new Result(
                    name, streaming, BYTES.get(name), taken.wall().map(s -> 1e3 * s), bandwidth, bandwidth.over(copy)));
        });
        return results;
    }

    private static Spread bandwidth(String name, long elements, Map<String, RoundRobin.Seconds> seconds) {
        return seconds.get(name).wall().map(s -> BYTES.get(name) * elements / s * 1e-9);
    }
}
