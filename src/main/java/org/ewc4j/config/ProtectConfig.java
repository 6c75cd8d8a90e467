package org.ewc4j.config;

import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * Key {@code ewc.protect}: data that stands for what the starting checkpoint knows. Its Fisher is taken in before the first
 * task, and part of it is held out to be scored. A value out of its range is an {@code InvalidInputException} that names
 * the key.
 *
 * @param data the file
 * @param format text to be packed, or questions
 * @param maxExamples most rows that the Fisher pass reads, drawn by seed; none: all that are not held out
 * @param weight how many tasks its Fisher counts as; 0: it is scored only
 * @param test what is scored in place of a held-out part of {@code data}
 */
public record ProtectConfig(Path data, Format format, OptionalInt maxExamples, double weight, Optional<Path> test) {
    public enum Format {
        /** Plain text, or JSON Lines with a document a line, packed. */
        TEXT,
        /** JSON Lines of questions and answers, with the fields and the prompt of the tasks. */
        QUESTIONS
    }

    public ProtectConfig {
        maxExamples.ifPresent(value -> Settings.require("ewc.protect.max_examples", value));
        Settings.require("ewc.protect.weight", weight);
    }

    /** Text, all of it, counting as one task. */
    public static ProtectConfig of(Path data) {
        return new ProtectConfig(data, Format.TEXT, OptionalInt.empty(), 1, Optional.empty());
    }

    public ProtectConfig withFormat(Format value) {
        return new ProtectConfig(data, value, maxExamples, weight, test);
    }

    public ProtectConfig withMaxExamples(int value) {
        return new ProtectConfig(data, format, OptionalInt.of(value), weight, test);
    }

    public ProtectConfig withWeight(double value) {
        return new ProtectConfig(data, format, maxExamples, value, test);
    }

    public ProtectConfig withTest(Path value) {
        return new ProtectConfig(data, format, maxExamples, weight, Optional.of(value));
    }
}
