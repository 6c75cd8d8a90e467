package org.ewc4j.bench;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.ewc4j.tensor.Device;

/** What {@link StateBenchmark} found, as text for a person and as JSON for a program. */
public final class StateResult {
    private final BenchOptions options;
    private final Device device;
    private final long parameters;
    private final List<StateBenchmark.Result> states;

    StateResult(BenchOptions options, Device device, long parameters, List<StateBenchmark.Result> states) {
        this.options = options;
        this.device = device;
        this.parameters = parameters;
        this.states = states;
    }

    /** A table; each figure is a median with its minimum and maximum, ratios taken round by round. */
    public String text() {
        StringBuilder text = new StringBuilder();
        line(
                text,
                "%s: %,d parameters, %d rows, %d threads, %s; median (minimum - maximum) of %d rounds",
                options.shape(),
                parameters,
                options.batch(),
                options.threads(),
                device,
                options.rounds());
        line(text, "");
        line(
                text,
                "%-13s %-13s %-7s %-8s %-10s %-22s %-24s %s",
                "F",
                "anchor",
                "memory",
                "bytes/p",
                "elsewhere",
                "pass, ms",
                "pass / AdamW's",
                "step / plain step");
        for (StateBenchmark.Result found : states) {
            line(
                    text,
                    "%-13s %-13s %-7s %-8.2f %-10.2f %-22s %-24s %s",
                    found.state().types().fisher(),
                    found.state().types().anchor(),
                    memory(found),
                    found.bytesPerParameter(),
                    found.elsewhere(),
                    found.pass().text(1),
                    found.passOverPlain().text(3),
                    found.stepOverPlain().text(3));
        }
        return text.toString();
    }

    private static String memory(StateBenchmark.Result found) {
        return found.state().memory().name().toLowerCase(Locale.ROOT);
    }

    private static void line(StringBuilder text, String format, Object... values) {
        text.append(String.format(Locale.ROOT, format, values).stripTrailing()).append('\n');
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
        root.put("shape", options.shape()).put("parameters", parameters).put("batch", options.batch());
        root.put("device", device.toString()).put("threads", options.threads()).put("rounds", options.rounds());
        ArrayNode list = root.putArray("states");
        for (StateBenchmark.Result found : states) {
            ObjectNode node = list.addObject();
            node.put("fisher_dtype", found.state().types().fisher().name().toLowerCase(Locale.ROOT));
            node.put("anchor_dtype", found.state().types().anchor().name().toLowerCase(Locale.ROOT));
            node.put("anchor_memory", memory(found));
            node.put("bytes_per_parameter", Spread.rounded(found.bytesPerParameter()));
            node.put("bytes_per_parameter_elsewhere", Spread.rounded(found.elsewhere()));
            found.pass().put(node, "pass_ms");
            found.passOverPlain().put(node, "pass_over_adamw");
            found.stepOverPlain().put(node, "step_over_plain");
        }
        return root.toPrettyString() + "\n";
    }
}
