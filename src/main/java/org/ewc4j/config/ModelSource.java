package org.ewc4j.config;

import java.nio.file.Path;

/**
 * Key {@code model}: where the model comes from.
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

    /** The weights in a model directory. */
    public static ModelSource pretrained(Path path) {
        return new ModelSource(path, Init.PRETRAINED, 0);
    }

    /** A random start from a model directory's config.json and tokenizer.json. */
    public static ModelSource random(Path path, long seed) {
        return new ModelSource(path, Init.RANDOM, seed);
    }
}
