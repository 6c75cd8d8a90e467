package org.ewc4j.consolidation;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.ewc4j.fisher.FisherReading;

/**
 * What a {@link Consolidation} must know to go on, besides its arenas; within a Fisher pass too.
 *
 * @param fishers that are merged
 * @param constant c; within the pass of a {@link MergeSchedule.Sum} that merges in place with what was taken out
 * @param revision changes with F and θ*
 * @param passReading what the pass under way has read; empty between passes
 * @param passSumBefore Σ of what that pass accumulates into, at its begin
 * @param accumulator whether that pass accumulates in an arena of its own
 */
public record ConsolidationState(
        List<HeldFisher> fishers,
        double constant,
        long revision,
        Optional<FisherReading> passReading,
        double passSumBefore,
        boolean accumulator) {
    public ConsolidationState {
        fishers = List.copyOf(fishers);
    }

    /** As a part of a checkpoint's state.json. */
    public ObjectNode toJson() {
        ObjectNode node = ConsolidationJson.newObject();
        node.set("fishers", ConsolidationJson.fishers(fishers));
        node.put("constant", constant).put("revision", revision);
        node.put("pass_read", passReading.map(FisherReading::examples).orElse(null));
        passReading.ifPresent(
                reading -> node.put("pass_token_losses", reading.tokenLosses()).put("pass_sum_before", passSumBefore));
        return node.put("accumulator", accumulator);
    }

    /**
     * What {@link #toJson} wrote.
     *
     * @param file named in a refusal
     */
    public static ConsolidationState of(JsonNode node, Path file) {
        ConsolidationJson json = new ConsolidationJson(file);
        boolean passes = node.hasNonNull("pass_read");
        return new ConsolidationState(
                node.path("fishers").isEmpty() ? List.of() : json.fishers(node),
                json.number(node, "", "constant"),
                json.whole(node, "", "revision", Long.MAX_VALUE),
                passes
                        ? Optional.of(new FisherReading(
                                (int) json.whole(node, "", "pass_read", Integer.MAX_VALUE),
                                json.number(node, "", "pass_token_losses")))
                        : Optional.empty(),
                passes ? json.number(node, "", "pass_sum_before") : 0,
                node.path("accumulator").asBoolean());
    }
}
