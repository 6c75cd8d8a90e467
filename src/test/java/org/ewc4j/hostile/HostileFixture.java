package org.ewc4j.hostile;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.ewc4j.ContinualLearner;
import org.ewc4j.Golden;
import org.ewc4j.TinyRun;
import org.ewc4j.checkpoint.KeptArena;
import org.ewc4j.checkpoint.StateFolder;
import org.ewc4j.config.EwcConfig;
import org.ewc4j.config.ModelSource;
import org.ewc4j.config.SaveConfig.StoredType;
import org.ewc4j.kernel.Kernels;
import org.ewc4j.model.ModelDirectory;
import org.ewc4j.task.Task;
import org.ewc4j.tensor.Arena;
import org.ewc4j.tensor.Device;
import org.ewc4j.tensor.SafetensorsFile;
import org.ewc4j.tensor.Torch;

/**
 * A folder with one whole and valid file of each kind that ewc4j reads: a model, the same in shards, a configuration, tasks
 * in both formats, text in both, a consolidation that points to its anchor. All of it is as small as it can be, so that most of
 * a file is what a parser looks at, and a million inputs take minutes. Used by one thread.
 */
final class HostileFixture implements AutoCloseable {
    /** The characters of {@link TinyRun#tasks}. */
    private static final String CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ!?:";

    /** The output folder of a run that was stopped. */
    static final String STOPPED_RUN = "stopped/";

    /** The folder of its checkpoint. */
    static final String STOPPED_CHECKPOINT = STOPPED_RUN + "checkpoints/checkpoint-000001/";

    /** Folders with what a report is made of, results.json and what is named here: the other files take longer than the page. */
    static final String REPORTED_RUN = "reported/";

    private static final Map<String, List<String>> REPORTED_FILES = Map.of(
            "results", List.of("steps.jsonl", "predictions.jsonl"),
            "steps", List.of("steps.jsonl"),
            "predictions", List.of("predictions.jsonl"),
            "configuration", List.of("config.yaml"));

    /** The folder of a state that holds the model's parameters and nothing else, as a checkpoint's takes long to seal. */
    static final String PARAMETERS_STATE = "parameters/";

    private static final JsonMapper JSON = new JsonMapper();

    private final Path folder;
    private final Map<String, byte[]> originals = new HashMap<>();
    private final Map<String, FileChannel> channels = new HashMap<>();
    private final Map<String, ModelDirectory> directories = new HashMap<>();
    private Arena arena; // null until it is asked for
    private StoppedRunFixture stoppedRun; // null until it is asked for
    private boolean reported;
    private final Kernels kernels = Torch.kernels(Device.CPU, Golden.THREADS);

    private HostileFixture(Path folder) {
        this.folder = folder;
    }

    /** In {@code parent}, or where there is a file system in memory in that: a disk is slower than most parsers. */
    static HostileFixture make(Path parent) {
        Path memory = Path.of("/dev/shm");
        try {
            return fill(Files.createTempDirectory(Files.isWritable(memory) ? memory : parent, "ewc4j-hostile"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static HostileFixture fill(Path folder) {
        HostileFixture fixture = new HostileFixture(folder);
        Path source = model(folder.resolve("source"));
        try (ContinualLearner learner = ContinualLearner.open(
                ModelSource.random(source, 1),
                TinyRun.training(),
                EwcConfig.defaults().withLambda(1))) {
            for (Task task : TinyRun.tasks(1, 4)) {
                learner.learn(task);
            }
            learner.saveModel(folder.resolve("model"), StoredType.FLOAT32);
            learner.saveModel(folder.resolve("run/model"), StoredType.FLOAT32);
            learner.saveConsolidation(
                    folder.resolve("run/consolidation"), java.util.Optional.of(folder.resolve("run/model")));
        }
        write(folder.resolve("model/generation_config.json"), bytes("""
                {"eos_token_id": [0, 5], "pad_token_id": 0, "max_new_tokens": 20}
                """));
        fixture.shard();
        TinyRun.tasksFile(folder, 2, 3);
        write(folder.resolve("tasks.json"), bytes("""
                {"0": {"train": {"input": ["a", "b"], "target": ["c", "d"], "task": ["x", "y"]},
                       "test": {"input": ["e", "f"], "target": ["c", "d"]}},
                 "1": {"train": {"input": ["g"], "target": [1900]}, "test": {"input": ["h"], "target": [true]}}}
                """));
        write(folder.resolve("text.txt"), bytes("Some text, ü.\n\nAnd more of it.\n"));
        write(folder.resolve("text.jsonl"), bytes("{\"text\": \"one\", \"id\": 1}\n{\"text\": \"two\\n\"}\n"));
        write(folder.resolve("run.yaml"), bytes("""
                model: {path: model, init: random, seed: 1}
                tasks: {file: tasks.jsonl, test_question_field: test}
                prompt: "{question}:"
                training: &t {epochs: 2, batch_size: 4, learning_rate: 1.0e-2, max_length: 16}
                ewc: {lambda: 1000, fisher_dtype: bf16}
                evaluation: {max_new_tokens: 4, splits: [train, test]}
                task_overrides: {red: {epochs: 3}}
                """));
        return fixture;
    }

    /** The smallest LLaMA, with a tokenizer of the characters of the tasks. */
    private static Path model(Path folder) {
        TinyRun.model(
                folder,
                "llama",
                config -> config.put("vocab_size", CHARACTERS.length() + 1)
                        .put("hidden_size", 2)
                        .put("num_attention_heads", 1)
                        .put("num_key_value_heads", 1)
                        .put("num_hidden_layers", 1)
                        .put("intermediate_size", 2)
                        .put("head_dim", 2));
        try {
            JsonNode tokenizer = JSON.readTree(read(folder.resolve("tokenizer.json")));
            ObjectNode vocabulary =
                    ((ObjectNode) tokenizer.get("model")).putObject("vocab").put("<eos>", 0);
            for (int i = 0; i < CHARACTERS.length(); i++) {
                vocabulary.put(CHARACTERS.substring(i, i + 1), i + 1);
            }
            write(folder.resolve("tokenizer.json"), JSON.writeValueAsBytes(tokenizer));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return folder;
    }

    /** The model's weights as one shard with an index. */
    private void shard() {
        Path folder = this.folder.resolve("sharded");
        String shard = "model-00001-of-00001.safetensors";
        for (String name : new String[] {"config.json", "tokenizer.json"}) {
            write(folder.resolve(name), read(this.folder.resolve("model").resolve(name)));
        }
        Path weights = this.folder.resolve("model/model.safetensors");
        write(folder.resolve(shard), read(weights));
        StringBuilder index = new StringBuilder("{\"metadata\": {\"total_size\": 1}, \"weight_map\": {");
        try (SafetensorsFile file = SafetensorsFile.open(weights)) {
            file.entries()
                    .keySet()
                    .forEach(tensor -> index.append(index.charAt(index.length() - 1) == '{' ? "" : ",")
                            .append('"')
                            .append(tensor)
                            .append("\":\"")
                            .append(shard)
                            .append('"'));
        }
        write(folder.resolve("model.safetensors.index.json"), bytes(index + "}}"));
    }

    Path folder() {
        return folder;
    }

    /** A folder with a model, opened once: what is tried is what is read of it later. */
    ModelDirectory modelDirectory(String name) {
        return directories.computeIfAbsent(
                name, folder -> ModelDirectory.open(ModelSource.pretrained(this.folder.resolve(folder))));
    }

    /** A run that was stopped; made when it is asked for first. */
    StoppedRunFixture stoppedRun() {
        if (stoppedRun == null) {
            stoppedRun = StoppedRunFixture.make(folder, folder.resolve(STOPPED_CHECKPOINT));
        }
        return stoppedRun;
    }

    private void reportedRuns() {
        if (!reported) {
            stoppedRun();
            REPORTED_FILES.forEach((name, files) -> {
                Path run = folder.resolve(REPORTED_RUN + name);
                Stream.concat(Stream.of("results.json"), files.stream())
                        .forEach(file -> write(run.resolve(file), read(folder.resolve(STOPPED_RUN + file))));
            });
            reported = true;
        }
    }

    /** The model's parameters, as {@link #PARAMETERS_STATE} holds them, to write and to read into. */
    KeptArena parameters() {
        if (arena == null) {
            arena = new Arena(modelDirectory("model").layout());
            StateFolder.save(folder.resolve(PARAMETERS_STATE), StateFolder.newState(), List.of(parameters()));
        }
        return KeptArena.changing("theta", arena);
    }

    Kernels kernels() {
        return kernels;
    }

    /** The valid content of a file. */
    byte[] original(String file) {
        if (file.startsWith(STOPPED_RUN)) {
            stoppedRun();
        } else if (file.startsWith(REPORTED_RUN)) {
            reportedRuns();
        } else if (file.startsWith(PARAMETERS_STATE)) {
            parameters();
        }
        return originals.computeIfAbsent(file, name -> read(folder.resolve(name)));
    }

    /** Puts an input in the place of a file, through a channel that stays open: opening takes longer than some parsers. */
    void replace(String file, byte[] input) {
        original(file);
        try {
            FileChannel channel = channels.get(file);
            if (channel == null) {
                channel = FileChannel.open(folder.resolve(file), StandardOpenOption.WRITE);
                channels.put(file, channel);
            }
            channel.truncate(input.length);
            ByteBuffer bytes = ByteBuffer.wrap(input);
            while (bytes.hasRemaining()) {
                channel.write(bytes, bytes.position());
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Removes the folder. */
    @Override
    public void close() {
        kernels.close();
        if (stoppedRun != null) {
            stoppedRun.close();
        }
        if (arena != null) {
            arena.close();
        }
        channels.values().forEach(channel -> {
            try {
                channel.close();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static Path write(Path file, byte[] bytes) {
        try {
            Files.createDirectories(file.getParent());
            return Files.write(file, bytes);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static byte[] read(Path file) {
        try {
            return Files.readAllBytes(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
