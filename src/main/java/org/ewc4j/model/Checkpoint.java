package org.ewc4j.model;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.tensor.Arena;
import org.ewc4j.tensor.ParameterLayout;
import org.ewc4j.tensor.ParameterLayout.Parameter;
import org.ewc4j.tensor.SafetensorsFile;
import org.ewc4j.tensor.StoredType;
import org.ewc4j.tensor.WeightReader;

/**
 * The stored weights of a model directory: one file or shards, matched against what the architecture needs.
 *
 * <p>Accepted besides the exact names: names without the base model's prefix, the buffers that old checkpoints carry, a
 * duplicate of a tied output embedding. Anything else missing or left over is refused by name.
 */
final class Checkpoint implements AutoCloseable {
    private static final Pattern BUFFERS =
            Pattern.compile("(^|.*\\.)(attn|attention)\\.(bias|masked_bias)$|(^|.*\\.)rotary_emb\\.inv_freq$");

    /** A stored tensor and the file that holds it. */
    private record Stored(SafetensorsFile file, SafetensorsFile.Entry entry) {}

    private final List<SafetensorsFile> files = new ArrayList<>();
    private final Architecture architecture;
    private final Map<Parameter, Stored> weights = new LinkedHashMap<>();
    private Stored tiedDuplicate;
    private final Path path;

    private Checkpoint(Path path, Architecture architecture) {
        this.path = path;
        this.architecture = architecture;
    }

    /** Opens the files and checks every name and shape, before any weight is read. */
    static Checkpoint open(ModelDirectory directory, ParameterLayout layout) {
        Checkpoint checkpoint = new Checkpoint(directory.path(), directory.architecture());
        try {
            checkpoint.match(checkpoint.collect(), layout);
            return checkpoint;
        } catch (RuntimeException e) {
            checkpoint.close();
            throw e;
        }
    }

    private Map<String, Stored> collect() {
        Map<String, Stored> stored = new LinkedHashMap<>();
        Path single = path.resolve(ModelDirectory.WEIGHTS);
        if (Files.isRegularFile(single)) {
            add(stored, single);
            return stored;
        }
        Path indexFile = path.resolve(ModelDirectory.WEIGHTS_INDEX);
        ConfigJson index = ConfigJson.read(indexFile);
        ConfigJson map = index.object("weight_map");
        if (map == null) {
            throw new InvalidInputException(indexFile + ": key 'weight_map' is missing");
        }
        Map<String, String> shardOf = new LinkedHashMap<>();
        for (Map.Entry<String, JsonNode> entry : map.node().properties()) {
            if (!entry.getValue().isTextual()) {
                throw map.wrong(entry.getKey(), "the name of a shard");
            }
            shardOf.put(entry.getKey(), entry.getValue().asText());
        }
        for (String shard : new TreeSet<>(shardOf.values())) {
            add(stored, shard(indexFile, shard));
        }
        shardOf.forEach((tensor, shard) -> {
            if (!stored.containsKey(tensor)
                    || !stored.get(tensor)
                            .file()
                            .path()
                            .getFileName()
                            .toString()
                            .equals(shard)) {
                throw new InvalidInputException(indexFile + ": tensor '" + tensor + "' is not in the shard " + shard);
            }
        });
        return stored;
    }

    private Path shard(Path indexFile, String name) {
        if (name.isEmpty()
                || name.contains("/")
                || name.contains("\\")
                || name.equals("..")
                || name.equals(".")
                || name.indexOf('\0') >= 0) {
            throw new InvalidInputException(indexFile + ": shard '" + name + "' lies outside the model directory");
        }
        Path file;
        try {
            file = path.resolve(name);
        } catch (InvalidPathException e) { // where the locale's encoding lacks a character of it, say
            throw new InvalidInputException(
                    indexFile + ": shard '" + name + "' is a name that no file can have here: " + e.getReason(), e);
        }
        if (!Files.isRegularFile(file)) {
            throw new InvalidInputException(indexFile + ": shard '" + name + "' is missing");
        }
        return file;
    }

    private void add(Map<String, Stored> stored, Path path) {
        SafetensorsFile file = SafetensorsFile.open(path);
        files.add(file);
        file.entries().forEach((name, entry) -> {
            Stored before = stored.put(name, new Stored(file, entry));
            if (before != null) {
                throw new InvalidInputException(path + ": tensor '" + name + "' is in "
                        + before.file().path().getFileName() + " too");
            }
        });
    }

    private void match(Map<String, Stored> stored, ParameterLayout layout) {
        List<String> surplus = new ArrayList<>();
        stored.forEach((name, tensor) -> {
            Parameter parameter = parameterFor(name, layout);
            if (parameter != null) {
                take(name, tensor, parameter);
            } else if (architecture.tied() && isOutputEmbedding(name)) {
                tiedDuplicate = tensor;
            } else if (!BUFFERS.matcher(name).matches()) {
                surplus.add(name);
            }
        });
        Parameter input = layout.get(architecture.inputEmbedding());
        if (tiedDuplicate != null && !weights.containsKey(input)) {
            // Of two tensors in one memory safetensors keeps the name that sorts first, which can be the output's.
            take(tiedDuplicate.entry().name(), tiedDuplicate, input);
            tiedDuplicate = null;
        }
        List<String> missing = layout.parameters().stream()
                .filter(parameter -> !weights.containsKey(parameter))
                .map(Parameter::name)
                .toList();
        if (!missing.isEmpty()) {
            throw new InvalidInputException(path + ": the weights have no tensor " + named(missing) + ", which "
                    + architecture.transformersClass() + " with this config.json needs");
        }
        if (!surplus.isEmpty()) {
            throw new InvalidInputException(path + ": the weights have a tensor " + named(surplus) + " that "
                    + architecture.transformersClass() + " with this config.json does not use");
        }
    }

    private boolean isOutputEmbedding(String name) {
        return name.equals(architecture.outputEmbedding())
                || architecture.aliases().containsKey(name);
    }

    private Parameter parameterFor(String name, ParameterLayout layout) {
        Parameter parameter = layout.find(name);
        if (parameter == null) {
            parameter = layout.find(architecture.aliases().getOrDefault(name, ""));
        }
        return parameter == null ? layout.find(architecture.basePrefix() + name) : parameter;
    }

    private void take(String name, Stored tensor, Parameter parameter) {
        if (!tensor.entry().shape().equals(parameter.shape())) {
            throw new InvalidInputException(tensor.file().path() + ": tensor '" + name + "' has shape "
                    + tensor.entry().shape() + ", config.json makes it " + parameter.shape());
        }
        if (!tensor.entry().type().isWeight()) {
            throw new InvalidInputException(tensor.file().path() + ": tensor '" + name + "' has dtype "
                    + tensor.entry().type() + "; weights are read as F32, F16 or BF16");
        }
        Stored before = weights.put(parameter, tensor);
        if (before != null) {
            throw new InvalidInputException(tensor.file().path() + ": tensor '" + name + "' is there twice, as '"
                    + before.entry().name() + "' too");
        }
    }

    private static String named(List<String> names) {
        return "'" + names.get(0) + "'" + (names.size() > 1 ? " (and " + (names.size() - 1) + " more)" : "");
    }

    /** Whether every weight is of that type in its file. */
    boolean isStoredIn(StoredType type) {
        return weights.values().stream().allMatch(stored -> stored.entry().type() == type);
    }

    /** Reads every weight into θ. */
    void readInto(Arena theta) {
        weights.forEach((parameter, stored) -> WeightReader.read(stored.file(), stored.entry(), theta, parameter));
        if (tiedDuplicate != null) {
            Parameter input = theta.layout().get(architecture.inputEmbedding());
            if (!tiedDuplicate.entry().shape().equals(input.shape())
                    || !tiedDuplicate.entry().type().isWeight()
                    || !WeightReader.equal(tiedDuplicate.file(), tiedDuplicate.entry(), theta, input)) {
                throw new InvalidInputException(tiedDuplicate.file().path() + ": tensor '"
                        + tiedDuplicate.entry().name() + "' differs from " + input.name()
                        + ", to which config.json ties it; set tie_word_embeddings to false there");
            }
        }
    }

    @Override
    public void close() {
        files.forEach(SafetensorsFile::close);
    }
}
