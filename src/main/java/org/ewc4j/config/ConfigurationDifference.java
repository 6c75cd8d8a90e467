package org.ewc4j.config;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.Yaml;
import org.yaml.snakeyaml.constructor.SafeConstructor;

/**
 * A key that two configurations differ in.
 *
 * @param key dotted
 * @param before its value in the one; empty where it has none there
 * @param now its value in the other
 */
public record ConfigurationDifference(String key, String before, String now) {
    /** Keys that change neither what is computed nor the rows that are written, but for seconds. */
    private static final Set<String> WITHOUT_EFFECT = Set.of(
            "ewc.anchor_memory",
            "ewc.anchor_folder",
            "ewc.from_other_parameters",
            "training.log_every",
            "training.loader_threads",
            "save.dtype",
            "save.keep",
            "checkpoint.every_steps",
            "checkpoint.every_minutes",
            "checkpoint.keep",
            "resume",
            "output");

    /** Every key that differs, in the order of the configuration. */
    public static List<ConfigurationDifference> between(RunConfig before, RunConfig now) {
        Map<String, String> first = flat(before);
        Map<String, String> second = flat(now);
        List<ConfigurationDifference> differences = new ArrayList<>();
        Map<String, String> keys = new LinkedHashMap<>(first);
        keys.putAll(second);
        for (String key : keys.keySet()) {
            if (!Objects.equals(first.get(key), second.get(key))) {
                differences.add(
                        new ConfigurationDifference(key, first.getOrDefault(key, ""), second.getOrDefault(key, "")));
            }
        }
        return differences;
    }

    /** Whether what is learned depends on the key. */
    public boolean changesTheResult() {
        return !WITHOUT_EFFECT.contains(key);
    }

    /** As {@code key: before → now}. */
    @Override
    public String toString() {
        return key + ": " + shown(before) + " → " + shown(now);
    }

    private static String shown(String value) {
        return value.isEmpty() ? "none" : value.replaceAll("\\s+", " ");
    }

    private static Map<String, String> flat(RunConfig config) {
        Map<String, String> values = new LinkedHashMap<>();
        Object root = new Yaml(new SafeConstructor(new LoaderOptions())).load(config.toYaml());
        flatten("", root, values);
        return values;
    }

    private static void flatten(String key, Object value, Map<String, String> into) {
        if (value instanceof Map<?, ?> map) {
            map.forEach((name, inner) -> flatten(key.isEmpty() ? "" + name : key + "." + name, inner, into));
        } else if (value instanceof List<?> list && list.stream().anyMatch(Map.class::isInstance)) {
            for (int i = 0; i < list.size(); i++) {
                flatten(key + "[" + i + "]", list.get(i), into);
            }
        } else {
            into.put(key, value == null ? "" : value.toString());
        }
    }
}
