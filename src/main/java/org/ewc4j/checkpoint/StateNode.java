package org.ewc4j.checkpoint;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.Quoted;
import org.ewc4j.tensor.Checksum;

/**
 * An object of a state.json, read by key. A checksum says that a file is as it was written, not who wrote it: what is not what
 * this version writes is refused with the file and the key. Everything here throws {@link InvalidInputException} for that.
 */
public final class StateNode {
    private final StateFolder folder;
    private final String prefix;
    private final JsonNode node;

    /** @param prefix names the object in a refusal: nothing, or a key with a dot behind it */
    StateNode(StateFolder folder, String prefix, JsonNode node) {
        this.folder = folder;
        this.prefix = prefix;
        this.node = node;
    }

    /** The object itself, for whoever reads it in a way of their own. */
    public JsonNode json() {
        return node;
    }

    /** Whether a key is there and not null. */
    public boolean has(String key) {
        return node.hasNonNull(key);
    }

    public StateNode object(String key) {
        if (!node.path(key).isObject()) {
            throw wrong(key, "an object");
        }
        return new StateNode(folder, prefix + key + ".", node.get(key));
    }

    /** Empty where the key is not there. */
    public Optional<StateNode> optional(String key) {
        return has(key) ? Optional.of(object(key)) : Optional.empty();
    }

    /** The objects of a list. */
    public List<StateNode> objects(String key) {
        if (!node.path(key).isArray()) {
            throw wrong(key, "a list");
        }
        List<StateNode> objects = new ArrayList<>();
        for (JsonNode element : node.get(key)) {
            String at = key + "[" + objects.size() + "]";
            if (!element.isObject()) {
                throw wrong(at, "an object");
            }
            objects.add(new StateNode(folder, prefix + at + ".", element));
        }
        return objects;
    }

    public String text(String key) {
        if (!node.path(key).isTextual()) {
            throw wrong(key, "a text");
        }
        return node.get(key).asText();
    }

    /** An object of nothing but texts, in its order. */
    public Map<String, String> texts(String key) {
        StateNode object = object(key);
        Map<String, String> texts = new LinkedHashMap<>();
        object.node.fieldNames().forEachRemaining(name -> texts.put(name, object.text(name)));
        return texts;
    }

    public boolean flag(String key) {
        if (!node.path(key).isBoolean()) {
            throw wrong(key, "true or false");
        }
        return node.get(key).asBoolean();
    }

    /** A whole number, both ends included. */
    public long whole(String key, long least, long most) {
        JsonNode value = node.path(key);
        if (!value.isIntegralNumber() || !value.canConvertToLong() || value.asLong() < least || value.asLong() > most) {
            throw wrong(
                    key, "a whole number of at least " + least + (most == Long.MAX_VALUE ? "" : ", at most " + most));
        }
        return value.asLong();
    }

    /** A count of up to 2³¹ − 1. */
    public int count(String key, int least) {
        return (int) whole(key, least, Integer.MAX_VALUE);
    }

    /** A finite number. */
    public double number(String key) {
        if (!node.path(key).isNumber() || !Double.isFinite(node.get(key).asDouble())) {
            throw wrong(key, "a number");
        }
        return node.get(key).asDouble();
    }

    /** Bytes in base 64. */
    public byte[] bytes(String key) {
        text(key);
        try {
            return node.get(key).binaryValue();
        } catch (IOException e) {
            throw wrong(key, "bytes in base 64");
        }
    }

    /** The length of a file or of its beginning, and its CRC-32C; an empty one has none. */
    public Checksum checksum(String key) {
        return object(key).checksum();
    }

    /** As {@link #checksum(String)}, of this object. */
    public Checksum checksum() {
        return new Checksum(whole("bytes", 0, Long.MAX_VALUE), text("crc32c"));
    }

    /** What a refusal of the value under a key is. */
    public InvalidInputException wrong(String key, String expected) {
        JsonNode value = node.path(key);
        return new InvalidInputException(folder.file() + ": key '" + prefix + key + "': expected " + expected + ", got "
                + (value.isMissingNode()
                        ? "none"
                        : value.isContainerNode() ? "a list or an object" : Quoted.of(value.asText()))
                + "; the file is damaged or not of this ewc4j");
    }
}
