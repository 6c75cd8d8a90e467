package org.ewc4j.data;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.math.BigInteger;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.JsonFile;
import org.ewc4j.error.Quoted;
import org.ewc4j.task.Example;
import org.ewc4j.task.Task;

/**
 * Reads <code>{"0": {"train": {"input": [...], "target": [...]}, "test": {...}}, ...}</code>, one task at a time. Lists
 * beside {@code input} and {@code target} with as many entries are fields of the rows, splits other than train and test
 * are passed over.
 */
final class IncrementalJsonReader {
    private static final String INPUT = "input";
    private static final String TARGET = "target";

    private IncrementalJsonReader() {}

    static List<Task> read(Path file, PromptTemplate template, boolean test) {
        List<Task> tasks = new ArrayList<>();
        try (InputStream in = new BufferedInputStream(JsonLines.open(file), 1 << 16);
                JsonParser parser = JsonLines.STRICT.createParser(in)) {
            if (parser.nextToken() != JsonToken.START_OBJECT) {
                throw new InvalidInputException(
                        file + ":1: expected an object with a task per key, as in {\"0\": {\"train\": "
                                + "{\"input\": [...], \"target\": [...]}, \"test\": {...}}}");
            }
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                String name = parser.currentName();
                int line = parser.currentLocation().getLineNr();
                parser.nextToken();
                tasks.add(task(
                        file + ":" + line + ": task " + Quoted.of(name),
                        name,
                        parser.readValueAsTree(),
                        template,
                        test));
            }
            if (parser.nextToken() != null) {
                throw new InvalidInputException(
                        file + ":" + parser.currentLocation().getLineNr() + ": expected nothing behind the closing }");
            }
        } catch (JsonProcessingException e) {
            String line = e.getLocation() == null ? "" : ":" + e.getLocation().getLineNr();
            throw new InvalidInputException(file + line + ": malformed JSON: " + JsonFile.reason(e), e);
        } catch (NumberFormatException e) {
            throw new InvalidInputException(file + ": " + JsonLines.BEYOND_NUMBERS, e);
        } catch (IOException e) {
            throw new InvalidInputException(file + ": cannot be read: " + e.getMessage(), e);
        }
        if (tasks.isEmpty()) {
            throw new InvalidInputException(file + ": holds no task");
        }
        if (tasks.stream().allMatch(task -> task.name().matches("[0-9]+"))) {
            tasks.sort(Comparator.comparing(task -> new BigInteger(task.name())));
        }
        return tasks;
    }

    private static Task task(String where, String name, JsonNode splits, PromptTemplate template, boolean test) {
        if (!splits.path("train").isObject()) {
            throw new InvalidInputException(
                    where + ": expected an object with \"train\": {\"input\": [...], \"target\": [...]}");
        }
        List<Example> train = rows(where + ", train", splits.get("train"), template);
        List<Example> testRows =
                test && splits.has("test") ? rows(where + ", test", splits.get("test"), template) : List.of();
        return new Task(name, train, testRows);
    }

    private static List<Example> rows(String where, JsonNode split, PromptTemplate template) {
        JsonNode input = split.path(INPUT);
        JsonNode target = split.path(TARGET);
        if (!input.isArray() || !target.isArray() || input.size() != target.size()) {
            throw new InvalidInputException(where + ": expected lists \"input\" and \"target\" of one length, got "
                    + length(input) + " and " + length(target));
        }
        List<Example> rows = new ArrayList<>(input.size());
        for (int i = 0; i < input.size(); i++) {
            Row row = new Row(where + " row " + i, fields(split, i, input.size()));
            rows.add(TaskReader.example(row, INPUT, TARGET, template));
        }
        return rows;
    }

    private static String length(JsonNode list) {
        return list.isArray() ? list.size() + " entries" : "no list";
    }

    private static ObjectNode fields(JsonNode split, int index, int size) {
        ObjectNode fields = JsonNodeFactory.instance.objectNode();
        split.properties().forEach(entry -> {
            if (entry.getValue().isArray() && entry.getValue().size() == size) {
                fields.set(entry.getKey(), entry.getValue().get(index));
            }
        });
        return fields;
    }
}
