package org.ewc4j.config;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.ewc4j.error.InvalidInputException;
import org.yaml.snakeyaml.nodes.MappingNode;
import org.yaml.snakeyaml.nodes.Node;
import org.yaml.snakeyaml.nodes.NodeTuple;
import org.yaml.snakeyaml.nodes.ScalarNode;
import org.yaml.snakeyaml.nodes.SequenceNode;

/**
 * The configuration beside a run as it stands there, to be shown: its keys may be those of another version.
 *
 * @param text the file's
 * @param settings dotted key → value as written, in the file's order
 */
public record WrittenConfiguration(String text, Map<String, String> settings) {
    /** Of a name in a key: a file of long names, each under another, would be held as the square of them. */
    private static final int NAME_CHARACTERS = 100;

    /** No configuration at all. */
    public static WrittenConfiguration none() {
        return new WrittenConfiguration("", Map.of());
    }

    /** @throws InvalidInputException if the file cannot be read, is not YAML or holds aliases */
    public static WrittenConfiguration read(Path file) {
        YamlDocument document = YamlDocument.file(file, file.toString());
        Map<String, String> settings = new LinkedHashMap<>();
        if (document.root() != null) {
            new Reader(document, settings).read("", document.root());
        }
        try {
            return new WrittenConfiguration(Files.readString(file), settings);
        } catch (IOException e) {
            throw new InvalidInputException(file + ": cannot be read: " + e.getMessage(), e);
        }
    }

    private static final class Reader {
        private final YamlDocument document;
        private final Map<String, String> settings;
        private final Set<Node> seen = Collections.newSetFromMap(new IdentityHashMap<>());

        Reader(YamlDocument document, Map<String, String> settings) {
            this.document = document;
            this.settings = settings;
        }

        void read(String key, Node node) {
            if (node instanceof MappingNode mapping) {
                requireFirst(node, key);
                for (NodeTuple entry : mapping.getValue()) {
                    String name = shortened(text(entry.getKeyNode(), key));
                    read(key.isEmpty() ? name : key + "." + name, entry.getValueNode());
                }
            } else {
                settings.put(key, text(node, key));
            }
        }

        private String text(Node node, String key) {
            requireFirst(node, key);
            if (node instanceof ScalarNode scalar) {
                return scalar.getValue();
            }
            List<String> entries = new ArrayList<>();
            if (node instanceof SequenceNode sequence) {
                sequence.getValue().forEach(entry -> entries.add(text(entry, key)));
            } else if (node instanceof MappingNode mapping) {
                mapping.getValue()
                        .forEach(entry ->
                                entries.add(text(entry.getKeyNode(), key) + ": " + text(entry.getValueNode(), key)));
            }
            return entries.toString();
        }

        /** An alias is its anchor's node once more: a few of them name more than fits into memory, or themselves. */
        private void requireFirst(Node node, String key) {
            if (!seen.add(node)) {
                throw document.refused(node, key, "an alias is not taken here; write the value out");
            }
        }

        private static String shortened(String name) {
            return name.codePointCount(0, name.length()) <= NAME_CHARACTERS
                    ? name
                    : name.substring(0, name.offsetByCodePoints(0, NAME_CHARACTERS));
        }
    }
}
