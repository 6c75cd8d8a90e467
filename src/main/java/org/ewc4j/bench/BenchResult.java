package org.ewc4j.bench;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.ewc4j.tensor.CudaDevice;
import org.ewc4j.tensor.Device;

/** What {@link Benchmark} found, as text for a person and as JSON for a program. */
public final class BenchResult {
    private final BenchOptions options;
    private final Device device;
    private final Optional<CudaDevice> gpu;
    private final long parameters;
    private final BenchBatches batches;
    private final List<KernelBenchmark.Result> kernels;
    private final StepBenchmark.Result step;

    BenchResult(
            BenchOptions options,
            Device device,
            Optional<CudaDevice> gpu,
            long parameters,
            BenchBatches batches,
            List<KernelBenchmark.Result> kernels,
            StepBenchmark.Result step) {
        this.options = options;
        this.device = device;
        this.gpu = gpu;
        this.parameters = parameters;
        this.batches = batches;
        this.kernels = kernels;
        this.step = step;
    }

    /** A table of kernels and one of steps; each figure is a median with its minimum and maximum. */
    public String text() {
        StringBuilder text = new StringBuilder();
        line(
                text,
                "%s: %,d parameters, %d rows of %s, %d threads, %s, %s; median (minimum - maximum) of %d rounds",
                options.shape(),
                parameters,
                options.batch(),
                rows(),
                options.threads(),
                device,
                precision(),
                options.rounds());
        line(text, "");
        line(text, "%-20s %8s  %-24s %-24s %s", "kernel", "bytes/p", "GB/s", "of copy_", "ms");
        for (KernelBenchmark.Result kernel : kernels) {
            line(
                    text,
                    "%-20s %8d  %-24s %-24s %s",
                    kernel.name(),
                    kernel.bytesPerParameter(),
                    kernel.gigabytesPerSecond().text(1),
                    kernel.shareOfCopy().text(2),
                    kernel.milliseconds().text(1));
        }
        line(text, "");
        line(text, "%-20s %-26s %-10s %-10s %s", "step", "ms", "CPU ms", "steps/s", "tokens/s");
        row(text, "forward + backward", step.forwardBackward());
        row(text, "plain step", step.plain());
        row(text, "EWC step", step.ewc());
        row(text, "EWC step, F dense", step.denseEwc());
        row(text, "Fisher pass, batch", step.fisher());
        row(text, "Fisher pass, example", step.exampleFisher());
        row(text, "Fisher pass, sampled", step.sampledFisher());
        line(text, "");
        line(
                text,
                "EWC step / plain step                  %s of %d pairs",
                step.ewcOverPlain().text(3),
                step.ewcOverPlain().size());
        line(
                text,
                "EWC step, F dense / plain step         %s",
                overPlain(step.denseEwc()).text(3));
        line(
                text,
                "Fisher, batch / forward + backward     %s of %d pairs",
                step.fisherOverForwardBackward().text(3),
                step.fisherOverForwardBackward().size());
        line(
                text,
                "Fisher, example / forward + backward   %s",
                overForwardBackward(step.exampleFisher()).text(3));
        line(
                text,
                "Fisher, sampled / forward + backward   %s",
                overForwardBackward(step.sampledFisher()).text(3));
        line(
                text,
                "state of EWC, bytes a parameter        %.2f, F %s, anchor %s (beside %.2f of AdamW training and a gradient of 4)",
                step.ewcStateBytesPerParameter(),
                options.state().fisher(),
                options.state().anchor(),
                step.trainingStateBytesPerParameter());
        return text.toString();
    }

    private String precision() {
        return options.precision().name().toLowerCase(Locale.ROOT);
    }

    private String rows() {
        if (options.questions().isEmpty()) {
            return batches.maxLength() + " random tokens, every position scored";
        }
        return String.format(
                Locale.ROOT,
                "real questions (on average %.0f tokens in %.1f columns, %.1f scored positions a batch)",
                batches.tokens(),
                batches.columns(),
                batches.scoredPositions());
    }

    private void row(StringBuilder text, String name, StepBenchmark.Timing timing) {
        double perSecond = 1e3 / timing.wall().median();
        line(
                text,
                "%-20s %-26s %-10.0f %-10.2f %.0f",
                name,
                timing.wall().text(1),
                timing.processor().median(),
                perSecond,
                perSecond * batches.tokens());
    }

    private static void line(StringBuilder text, String format, Object... values) {
        text.append(String.format(Locale.ROOT, format, values).stripTrailing()).append('\n');
    }

    private Spread overPlain(StepBenchmark.Timing timing) {
        return timing.wall().over(step.plain().wall());
    }

    private Spread overForwardBackward(StepBenchmark.Timing timing) {
        return timing.wall().over(step.forwardBackward().wall());
    }

    /**
     * One JSON object; beside each median {@code x} stand {@code x_min} and {@code x_max}.
     *
     * @param machine facts of the machine and versions, by name
     */
    public String json(Map<String, String> machine) {
        ObjectNode root = new JsonMapper().createObjectNode();
        ObjectNode facts = root.putObject("machine");
        machine.forEach(facts::put);
        root.put("shape", options.shape());
        root.put("parameters", parameters);
        root.put("batch", options.batch());
        root.put("length", batches.maxLength());
        root.put("rows", options.questions().isEmpty() ? "random" : "questions");
        root.put("tokens_per_batch", batches.tokens());
        root.put("columns_per_batch", batches.columns());
        root.put("scored_positions_per_batch", batches.scoredPositions());
        root.put("device", device.toString());
        gpu.ifPresent(properties -> gpu(root.putObject("gpu"), properties));
        root.put("precision", precision());
        root.put("threads", options.threads());
        root.put("rounds", options.rounds());
        ArrayNode streaming = root.putArray("kernels");
        ArrayNode others = root.putArray("other_kernels");
        for (KernelBenchmark.Result kernel : kernels) {
            ObjectNode node = (kernel.streaming() ? streaming : others).addObject();
            node.put("name", kernel.name());
            node.put("bytes_per_parameter", kernel.bytesPerParameter());
            kernel.gigabytesPerSecond().put(node, "gigabytes_per_second");
            kernel.shareOfCopy().put(node, "share_of_copy");
            kernel.milliseconds().put(node, "ms");
        }
        steps(root);
        root.put("fisher_dtype", options.state().fisher().name().toLowerCase(Locale.ROOT));
        root.put("anchor_dtype", options.state().anchor().name().toLowerCase(Locale.ROOT));
        root.put("state_bytes_per_parameter", Spread.rounded(step.ewcStateBytesPerParameter()));
        root.put("adamw_state_bytes_per_parameter", Spread.rounded(step.trainingStateBytesPerParameter()));
        return root.toPrettyString() + "\n";
    }

    private static void gpu(ObjectNode node, CudaDevice gpu) {
        node.put("name", gpu.name());
        node.put("compute_capability", gpu.capability());
        node.put("multiprocessors", gpu.multiprocessors());
        node.put("memory_bytes", gpu.memoryBytes());
        node.put("peak_allocated_bytes", gpu.peakBytes());
    }

    private void steps(ObjectNode root) {
        ObjectNode node = root.putObject("step");
        put(node, "forward_backward", step.forwardBackward());
        put(node, "plain", step.plain());
        put(node, "ewc", step.ewc());
        step.ewcOverPlain().put(node, "ewc_over_plain");
        node.put("ewc_over_plain_pairs", step.ewcOverPlain().size());
        put(node, "ewc_dense", step.denseEwc());
        overPlain(step.denseEwc()).put(node, "ewc_dense_over_plain");
        step.ewc().wall().map(ms -> 1e3 / ms).put(node, "steps_per_second");
        step.ewc().wall().map(ms -> 1e3 / ms * batches.tokens()).put(node, "tokens_per_second");
        ObjectNode fisher = root.putObject("fisher");
        put(fisher, "batch", step.fisher());
        step.fisherOverForwardBackward().put(fisher, "batch_over_forward_backward");
        fisher.put("batch_pairs", step.fisherOverForwardBackward().size());
        put(fisher, "example", step.exampleFisher());
        overForwardBackward(step.exampleFisher()).put(fisher, "example_over_forward_backward");
        put(fisher, "sampled", step.sampledFisher());
        overForwardBackward(step.sampledFisher()).put(fisher, "sampled_over_forward_backward");
    }

    private static void put(ObjectNode node, String name, StepBenchmark.Timing timing) {
        timing.wall().put(node, name + "_ms");
        timing.processor().put(node, name + "_cpu_ms");
    }
}
