package org.ewc4j.consolidation;

import java.util.List;
import java.util.Optional;

/**
 * What {@code consolidation.json} says of the files beside it.
 *
 * @param version of ewc4j that wrote it
 * @param architecture as transformers calls its class
 * @param layoutFingerprint {@link org.ewc4j.tensor.Fingerprint} of the parameters' names and shapes
 * @param fishers what is merged, in order; at least one
 * @param schedule how it was merged
 * @param constant c, 0 but for {@link MergeSchedule.Sum}
 * @param fisherFingerprint of {@code fisher.safetensors}
 * @param anchorCheckpoint the folder of a checkpoint whose model.safetensors is the anchor, relative to this one; empty:
 *     {@code anchor.safetensors}
 * @param anchorFingerprint of the file that holds the anchor
 */
public record ConsolidationRecord(
        String version,
        String architecture,
        String layoutFingerprint,
        List<HeldFisher> fishers,
        MergeSchedule schedule,
        double constant,
        String fisherFingerprint,
        Optional<String> anchorCheckpoint,
        String anchorFingerprint) {

    public ConsolidationRecord {
        fishers = List.copyOf(fishers);
    }
}
