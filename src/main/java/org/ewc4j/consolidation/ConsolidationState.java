package org.ewc4j.consolidation;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalInt;

/**
 * What a {@link Consolidation} must know to go on, besides its arenas; within a Fisher pass too.
 *
 * @param fishers that are merged
 * @param constant c; within the pass of a {@link MergeSchedule.Sum} that merges in place with what was taken out
 * @param revision changes with F and θ*
 * @param passRead examples that the pass under way has read; empty between passes
 * @param accumulator whether that pass accumulates in an arena of its own
 */
public record ConsolidationState(
        List<HeldFisher> fishers, double constant, long revision, OptionalInt passRead, boolean accumulator) {
    public ConsolidationState {
        fishers = List.copyOf(fishers);
    }

    /** As a part of a checkpoint's state.json. */
    public ObjectNode toJson() {
        ObjectNode node = ConsolidationJson.newObject();
        node.set("fishers", ConsolidationJson.fishers(fishers));
        node.put("constant", constant).put("revision", revision);
        node.put("pass_read", passRead.isPresent() ? passRead.getAsInt() : null);
        return node.put("accumulator", accumulator);
    }

    /**
     * What {@link #toJson} wrote.
     *
     * @param file named in a refusal
     */
    public static ConsolidationState of(JsonNode node, Path file) {
        ConsolidationJson json = new ConsolidationJson(file);
        return new ConsolidationState(
                node.path("fishers").isEmpty() ? List.of() : json.fishers(node),
                json.number(node, "", "constant"),
                json.whole(node, "", "revision", Long.MAX_VALUE),
                node.hasNonNull("pass_read")
                        ? OptionalInt.of((int) json.whole(node, "", "pass_read", Integer.MAX_VALUE))
                        : OptionalInt.empty(),
                node.path("accumulator").asBoolean());
    }
}
