package org.ewc4j.config;

import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.ewc4j.config.TaskSource.TaskFiles;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.Quoted;
import org.yaml.snakeyaml.nodes.MappingNode;
import org.yaml.snakeyaml.nodes.Node;
import org.yaml.snakeyaml.nodes.ScalarNode;
import org.yaml.snakeyaml.nodes.SequenceNode;

/** What a file and its {@code --set} flags give, checked key by key; a later source replaces what an earlier gave. */
final class GivenSettings {
    private static final String OVERRIDES = "task_overrides";
    private static final List<String> TASK_KEYS = List.of("name", "train", "test", "text", "test_text", "validation");

    private static final Map<String, SettingType> GROUP_KEYS = Map.of(
            "pattern",
            new SettingType.Text("a pattern of parameter names"),
            "lambda_factor",
            SettingType.LAMBDA_FACTOR);

    private final Path base;
    private final Map<String, Object> values = new LinkedHashMap<>();
    private final Map<String, Map<String, Object>> overrides = new LinkedHashMap<>();

    /** @param base folder that paths are relative to */
    GivenSettings(Path base) {
        this.base = base;
    }

    SettingValues values() {
        return new SettingValues(values);
    }

    Map<String, TaskOverride> overrides() {
        Map<String, TaskOverride> result = new LinkedHashMap<>();
        overrides.forEach((task, given) -> result.put(task, SettingValues.override(given)));
        return result;
    }

    void read(YamlDocument document) {
        if (document.root() == null) {
            throw new InvalidInputException(document.source() + ": is empty; expected a configuration in YAML");
        }
        readSection(document, "", document.root());
    }

    /** Puts the value in place of all that was given under the key. */
    void replace(String key, YamlDocument document) {
        values.keySet()
                .removeIf(
                        given -> given.equals(Settings.ALIASES.getOrDefault(key, key)) || given.startsWith(key + "."));
        if (key.equals("tasks.file")) {
            values.remove("tasks.list");
        } else if (key.equals("tasks.list")) {
            values.remove("tasks.file");
        }
        if (key.equals(OVERRIDES)) {
            overrides.clear();
        }
        if (document.root() == null) {
            throw new InvalidInputException(document.source() + ": expected a value behind the =");
        }
        assign(document, key, document.root(), document.root());
    }

    private void readSection(YamlDocument document, String section, Node node) {
        String expected = section.isEmpty() ? "keys and values" : "a mapping with " + String.join(", ", names(section));
        document.forEach(node, section, expected, (name, value) -> {
            String key = section.isEmpty() ? name.getValue() : section + "." + name.getValue();
            if (name.getValue().contains(".")) {
                String[] parts = name.getValue().split("\\.", 2);
                throw document.refused(name, key, "unknown key; write it as " + parts[0] + ": {" + parts[1] + ": ...}");
            }
            assign(document, key, name, value);
        });
    }

    private static List<String> names(String section) {
        return Settings.ALL.stream()
                .filter(setting -> setting.section().equals(section))
                .map(Setting::name)
                .toList();
    }

    private void assign(YamlDocument document, String written, Node name, Node value) {
        String key = Settings.ALIASES.getOrDefault(written, written);
        Optional<Setting> setting = Settings.find(key);
        if (setting.isPresent()) {
            assign(document, setting.get(), value);
        } else if (key.equals("model") && value instanceof ScalarNode && !YamlDocument.isNull(value)) {
            assign(document, Settings.find("model.path").orElseThrow(), value);
        } else if (key.equals("tasks") && value instanceof SequenceNode) {
            assign(document, Settings.find("tasks.list").orElseThrow(), value);
        } else if (Settings.sections().contains(key)) {
            if (!YamlDocument.isNull(value)) {
                readSection(document, key, value);
            }
        } else if (key.equals(OVERRIDES)) {
            if (!YamlDocument.isNull(value)) {
                document.forEach(
                        value,
                        key,
                        "a mapping from task names to settings",
                        (task, given) -> readOverride(document, task.getValue(), given));
            }
        } else if (key.startsWith(OVERRIDES + ".")) {
            assignOverride(document, key.substring(OVERRIDES.length() + 1), name, value);
        } else {
            throw unknown(document, name, key);
        }
    }

    private void assign(YamlDocument document, Setting setting, Node node) {
        if (YamlDocument.isNull(node) && setting.defaultValue() == null && !setting.required()) {
            values.remove(setting.key());
        } else if (setting.type() instanceof SettingType.TaskFilesList) {
            values.put(setting.key(), taskFiles(document, setting, node));
        } else if (setting.type() instanceof SettingType.ParameterGroups) {
            values.put(setting.key(), groups(document, setting, node));
        } else {
            Object value = document.value(node, setting.key(), setting.type());
            boolean path = setting.type() instanceof SettingType.Location;
            values.put(setting.key(), path ? resolve(document, node, setting.key(), (String) value) : value);
        }
    }

    /** @throws InvalidInputException where the encoding of the system's file names lacks a character of it, say */
    private Path resolve(YamlDocument document, Node node, String key, String path) {
        if (path.equals("~") || path.startsWith("~/")) {
            throw document.refused(
                    node, key, "~ is not the home folder here; write the whole path, or ./~ for a folder of that name");
        }
        try {
            return base.resolve(path).toAbsolutePath().normalize();
        } catch (InvalidPathException e) {
            throw document.refused(
                    node, key, Quoted.of(path) + " is a name that no file can have here: " + e.getReason());
        }
    }

    private void readOverride(YamlDocument document, String task, Node node) {
        String key = OVERRIDES + "." + task;
        overrides.remove(task);
        String expected = "a mapping with " + String.join(", ", Settings.OVERRIDES.keySet());
        document.forEach(
                node, key, expected, (name, value) -> readOverride(document, task, name, name.getValue(), value));
    }

    private void readOverride(YamlDocument document, String task, Node name, String setting, Node value) {
        String key = OVERRIDES + "." + task + "." + setting;
        if (!Settings.OVERRIDES.containsKey(setting)) {
            throw unknown(document, name, key, Settings.OVERRIDES.keySet(), setting);
        }
        overrides
                .computeIfAbsent(task, t -> new LinkedHashMap<>())
                .put(
                        setting,
                        document.value(
                                value, key, Settings.OVERRIDES.get(setting).type()));
    }

    /** {@code task_overrides.<task>} or {@code task_overrides.<task>.<setting>}; a task's name may hold dots. */
    private void assignOverride(YamlDocument document, String path, Node name, Node value) {
        int dot = path.lastIndexOf('.');
        if (value instanceof MappingNode || dot <= 0) {
            readOverride(document, path, value);
        } else {
            readOverride(document, path.substring(0, dot), name, path.substring(dot + 1), value);
        }
    }

    private List<TaskFiles> taskFiles(YamlDocument document, Setting setting, Node node) {
        List<TaskFiles> tasks = new ArrayList<>();
        Map<String, Node> names = new HashMap<>();
        List<Node> entries = document.list(node, setting.key(), setting.type().expected());
        if (entries.isEmpty()) {
            throw document.expected(node, setting.key(), setting.type().expected());
        }
        for (Node entry : entries) {
            TaskFiles task = taskFiles(document, setting.key(), entry);
            if (names.put(task.name(), entry) != null) {
                throw document.refused(
                        entry,
                        setting.key(),
                        "the task name " + Quoted.of(task.name())
                                + " is there twice; give each task a name of its own");
            }
            tasks.add(task);
        }
        return List.copyOf(tasks);
    }

    private TaskFiles taskFiles(YamlDocument document, String list, Node entry) {
        Map<String, String> given = new HashMap<>();
        document.forEach(
                entry, list, "an entry {name, train, test, validation} or {name, text, test_text}", (name, value) -> {
                    String key = list + "." + name.getValue();
                    if (!TASK_KEYS.contains(name.getValue())) {
                        throw unknown(document, name, key, TASK_KEYS, name.getValue());
                    }
                    boolean optional = name.getValue().startsWith("test")
                            || name.getValue().equals("validation");
                    if (!(optional && YamlDocument.isNull(value))) {
                        String what = name.getValue().equals("name") ? "the task's name" : "the path of a file";
                        given.put(name.getValue(), (String) document.value(value, key, new SettingType.Location(what)));
                    }
                });
        boolean text = given.containsKey("text");
        for (String required : List.of("name", text ? "text" : "train")) {
            if (!given.containsKey(required)) {
                throw document.refused(
                        entry, list + "." + required, "is missing; each task needs a name and a train file, or text");
            }
        }
        for (String other : text ? List.of("train", "test", "validation") : List.of("test_text")) {
            if (given.containsKey(other)) {
                throw document.refused(
                        entry,
                        list + "." + other,
                        "does not go with " + (text ? "text" : "train")
                                + "; a task is {name, train, test} or {name, text, test_text}");
            }
        }
        return new TaskFiles(
                given.get("name"),
                resolve(document, entry, list, given.get(text ? "text" : "train")),
                Optional.ofNullable(given.get(text ? "test_text" : "test"))
                        .map(path -> resolve(document, entry, list, path)),
                text,
                Optional.ofNullable(given.get("validation")).map(path -> resolve(document, entry, list, path)));
    }

    private static List<ParameterGroup> groups(YamlDocument document, Setting setting, Node node) {
        List<ParameterGroup> groups = new ArrayList<>();
        for (Node entry : document.list(node, setting.key(), setting.type().expected())) {
            groups.add(group(document, setting.key(), entry));
        }
        return List.copyOf(groups);
    }

    private static ParameterGroup group(YamlDocument document, String list, Node entry) {
        Map<String, Object> given = new HashMap<>();
        document.forEach(entry, list, "an entry {pattern, lambda_factor}", (name, value) -> {
            String key = list + "." + name.getValue();
            if (!GROUP_KEYS.containsKey(name.getValue())) {
                throw unknown(document, name, key, GROUP_KEYS.keySet(), name.getValue());
            }
            given.put(name.getValue(), document.value(value, key, GROUP_KEYS.get(name.getValue())));
        });
        for (String required : List.of("pattern", "lambda_factor")) {
            if (!given.containsKey(required)) {
                throw document.refused(
                        entry, list + "." + required, "is missing; each group needs a pattern and a lambda_factor");
            }
        }
        return ParameterGroup.of((String) given.get("pattern"), (double) given.get("lambda_factor"));
    }

    private static InvalidInputException unknown(YamlDocument document, Node node, String key) {
        Stream<String> sections = Stream.concat(Settings.sections().stream(), Stream.of(OVERRIDES));
        String nearest = Stream.concat(Settings.ALL.stream().map(Setting::key), sections)
                .min(Comparator.<String>comparingInt(known -> strangeness(key, known))
                        .thenComparingInt(known -> NearestKey.distance(key, known)))
                .orElseThrow();
        return document.refused(node, key, "unknown key; the nearest known one is " + nearest);
    }

    /** Edits between the names; a key in a known section means most likely one of that section, unless the name is right. */
    private static int strangeness(String key, String known) {
        int keyDot = key.lastIndexOf('.');
        int distance = NearestKey.distance(key.substring(keyDot + 1), known.substring(known.lastIndexOf('.') + 1));
        String section = key.substring(0, Math.max(keyDot, 0));
        boolean elsewhere = Settings.sections().contains(section) && !known.startsWith(section + ".");
        return distance > 0 && elsewhere ? distance + 3 : distance;
    }

    private static InvalidInputException unknown(
            YamlDocument document, Node node, String key, Collection<String> known, String name) {
        return document.refused(
                node,
                key,
                "unknown key; the nearest known one is "
                        + NearestKey.to(name, known).orElseThrow());
    }
}
