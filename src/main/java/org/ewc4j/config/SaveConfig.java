package org.ewc4j.config;

/**
 * Key {@code save}: what is kept of the model.
 *
 * @param dtype type of the saved weights; training is in fp32
 * @param keep the last model only, or one per task
 */
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

    /** The last model, in float32. */
    public static SaveConfig defaults() {
        return SettingValues.defaults().save();
    }

    public SaveConfig withDtype(StoredType value) {
        return new SaveConfig(value, keep);
    }

    public SaveConfig withKeep(Keep value) {
        return new SaveConfig(dtype, value);
    }
}
