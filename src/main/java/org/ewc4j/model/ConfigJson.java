package org.ewc4j.model;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.JsonFile;

/** A JSON object of a model directory, read by key; what does not fit is refused with the file and the key. */
final class ConfigJson {
    private static final long MAX_BYTES = 16L << 20;
    /** More layers than any model has; a number beyond it is damage, and would be held in memory name by name. */
    private static final int MAX_LAYERS = 10_000;

    private static final int SHOWN_CHARACTERS = 80;
    private static final JsonMapper JSON = JsonMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private final Path file;
    private final String prefix;
    private final ObjectNode node;

    private ConfigJson(Path file, String prefix, ObjectNode node) {
        this.file = file;
        this.prefix = prefix;
        this.node = node;
    }

    static ConfigJson read(Path file) {
        return new ConfigJson(file, "", JsonFile.readObject(JSON, file, MAX_BYTES, "a configuration"));
    }

    Path file() {
        return file;
    }

    /** The object itself; the caller does not change it. */
    ObjectNode node() {
        return node;
    }

    boolean has(String key) {
        return node.hasNonNull(key);
    }

    /** Whether the key is there and null, which some keys tell apart from not being there. */
    boolean isNull(String key) {
        return node.path(key).isNull();
    }

    /** The object under a key, or null where there is none. */
    ConfigJson object(String key) {
        if (!has(key)) {
            return null;
        }
        if (!(node.get(key) instanceof ObjectNode object)) {
            throw wrong(key, "an object");
        }
        return new ConfigJson(file, prefix + key + ".", object);
    }

    String text(String key, String missing) {
        if (!has(key)) {
            return missing;
        }
        if (!node.get(key).isTextual()) {
            throw wrong(key, "a text");
        }
        return node.get(key).asText();
    }

    /** The first of an array of texts, or null. */
    String firstText(String key) {
        JsonNode value = node.path(key).path(0);
        return value.isTextual() ? value.asText() : null;
    }

    /** A list of texts; empty where the key is missing or null. */
    List<String> texts(String key) {
        List<String> texts = new ArrayList<>();
        if (has(key)) {
            for (JsonNode text : node.get(key).isArray() ? node.get(key) : List.of(node.get(key))) {
                if (!node.get(key).isArray() || !text.isTextual()) {
                    throw wrong(key, "a list of texts");
                }
                texts.add(text.asText());
            }
        }
        return texts;
    }

    boolean flag(String key, boolean missing) {
        if (!has(key)) {
            return missing;
        }
        if (!node.get(key).isBoolean()) {
            throw wrong(key, "true or false");
        }
        return node.get(key).asBoolean();
    }

    double number(String key, double missing) {
        if (!has(key)) {
            return missing;
        }
        if (!node.get(key).isNumber()) {
            throw wrong(key, "a number");
        }
        return node.get(key).asDouble();
    }

    /** A probability of dropout, from 0 to below 1. */
    double dropout(String key, double missing) {
        double value = number(key, missing);
        if (!(value >= 0 && value < 1)) {
            throw wrong(key, "a probability from 0 to below 1");
        }
        return value;
    }

    double positive(String key, double missing) {
        double value = number(key, missing);
        if (!(value > 0) || Double.isInfinite(value)) {
            throw wrong(key, "a number above 0");
        }
        return value;
    }

    /** A standard deviation, from 0. */
    double deviation(String key, double missing) {
        double value = number(key, missing);
        if (!(value >= 0) || Double.isInfinite(value)) {
            throw wrong(key, "a number from 0");
        }
        return value;
    }

    /** A number of layers, which has to be given. */
    int layers(String key) {
        size(key);
        return layers(key, 1);
    }

    /** A number of layers. */
    int layers(String key, int missing) {
        int layers = size(key, missing);
        if (layers > MAX_LAYERS) {
            throw wrong(key, "at most " + MAX_LAYERS + " layers");
        }
        return layers;
    }

    /** A size from 1 to 2³¹−1, or a default, which may be beyond. */
    long size(String key, long missing) {
        return has(key) ? size(key) : missing;
    }

    /** A size from 1 to 2³¹−1. */
    int size(String key, int missing) {
        if (!has(key)) {
            return missing;
        }
        JsonNode value = node.get(key);
        if (!value.canConvertToExactIntegral() || !value.canConvertToInt() || value.asInt() < 1) {
            throw wrong(key, "a whole number from 1");
        }
        return value.asInt();
    }

    /** A size that has to be given. */
    int size(String key) {
        if (!has(key)) {
            throw new InvalidInputException(
                    file + ": key '" + prefix + key + "' is missing, expected a whole number from 1");
        }
        return size(key, 1);
    }

    /** A token id, possibly negative; empty where the key is missing or null. */
    OptionalInt tokenId(String key) {
        List<Integer> ids = tokenIds(key);
        return ids.isEmpty() ? OptionalInt.empty() : OptionalInt.of(ids.get(0));
    }

    /** A token id or a list of them; empty where the key is missing or null. */
    List<Integer> tokenIds(String key) {
        List<Integer> ids = new ArrayList<>();
        if (has(key)) {
            JsonNode value = node.get(key);
            for (JsonNode id : value.isArray() ? value : List.of(value)) {
                if (!id.canConvertToExactIntegral() || !id.canConvertToInt()) {
                    throw wrong(key, "a token id or a list of token ids");
                }
                ids.add(id.asInt());
            }
        }
        return ids;
    }

    InvalidInputException wrong(String key, String expected) {
        return new InvalidInputException(
                file + ": key '" + prefix + key + "' is " + shown(node.get(key)) + ", expected " + expected);
    }

    private static String shown(JsonNode value) {
        String text = String.valueOf(value);
        return text.length() <= SHOWN_CHARACTERS ? text : text.substring(0, SHOWN_CHARACTERS) + "…";
    }
}
