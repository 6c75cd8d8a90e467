package org.ewc4j.hostile;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.ewc4j.ContinualLearner;
import org.ewc4j.Golden;
import org.ewc4j.TinyRun;
import org.ewc4j.config.EwcConfig;
import org.ewc4j.config.ModelSource;
import org.ewc4j.config.SaveConfig.StoredType;
import org.ewc4j.task.Task;
import org.ewc4j.tensor.SafetensorsFile;

/**
 * A folder with one whole and valid file of each kind that ewc4j reads: a model, the same in shards, a configuration, tasks
 * in both formats, a consolidation that points to its anchor. Used by one thread.
 */
final class HostileFixture {
    static final int THREADS = Golden.THREADS;

    private final Path folder;
    private final Map<String, byte[]> originals = new HashMap<>();

    private HostileFixture(Path folder) {
        this.folder = folder;
    }

    static HostileFixture make(Path folder) {
        HostileFixture fixture = new HostileFixture(folder);
        Path source = TinyRun.model(folder.resolve("source"), "llama");
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

    /** The valid content of a file. */
    byte[] original(String file) {
        return originals.computeIfAbsent(file, name -> read(folder.resolve(name)));
    }

    /** Puts an input in the place of a file. */
    void replace(String file, byte[] input) {
        original(file);
        write(folder.resolve(file), input);
    }

    /** Puts the valid content back. */
    void restore(String file) {
        write(folder.resolve(file), original(file));
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
