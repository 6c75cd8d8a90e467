package org.ewc4j;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.ewc4j.config.TrainingConfig;
import org.ewc4j.task.Example;
import org.ewc4j.task.Task;

/**
 * Everything a run needs, small enough to be learned in a moment: model directories of each architecture with a tokenizer
 * of single bytes, and tasks of a few short questions.
 */
public final class TinyRun {
    public static final int VOCABULARY = 257;
    public static final int POSITIONS = 64;
    private static final JsonMapper JSON = new JsonMapper();

    private TinyRun() {}

    private static final Map<String, String> LLAMA_FAMILY = Map.of(
            "llama", "LlamaForCausalLM",
            "mistral", "MistralForCausalLM",
            "qwen2", "Qwen2ForCausalLM",
            "qwen3", "Qwen3ForCausalLM");

    /** A model directory without weights; {@code architecture} is gpt2, gpt_neox or one of LLaMA's family. */
    public static Path model(Path folder, String architecture) {
        return model(folder, architecture, config -> {});
    }

    /** A model directory whose config.json is changed before it is written. */
    public static Path model(Path folder, String architecture, Consumer<ObjectNode> change) {
        ObjectNode config = JSON.createObjectNode();
        config.put("model_type", architecture).put("vocab_size", VOCABULARY).put("eos_token_id", 0);
        switch (architecture) {
            case "gpt2" ->
                config.put("n_embd", 16)
                        .put("n_head", 2)
                        .put("n_layer", 2)
                        .put("n_positions", POSITIONS)
                        .put("resid_pdrop", 0.0)
                        .put("embd_pdrop", 0.0)
                        .put("attn_pdrop", 0.0)
                        .putArray("architectures")
                        .add("GPT2LMHeadModel");
            case "gpt_neox" ->
                config.put("hidden_size", 16)
                        .put("num_attention_heads", 2)
                        .put("num_hidden_layers", 2)
                        .put("intermediate_size", 32)
                        .put("max_position_embeddings", POSITIONS)
                        .put("rotary_pct", 0.5)
                        .put("hidden_act", "gelu")
                        .putArray("architectures")
                        .add("GPTNeoXForCausalLM");
            default ->
                config.put("hidden_size", 16)
                        .put("num_attention_heads", 4)
                        .put("num_key_value_heads", 2)
                        .put("num_hidden_layers", 2)
                        .put("intermediate_size", 32)
                        .put("max_position_embeddings", POSITIONS)
                        .put("hidden_act", "silu")
                        .put("rms_norm_eps", 1e-5)
                        .put("tie_word_embeddings", false)
                        .put("head_dim", 4)
                        .put("sliding_window", 8)
                        .putArray("architectures")
                        .add(LLAMA_FAMILY.get(architecture));
        }
        change.accept(config);
        write(folder.resolve("config.json"), config.toPrettyString());
        write(folder.resolve("tokenizer.json"), tokenizer());
        return folder;
    }

    /** Byte-level BPE without merges: id 0 ends a sequence, byte b is id b + 1. */
    private static String tokenizer() {
        ObjectNode root = JSON.createObjectNode();
        root.put("version", "1.0").putNull("truncation").putNull("padding");
        root.putArray("added_tokens")
                .addObject()
                .put("id", 0)
                .put("content", "<eos>")
                .put("single_word", false)
                .put("lstrip", false)
                .put("rstrip", false)
                .put("normalized", false)
                .put("special", true);
        root.putNull("normalizer");
        root.putObject("pre_tokenizer")
                .put("type", "ByteLevel")
                .put("add_prefix_space", false)
                .put("trim_offsets", true)
                .put("use_regex", true);
        root.putNull("post_processor");
        root.putObject("decoder")
                .put("type", "ByteLevel")
                .put("add_prefix_space", false)
                .put("trim_offsets", true)
                .put("use_regex", true);
        ObjectNode model = root.putObject("model");
        model.put("type", "BPE")
                .putNull("dropout")
                .putNull("unk_token")
                .putNull("continuing_subword_prefix")
                .putNull("end_of_word_suffix")
                .put("fuse_unk", false)
                .put("byte_fallback", false);
        ObjectNode vocabulary = model.putObject("vocab").put("<eos>", 0);
        int moved = 256;
        for (int b = 0; b < 256; b++) {
            boolean shown = b > 32 && b < 127 || b > 160 && b != 173;
            vocabulary.put(Character.toString(shown ? b : moved++), b + 1);
        }
        model.putArray("merges");
        return root.toPrettyString();
    }

    /** Tasks named red, green, blue, … of {@code rows} questions each. */
    public static List<Task> tasks(int count, int rows) {
        List<String> names = List.of("red", "green", "blue", "grey");
        List<Task> tasks = new ArrayList<>();
        for (int t = 0; t < count; t++) {
            List<Example> train = new ArrayList<>();
            List<Example> test = new ArrayList<>();
            for (int i = 0; i < rows; i++) {
                String question = names.get(t).charAt(0) + "" + (char) ('a' + i) + (i % 3 == 0 ? "?" : "??");
                String answer = Character.toString('A' + (i * 7 + t * 3) % 26).repeat(1 + i % 3);
                train.add(new Example(question, question + ":", answer));
                test.add(new Example(question + "!", question + "!:", answer));
            }
            tasks.add(new Task(names.get(t), train, test));
        }
        return tasks;
    }

    /** The tasks as one file with the fields task, question, test and answer. */
    public static Path tasksFile(Path folder, int count, int rows) {
        StringBuilder lines = new StringBuilder();
        for (Task task : tasks(count, rows)) {
            for (int i = 0; i < rows; i++) {
                lines.append(JSON.createObjectNode()
                                .put("task", task.name())
                                .put("question", task.train().get(i).question())
                                .put("test", task.test().get(i).question())
                                .put("answer", task.train().get(i).answer()))
                        .append('\n');
            }
        }
        return write(folder.resolve("tasks.jsonl"), lines.toString());
    }

    /** A folder with run.yaml, tasks.jsonl (2 tasks of 10 rows) and model/; the run writes into out/ there. */
    public static Path configuration(Path folder, String architecture) {
        model(folder.resolve("model"), architecture);
        tasksFile(folder, 2, 10);
        return write(folder.resolve("run.yaml"), """
                model: {path: model, init: random, seed: 1}
                tasks: {file: tasks.jsonl, test_question_field: test}
                prompt: "{question}:"
                training: {epochs: 2, batch_size: 4, learning_rate: 1.0e-2, max_length: 16, threads: %d}
                ewc: {lambda: 1000}
                evaluation: {max_new_tokens: 4}
                output: out
                """.formatted(Golden.THREADS));
    }

    /** Training settings for the tiny models, in file order, so that a test knows which rows a step has. */
    public static TrainingConfig training() {
        return TrainingConfig.defaults()
                .withThreads(Golden.THREADS)
                .withMaxLength(16)
                .withEpochs(2)
                .withLearningRate(1e-2)
                .withWeightDecay(0)
                .withShuffle(false);
    }

    public static Path write(Path file, String text) {
        try {
            Files.createDirectories(file.getParent());
            return Files.writeString(file, text);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
