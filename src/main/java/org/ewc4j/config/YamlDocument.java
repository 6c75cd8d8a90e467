package org.ewc4j.config;

import java.io.IOException;
import java.io.StringReader;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BiConsumer;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.Quoted;
import org.yaml.snakeyaml.DumperOptions;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.Yaml;
import org.yaml.snakeyaml.constructor.SafeConstructor;
import org.yaml.snakeyaml.error.MarkedYAMLException;
import org.yaml.snakeyaml.error.YAMLException;
import org.yaml.snakeyaml.nodes.MappingNode;
import org.yaml.snakeyaml.nodes.Node;
import org.yaml.snakeyaml.nodes.NodeTuple;
import org.yaml.snakeyaml.nodes.ScalarNode;
import org.yaml.snakeyaml.nodes.SequenceNode;
import org.yaml.snakeyaml.nodes.Tag;

/**
 * A YAML text as a tree of nodes that know their lines. Nothing is constructed from it: the tree stops at scalars, tags
 * of other types are refused, and size, depth and aliases are limited.
 *
 * @param source the file, or {@code --set key=value}
 * @param lines whether messages name lines; not for a flag
 * @param root null where the text is empty
 */
record YamlDocument(String source, boolean lines, Node root) {
    private static final int MAX_BYTES = 1 << 20;
    private static final Set<Tag> TAGS =
            Set.of(Tag.MAP, Tag.SEQ, Tag.STR, Tag.INT, Tag.FLOAT, Tag.BOOL, Tag.NULL, Tag.TIMESTAMP, Tag.MERGE);

    /** @throws InvalidInputException if the file cannot be read or is not YAML */
    static YamlDocument file(Path path, String shown) {
        if (!Files.exists(path)) {
            throw new InvalidInputException(shown + ": no such file; expected a configuration in YAML");
        }
        if (!Files.isRegularFile(path)) {
            throw new InvalidInputException(shown + ": is not a file; expected a configuration in YAML");
        }
        try {
            if (Files.size(path) > MAX_BYTES) {
                throw new InvalidInputException(
                        shown + ": is larger than " + (MAX_BYTES >> 20) + " MiB; expected a configuration in YAML");
            }
            ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(path));
            String text = StandardCharsets.UTF_8.newDecoder().decode(bytes).toString();
            return parse(shown, true, text.startsWith("\uFEFF") ? text.substring(1) : text);
        } catch (CharacterCodingException e) {
            throw new InvalidInputException(shown + ": is not UTF-8; save the file as UTF-8", e);
        } catch (IOException e) {
            throw new InvalidInputException(shown + ": cannot be read: " + e.getMessage(), e);
        }
    }

    /**
     * The value of a flag.
     *
     * @param text whether a text is expected: it is then taken as it stands, since a prompt such as {@code Q: {question}} and
     *     many a path are something else in YAML; in quotes it is YAML, and {@code null} is null
     */
    static YamlDocument flag(String flag, String value, boolean text) {
        boolean yaml = value.isBlank()
                || value.startsWith("\"")
                || value.startsWith("'")
                || value.equals("null")
                || value.equals("~");
        if (!text || yaml) {
            return parse(flag, false, value);
        }
        return new YamlDocument(
                flag, false, new ScalarNode(Tag.STR, value, null, null, DumperOptions.ScalarStyle.DOUBLE_QUOTED));
    }

    private static YamlDocument parse(String source, boolean lines, String text) {
        LoaderOptions options = new LoaderOptions();
        options.setCodePointLimit(MAX_BYTES);
        options.setNestingDepthLimit(20);
        options.setMaxAliasesForCollections(20);
        try {
            return new YamlDocument(
                    source, lines, new Yaml(new SafeConstructor(options)).compose(new StringReader(text)));
        } catch (MarkedYAMLException e) {
            String line = lines && e.getProblemMark() != null
                    ? ":" + (e.getProblemMark().getLine() + 1)
                    : "";
            throw new InvalidInputException(source + line + ": is not YAML: " + oneLine(e.getProblem()), e);
        } catch (YAMLException e) {
            throw new InvalidInputException(source + ": is not YAML: " + oneLine(e.getMessage()), e);
        } catch (IllegalArgumentException e) { // what the library's own checks of escapes miss
            throw new InvalidInputException(
                    source + ": is not YAML: an escape in quotes is cut short, or is no character", e);
        }
    }

    private static String oneLine(String text) {
        return String.valueOf(text).lines().findFirst().orElse("").strip();
    }

    /** File and line of a node, or the flag. */
    String where(Node node) {
        return lines && node.getStartMark() != null
                ? source + ":" + (node.getStartMark().getLine() + 1)
                : source;
    }

    InvalidInputException refused(Node node, String key, String why) {
        return new InvalidInputException(where(node) + ": " + (key.isEmpty() ? "" : key + ": ") + why);
    }

    InvalidInputException expected(Node node, String key, String expected) {
        return refused(node, key, "expected " + expected + ", got " + shown(node));
    }

    static boolean isNull(Node node) {
        return node instanceof ScalarNode && node.getTag().equals(Tag.NULL);
    }

    /** Each key and value of a mapping, in order. */
    void forEach(Node node, String key, String expected, BiConsumer<ScalarNode, Node> consumer) {
        requireKnownTag(node, key);
        if (!(node instanceof MappingNode mapping)) {
            throw expected(node, key, expected);
        }
        Map<String, Node> seen = new HashMap<>();
        for (NodeTuple entry : mapping.getValue()) {
            if (!(entry.getKeyNode() instanceof ScalarNode name)) {
                throw refused(entry.getKeyNode(), key, "expected a name as the key, got " + shown(entry.getKeyNode()));
            }
            requireWholeCharacters(name, key);
            Node first = seen.put(name.getValue(), name);
            if (first != null) {
                throw refused(
                        name,
                        key.isEmpty() ? name.getValue() : key + "." + name.getValue(),
                        "is given twice"
                                + (lines
                                        ? ", first on line "
                                                + (first.getStartMark().getLine() + 1)
                                        : "") + "; leave one");
            }
            consumer.accept(name, entry.getValueNode());
        }
    }

    List<Node> list(Node node, String key, String expected) {
        requireKnownTag(node, key);
        if (node instanceof SequenceNode sequence) {
            return sequence.getValue();
        }
        throw expected(node, key, expected);
    }

    /** The value of a scalar setting, within its range. */
    Object value(Node node, String key, SettingType type) {
        requireKnownTag(node, key);
        Object value;
        if (type instanceof SettingType.Choices choices) {
            List<SettingType.YamlScalar> names = list(node, key, type.expected()).stream()
                    .map(name -> scalar(name, key, type))
                    .toList();
            value = choices.parse(names).orElseThrow(() -> expected(node, key, type.expected()));
        } else if (type instanceof SettingType.Patterns patterns) {
            List<SettingType.YamlScalar> texts = list(node, key, type.expected()).stream()
                    .map(text -> scalar(text, key, type))
                    .toList();
            value = patterns.parse(texts).orElseThrow(() -> expected(node, key, type.expected()));
        } else {
            value = type.parse(scalar(node, key, type)).orElseThrow(() -> expected(node, key, type.expected()));
        }
        if (!type.accepts(value)) {
            throw expected(node, key, type.expected());
        }
        return value;
    }

    private SettingType.YamlScalar scalar(Node node, String key, SettingType type) {
        if (node instanceof ScalarNode scalar && !isNull(node)) {
            requireWholeCharacters(scalar, key);
            return new SettingType.YamlScalar(scalar.getValue(), scalar.isPlain());
        }
        throw expected(node, key, type.expected());
    }

    /** An escape such as {@code "&#92;ud800"} makes what no file can hold, the copy of the configuration beside a run neither. */
    private void requireWholeCharacters(ScalarNode scalar, String key) {
        if (!StandardCharsets.UTF_8.newEncoder().canEncode(scalar.getValue())) {
            throw refused(scalar, key, "a text holds half of a surrogate pair: " + shown(scalar) + "; leave it out");
        }
    }

    private void requireKnownTag(Node node, String key) {
        if (!TAGS.contains(node.getTag())) {
            throw refused(node, key, "the tag " + Quoted.of(node.getTag().getValue()) + " is not taken; leave it out");
        }
    }

    private static String shown(Node node) {
        if (node instanceof ScalarNode scalar) {
            boolean number = scalar.getTag().equals(Tag.INT) || scalar.getTag().equals(Tag.FLOAT);
            return isNull(node) ? "nothing" : number ? scalar.getValue() : Quoted.of(scalar.getValue());
        }
        if (node instanceof SequenceNode sequence) {
            boolean flat = sequence.getValue().stream().allMatch(ScalarNode.class::isInstance);
            return flat && sequence.getValue().size() <= 8
                    ? sequence.getValue().stream()
                            .map(YamlDocument::shown)
                            .toList()
                            .toString()
                    : "a list";
        }
        return "a mapping";
    }
}
