package org.ewc4j.config;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Map;

/** docs/configuration.md and docs/config.schema.json, made from {@link Settings}. */
final class ConfigurationReference {
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;

    private ConfigurationReference() {}

    static String markdown() {
        StringBuilder page = new StringBuilder(INTRODUCTION);
        for (String section : Settings.sections()) {
            heading(page, section);
            Settings.ALL.stream().filter(s -> s.section().equals(section)).forEach(setting -> row(page, setting));
        }
        heading(page, "Other keys");
        Settings.ALL.stream().filter(s -> s.section().isEmpty()).forEach(setting -> row(page, setting));
        page.append(
                        "| `task_overrides` | a mapping from task names to settings | none | Settings of single tasks, by name: `")
                .append(String.join("`, `", Settings.OVERRIDES.keySet()))
                .append("`. |\n");
        return page.append(CLOSING).toString();
    }

    private static void heading(StringBuilder page, String title) {
        page.append("\n## ")
                .append(Settings.sections().contains(title) ? "`" + title + "`" : title)
                .append("\n\n| key | takes | default | meaning |\n|---|---|---|---|\n");
    }

    private static void row(StringBuilder page, Setting setting) {
        String fallback = setting.required()
                ? "required"
                : setting.defaultValue() == null
                        ? setting.defaultText()
                        : "`" + setting.defaultText().replace("\n", "\\n") + "`";
        page.append("| `")
                .append(setting.key())
                .append("` | ")
                .append(setting.type().expected())
                .append(" | ")
                .append(fallback)
                .append(" | ")
                .append(setting.documentation())
                .append(" |\n");
    }

    static String schema() {
        ObjectNode root = JSON.objectNode();
        root.put("$schema", "https://json-schema.org/draft/2020-12/schema");
        root.put("title", "ewc4j run configuration");
        ObjectNode properties = object(root);
        root.putArray("required").add("model").add("tasks");
        for (String section : Settings.sections()) {
            int dot = section.lastIndexOf('.');
            ObjectNode parent =
                    dot < 0 ? properties : (ObjectNode) properties.at("/" + section.substring(0, dot) + "/properties");
            parent.set(section.substring(dot + 1), section(section));
        }
        Settings.ALL.stream().filter(s -> s.section().isEmpty()).forEach(s -> properties.set(s.name(), property(s)));
        ObjectNode overrides = properties.putObject("task_overrides");
        overrides.put("type", "object").put("description", "Settings of single tasks, by name.");
        ObjectNode task = overrides.putObject("additionalProperties");
        ObjectNode taskProperties = object(task);
        Settings.OVERRIDES.forEach((name, setting) -> {
            ObjectNode property = property(setting);
            property.remove("default");
            taskProperties.set(name, property);
        });
        try {
            return JsonMapper.builder()
                            .enable(SerializationFeature.INDENT_OUTPUT)
                            .build()
                            .writeValueAsString(root) + "\n";
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    private static ObjectNode object(ObjectNode node) {
        node.put("type", "object").put("additionalProperties", false);
        return node.putObject("properties");
    }

    /** A section; {@code model} and {@code tasks} in their short forms too. */
    private static ObjectNode section(String name) {
        ObjectNode section = JSON.objectNode();
        ObjectNode properties = object(section);
        Settings.ALL.stream().filter(s -> s.section().equals(name)).forEach(s -> properties.set(s.name(), property(s)));
        String shortForm = Map.of("model", "path", "tasks", "list").get(name);
        if (shortForm == null) {
            return section;
        }
        if (name.equals("model")) {
            section.putArray("required").add("path");
        }
        ObjectNode either = JSON.objectNode();
        either.putArray("anyOf")
                .add(property(Settings.find(name + "." + shortForm).orElseThrow()))
                .add(section);
        return either;
    }

    private static ObjectNode property(Setting setting) {
        ObjectNode property = JSON.objectNode();
        describe(property, setting.type());
        property.put("description", setting.documentation());
        if (property.has("type") && setting.defaultValue() == null && !setting.required()) {
            ArrayNode types = JSON.arrayNode().add(property.get("type")).add("null");
            property.set("type", types);
        }
        if (setting.parsedDefault() instanceof Long number) {
            property.put("default", number);
        } else if (setting.parsedDefault() instanceof Double number) {
            property.put("default", number);
        } else if (setting.parsedDefault() instanceof Boolean truth) {
            property.put("default", truth);
        } else if (setting.parsedDefault() instanceof String text) {
            property.put("default", text);
        } else if (setting.type() instanceof SettingType.Choice && setting.defaultValue() != null) {
            name(property.putArray("default"), setting.defaultValue());
            property.set("default", property.get("default").get(0));
        }
        return property;
    }

    private static void describe(ObjectNode property, SettingType type) {
        if (type instanceof SettingType.Whole whole) {
            property.put("type", "integer");
            if (whole.min() != Long.MIN_VALUE) {
                property.put("minimum", whole.min()).put("maximum", whole.max());
            }
        } else if (type instanceof SettingType.Real real) {
            property.put("type", "number").put(real.minIncluded() ? "minimum" : "exclusiveMinimum", real.min());
            if (!Double.isInfinite(real.max())) {
                property.put(real.maxIncluded() ? "maximum" : "exclusiveMaximum", real.max());
            }
        } else if (type instanceof SettingType.Truth) {
            property.put("type", "boolean");
        } else if (type instanceof SettingType.Choice choice) {
            ArrayNode names = property.putArray("enum");
            choice.values().keySet().forEach(name -> name(names, name));
        } else if (type instanceof SettingType.Choices choices) {
            property.put("type", "array").put("minItems", 1).put("uniqueItems", true);
            describe(property.putObject("items"), choices.choice());
        } else if (type instanceof SettingType.TaskFilesList) {
            property.put("type", "array").put("minItems", 1);
            ObjectNode items = property.putObject("items");
            ObjectNode entry = object(items);
            entry.putObject("name").putArray("type").add("string").add("number");
            entry.putObject("train").put("type", "string");
            for (String file : List.of("test", "text", "test_text")) {
                entry.putObject(file).put("type", "string");
            }
            items.putArray("required").add("name");
            ArrayNode either = items.putArray("oneOf");
            either.addObject().putArray("required").add("train");
            either.addObject().putArray("required").add("text");
        } else {
            property.put("type", "string");
        }
    }

    /** To YAML {@code true} and {@code false} are truth values, also where they are names of a choice. */
    private static void name(ArrayNode names, String name) {
        if (name.equals("true") || name.equals("false")) {
            names.add(Boolean.parseBoolean(name));
        } else {
            names.add(name);
        }
    }

    private static final String INTRODUCTION = """
            # Configuration

            <!-- Made from org.ewc4j.config.Settings; ConfigurationReferenceTest says how to make it anew. -->

            A run is one YAML file. Every key is listed here with what it takes and its default; an unknown key, a wrong type or
            a value out of range is refused with file, line and key before anything is read or trained. For completion in an
            editor, point it at `docs/config.schema.json`, for instance by a first line
            `# yaml-language-server: $schema=<path>/config.schema.json`.

            Paths in the file, and in `--set`, are relative to the file's folder. `--set key=value` (dotted key, YAML value; a
            text or path as it stands) replaces all that the file gives under that key, a later `--set` an earlier one. A key that
            has no default may be set to `null`. Anchors and aliases are read, tags and merge keys (`<<`) are not.

            ```yaml
            model: models/pythia-70m             # or {path: ..., init: random, seed: 1}
            tasks:                               # one file with a task field
              file: tasks.jsonl
              task_field: task
              question_field: q_train
              test_question_field: q_test
              answer_field: answer
            # tasks: [{name: capitals, train: capitals.train.jsonl, test: capitals.test.jsonl}]     files per task
            # tasks: [{name: manual, text: manual.txt}, ...]                                        plain text
            # tasks: {list: [...], question_field: q}                                               with other field names
            # tasks: {file: continual.json}                                                         incremental-learning JSON
            prompt: "Question: {question}\\n Short Answer:"
            training: {epochs: 10, batch_size: 4, learning_rate: 1.0e-5}
            ewc: {lambda: 5000, fisher: batch, merge: running-mean}
            task_overrides:
              capitals: {epochs: 20, lambda: 1000}
            ```
            """;

    private static final String CLOSING = """

            ## Task files

            JSON Lines in UTF-8: one object a line, blank lines skipped. Fields are text; numbers and truth values count as
            their text. In the file with a task field each row is a training question (`question_field`) and, where the test split
            is scored, a test question (`test_question_field`) with the same answer. A list of files per task reads
            `question_field` from the train files and `test_question_field` from the test files. Of the incremental-learning JSON
            `input` is the question and `target` the answer; other splits than train and test are passed over.

            A task of plain text is a file as it stands, one document; or, where its name ends in .jsonl, a document a line in
            `text.field`. Documents are packed: each is encoded as the tokenizer encodes a text, end-of-sequence comes behind it,
            and the whole is cut into rows of `training.max_length` tokens. It is scored by its mean token loss, as perplexity.

            `warmup_steps`, `schedule` and `max_steps` count within a task. A `lambda` of a task weighs the penalty
            while that task is learned.
            """;
}
