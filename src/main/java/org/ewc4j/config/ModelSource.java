package org.ewc4j.config;

import java.nio.file.Path;

/**
 * Where the model comes from.
 *
 * @param path a Hugging Face model directory
 * @param init read the weights, or draw them at random from the configuration alone
 * @param seed seed of the random initialisation; not used for {@link Init#PRETRAINED}
 */
public record ModelSource(Path path, Init init, long seed) {
    public enum Init {
        PRETRAINED,
        RANDOM
    }
}
