package org.ewc4j.config;

import java.util.Arrays;
import java.util.Objects;

/**
 * One key of the configuration, the source of its reading, its checks, its documentation and its schema.
 *
 * @param key dotted, as in {@code training.batch_size}
 * @param type what it takes
 * @param defaultValue as it would stand in the file; null where there is none
 * @param defaultText how the documentation names the default
 * @param required whether it must be given
 * @param documentation one or two sentences
 */
record Setting(
        String key, SettingType type, String defaultValue, String defaultText, boolean required, String documentation) {
    static Setting of(String key, SettingType type, Object defaultValue, String documentation) {
        String text = Objects.toString(defaultValue);
        return new Setting(key, type, text, text, false, documentation);
    }

    static Setting optional(String key, SettingType type, String defaultText, String documentation) {
        return new Setting(key, type, null, defaultText, false, documentation);
    }

    static Setting required(String key, SettingType type, String documentation) {
        return new Setting(key, type, null, "", true, documentation);
    }

    /** The default as the type's Java value; null where there is none. */
    Object parsedDefault() {
        if (defaultValue == null) {
            return null;
        }
        if (type instanceof SettingType.Choices choices) {
            String[] names =
                    defaultValue.substring(1, defaultValue.length() - 1).split(", ");
            return choices.parse(Arrays.stream(names).map(Setting::plain).toList())
                    .orElseThrow();
        }
        return type.parse(plain(defaultValue)).orElseThrow();
    }

    private static SettingType.YamlScalar plain(String text) {
        return new SettingType.YamlScalar(text, true);
    }

    /** The part in front of the last dot, or empty. */
    String section() {
        return key.contains(".") ? key.substring(0, key.lastIndexOf('.')) : "";
    }

    /** The part behind the last dot. */
    String name() {
        return key.substring(key.lastIndexOf('.') + 1);
    }
}
