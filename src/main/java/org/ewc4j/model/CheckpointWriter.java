package org.ewc4j.model;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.util.DefaultIndenter;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.ewc4j.tensor.Arena;
import org.ewc4j.tensor.AtomicFile;
import org.ewc4j.tensor.ParameterLayout.Parameter;
import org.ewc4j.tensor.SafetensorsWriter;
import org.ewc4j.tensor.StoredType;

/** Writes a model directory that transformers loads with every key matched. */
final class CheckpointWriter {
    /** Above this many bytes the weights are split, as transformers does. */
    private static final long SHARD_BYTES = 50_000_000_000L;

    private static final List<String> BESIDE = List.of(
            ModelDirectory.TOKENIZER,
            "tokenizer_config.json",
            "special_tokens_map.json",
            "added_tokens.json",
            "vocab.json",
            "merges.txt",
            "tokenizer.model",
            "chat_template.jinja",
            ModelDirectory.GENERATION_CONFIG);

    private static final JsonMapper JSON = new JsonMapper();

    private CheckpointWriter() {}

    static void write(ModelDirectory directory, Arena theta, Path folder, StoredType type) {
        AtomicFile.createFolders(folder);
        writeWeights(theta, folder, type, SHARD_BYTES);
        ObjectNode config = directory.config().node().deepCopy();
        config.put("model_type", directory.architecture().modelType());
        config.putArray("architectures").add(directory.architecture().transformersClass());
        config.put("dtype", type.transformersName());
        config.put("torch_dtype", type.transformersName());
        writeJson(folder.resolve(ModelDirectory.CONFIG), config);
        for (String name : BESIDE) {
            Path from = directory.path().resolve(name);
            if (Files.isRegularFile(from)) {
                copy(from, folder.resolve(name));
            }
        }
    }

    static void writeWeights(Arena theta, Path folder, StoredType type, long shardBytes) {
        List<List<Parameter>> shards = shards(theta.layout().parameters(), type, shardBytes);
        if (shards.size() == 1) {
            SafetensorsWriter.write(folder.resolve(ModelDirectory.WEIGHTS), theta, shards.get(0), type);
            return;
        }
        ObjectNode index = JSON.createObjectNode();
        index.putObject("metadata").put("total_size", theta.layout().elements() * type.bytes());
        Map<String, String> fileOf = new TreeMap<>();
        for (int i = 0; i < shards.size(); i++) {
            String file = String.format(Locale.ROOT, "model-%05d-of-%05d.safetensors", i + 1, shards.size());
            SafetensorsWriter.write(folder.resolve(file), theta, shards.get(i), type);
            shards.get(i).forEach(parameter -> fileOf.put(parameter.name(), file));
        }
        ObjectNode map = index.putObject("weight_map");
        fileOf.forEach(map::put);
        writeJson(folder.resolve(ModelDirectory.WEIGHTS_INDEX), index);
    }

    private static List<List<Parameter>> shards(List<Parameter> parameters, StoredType type, long shardBytes) {
        List<List<Parameter>> shards = new ArrayList<>();
        long used = 0;
        for (Parameter parameter : parameters) {
            long bytes = parameter.elements() * type.bytes();
            if (shards.isEmpty() || used + bytes > shardBytes) {
                shards.add(new ArrayList<>());
                used = 0;
            }
            shards.get(shards.size() - 1).add(parameter);
            used += bytes;
        }
        return shards;
    }

    private static void writeJson(Path target, ObjectNode node) {
        DefaultPrettyPrinter printer = new DefaultPrettyPrinter();
        printer.indentArraysWith(DefaultIndenter.SYSTEM_LINEFEED_INSTANCE);
        try {
            AtomicFile.write(
                    target, (JSON.writer(printer).writeValueAsString(node) + "\n").getBytes(StandardCharsets.UTF_8));
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void copy(Path from, Path to) {
        AtomicFile.write(to, channel -> {
            try (FileChannel source = FileChannel.open(from)) {
                long size = source.size();
                for (long position = 0; position < size; ) {
                    long moved = source.transferTo(position, size - position, channel);
                    if (moved == 0) {
                        throw new IOException(from + " was cut short while it was copied");
                    }
                    position += moved;
                }
            }
        });
    }
}
