package org.ewc4j.config;

/** Key {@code save}. (Contract; the config owner completes the documentation.) */
public record SaveConfig(StoredType dtype, Keep keep) {
    public enum StoredType {
        FLOAT32,
        FLOAT16,
        BFLOAT16
    }

    public enum Keep {
        LAST,
        ALL
    }
}
