package org.ewc4j.model;

import java.util.ArrayList;
import java.util.List;
import org.ewc4j.error.InvalidInputException;

/**
 * The token ids that training and generation need.
 *
 * @param endOfSequence appended to every answer, from config.json, or generation_config.json where that has none
 * @param stop generation ends a row at any of these
 * @param padding fills rows on the left; the end of sequence where the checkpoint names none
 */
public record SpecialTokens(int endOfSequence, List<Integer> stop, int padding) {
    public SpecialTokens {
        stop = List.copyOf(stop);
    }

    static SpecialTokens read(ConfigJson config, ConfigJson generation, int vocabulary) {
        List<Integer> fromConfig = config.tokenIds("eos_token_id");
        List<Integer> fromGeneration = generation == null ? List.of() : generation.tokenIds("eos_token_id");
        List<Integer> ends = fromConfig.isEmpty() ? fromGeneration : fromConfig;
        if (ends.isEmpty()) {
            throw new InvalidInputException(config.file() + ": key 'eos_token_id' is missing; it ends every answer");
        }
        List<Integer> stop = new ArrayList<>(fromGeneration.isEmpty() ? ends : fromGeneration);
        if (!stop.contains(ends.get(0))) {
            stop.add(ends.get(0));
        }
        for (int id : stop) {
            if (id < 0 || id >= vocabulary) {
                ConfigJson from = fromGeneration.contains(id) && !fromConfig.contains(id) ? generation : config;
                throw from.wrong("eos_token_id", "token ids below the vocabulary of " + vocabulary);
            }
        }
        int padding = config.tokenId("pad_token_id").orElse(ends.get(0));
        if (padding < 0 || padding >= vocabulary) {
            padding = ends.get(0);
        }
        return new SpecialTokens(ends.get(0), stop, padding);
    }
}
