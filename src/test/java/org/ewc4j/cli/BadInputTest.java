package org.ewc4j.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.ewc4j.cli.CommandLineFixture.run;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.ewc4j.Golden;
import org.ewc4j.TinyRun;
import org.ewc4j.cli.CommandLineFixture.Result;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every mistake in what is given: exit code 2 and one line that names the place and what was expected, nothing written. */
class BadInputTest {
    @TempDir
    Path folder;

    private Path configuration;

    @BeforeEach
    void write() throws IOException {
        folder = folder.toRealPath();
        configuration = TinyRun.configuration(folder, "gpt2");
    }

    /** Breaks one thing in the folder. */
    @FunctionalInterface
    private interface Damage {
        void in(Path folder) throws IOException;
    }

    /** @param expected what the line must hold */
    private record Mistake(String name, Damage damage, String... expected) {
        @Override
        public String toString() {
            return name;
        }
    }

    private static Damage yaml(String from, String to) {
        return edit("run.yaml", text -> {
            assertThat(text).contains(from);
            return text.replace(from, to);
        });
    }

    private static Damage edit(String file, UnaryOperator<String> change) {
        return folder -> Files.writeString(folder.resolve(file), change.apply(Files.readString(folder.resolve(file))));
    }

    private static Damage tasks(UnaryOperator<String> change) {
        return edit("tasks.jsonl", change);
    }

    static Stream<Mistake> mistakesInConfigurationAndTasks() {
        return Stream.of(
                new Mistake(
                        "unknown key",
                        yaml("learning_rate", "learnin_rate"),
                        "run.yaml:4",
                        "training.learnin_rate",
                        "learning_rate"),
                new Mistake("unknown section", yaml("evaluation:", "evalution:"), "run.yaml:6", "evaluation"),
                new Mistake(
                        "wrong type",
                        yaml("epochs: 2", "epochs: two"),
                        "run.yaml:4",
                        "training.epochs",
                        "a whole number",
                        "\"two\""),
                new Mistake(
                        "fraction",
                        yaml("batch_size: 4", "batch_size: 4.5"),
                        "run.yaml:4",
                        "training.batch_size",
                        "whole number"),
                new Mistake("NaN", yaml("1.0e-2", ".nan"), "run.yaml:4", "training.learning_rate", "a number"),
                new Mistake("negative lambda", yaml("1000", "-1"), "run.yaml:5", "ewc.lambda", "at least 0", "-1"),
                new Mistake(
                        "unknown kind",
                        yaml("{lambda: 1000}", "{fisher: diagonal}"),
                        "run.yaml:5",
                        "ewc.fisher",
                        "batch",
                        "uniform"),
                new Mistake(
                        "il_mode",
                        yaml("output: out", "il_mode: CIL"),
                        "run.yaml:7",
                        "il_mode",
                        "IIL",
                        "instance-incremental"),
                new Mistake(
                        "classifier",
                        yaml("output: out", "classifier: Linear"),
                        "run.yaml:7",
                        "classifier",
                        "None",
                        "generative"),
                new Mistake(
                        "classification_type",
                        yaml("output: out", "classification_type: word-level"),
                        "run.yaml:7",
                        "sentence-level"),
                new Mistake("not YAML", yaml("{lambda: 1000}", "{lambda: 1000"), "run.yaml:6", "is not YAML"),
                new Mistake(
                        "key twice", yaml("output: out", "output: out\noutput: b"), "run.yaml:8", "output", "twice"),
                new Mistake(
                        "no such configuration",
                        folder -> Files.delete(folder.resolve("run.yaml")),
                        "run.yaml",
                        "no such file"),
                new Mistake("prompt without a question", yaml("{question}", "Q"), "prompt", "{question}"),
                new Mistake(
                        "prompt with an unknown field",
                        yaml("{question}", "{question}{context}"),
                        "tasks.jsonl:1",
                        "context",
                        "missing"),
                new Mistake(
                        "override of no task",
                        yaml("output: out", "task_overrides: {rot: {epochs: 1}}"),
                        "task_overrides.rot",
                        "red"),
                new Mistake(
                        "missing tasks",
                        folder -> Files.delete(folder.resolve("tasks.jsonl")),
                        "tasks.jsonl",
                        "no such file"),
                new Mistake("tasks is a folder", yaml("tasks.jsonl", "model"), "model", "is a folder"),
                new Mistake(
                        "malformed line",
                        tasks(text -> text + "{\"task\": \"red\", \n"),
                        "tasks.jsonl:21",
                        "malformed JSON"),
                new Mistake("no object", tasks(text -> text + "[1, 2]\n"), "tasks.jsonl:21", "expected a JSON object"),
                new Mistake(
                        "missing field",
                        tasks(text -> text.replaceFirst("\"answer\"", "\"anwser\"")),
                        "tasks.jsonl:1",
                        "answer",
                        "missing"),
                new Mistake(
                        "null answer", tasks(text -> text.replaceFirst("\"A\"", "null")), "tasks.jsonl:1", "answer"),
                new Mistake(
                        "not UTF-8",
                        folder -> Files.write(folder.resolve("tasks.jsonl"), new byte[] {'{', (byte) 0xff, '}'}),
                        "tasks.jsonl:1",
                        "UTF-8"),
                new Mistake("no tasks", tasks(text -> "\n\n"), "tasks.jsonl", "no row"),
                new Mistake(
                        "empty task",
                        folder -> {
                            Files.writeString(folder.resolve("empty.jsonl"), "\n");
                            list("{name: red, train: tasks.jsonl, test: tasks.jsonl}, {name: nil, train: empty.jsonl, test: tasks.jsonl}")
                                    .in(folder);
                        },
                        "\"nil\"",
                        "no training row"),
                new Mistake(
                        "no test rows",
                        list("{name: red, train: tasks.jsonl}"),
                        "\"red\"",
                        "no test row",
                        "evaluation.splits"),
                new Mistake(
                        "duplicate task name",
                        list(
                                "{name: red, train: tasks.jsonl, test: tasks.jsonl}, {name: red, train: tasks.jsonl, test: tasks.jsonl}"),
                        "\"red\"",
                        "twice"),
                new Mistake("task without a name", list("{train: tasks.jsonl}"), "run.yaml:2", "name", "missing"),
                new Mistake(
                        "incremental JSON, lists of two lengths",
                        incremental("{\"0\": {\"train\": {\"input\": [\"a\"], \"target\": []}}}"),
                        "tasks.json",
                        "one length"),
                new Mistake(
                        "incremental JSON without test",
                        incremental("{\"0\": {\"train\": {\"input\": [\"a\"], \"target\": [\"b\"]}}}"),
                        "\"0\"",
                        "no test row"),
                new Mistake(
                        "answer without room",
                        tasks(text -> text.replaceFirst("\"A\"", "\"" + "A".repeat(14) + "\"")),
                        "task \"red\"",
                        "\"ra?\"",
                        "no room",
                        "training.max_length 16",
                        "17"),
                new Mistake(
                        "max_length beyond the positions",
                        yaml("max_length: 16", "max_length: 65"),
                        "training.max_length",
                        "65",
                        "64"),
                new Mistake(
                        "max_new_tokens beyond the positions",
                        yaml("max_new_tokens: 4", "max_new_tokens: 64"),
                        "evaluation.max_new_tokens",
                        "64"),
                new Mistake(
                        "output is a file",
                        folder -> Files.writeString(folder.resolve("out"), "x"),
                        "/out",
                        "is a file"),
                new Mistake(
                        "output below a file",
                        yaml("output: out", "output: run.yaml/out"),
                        "run.yaml/out",
                        "cannot be written"),
                new Mistake(
                        "output in a place of the kernel",
                        yaml("output: out", "output: /proc/ewc4j-out"),
                        "/proc/ewc4j-out",
                        "cannot be written"));
    }

    private static Damage list(String entries) {
        return yaml("tasks: {file: tasks.jsonl, test_question_field: test}", "tasks: [" + entries + "]");
    }

    private static Damage incremental(String json) {
        return folder -> {
            Files.writeString(folder.resolve("tasks.json"), json);
            yaml("tasks.jsonl, test_question_field: test", "tasks.json").in(folder);
        };
    }

    static Stream<Mistake> mistakesInTheModelDirectory() {
        return Stream.of(
                new Mistake(
                        "no folder",
                        yaml("path: model,", "path: modl,"),
                        "/modl",
                        "no such model directory",
                        "config.json"),
                new Mistake(
                        "no config",
                        folder -> Files.delete(folder.resolve("model/config.json")),
                        "model/config.json",
                        "missing"),
                new Mistake(
                        "config is not JSON",
                        edit("model/config.json", text -> text.substring(5)),
                        "model/config.json"),
                new Mistake(
                        "no model type", edit("model/config.json", text -> "{}"), "model/config.json", "model_type"),
                new Mistake(
                        "another architecture",
                        config("model_type", "mamba"),
                        "model/config.json",
                        "mamba",
                        "gpt2",
                        "llama",
                        "gpt_neox"),
                new Mistake(
                        "another activation",
                        config("activation_function", "snake"),
                        "config.json",
                        "activation_function",
                        "snake",
                        "gelu_new"),
                new Mistake("wrong type in config", config("n_layer", "two"), "config.json", "n_layer", "whole number"),
                new Mistake("negative size", config("n_embd", -16), "config.json", "n_embd"),
                new Mistake(
                        "heads that do not divide", config("n_head", 3), "config.json", "n_embd", "3 attention heads"),
                new Mistake("enormous size", config("n_embd", 2_000_000_000), "config.json"),
                new Mistake("enormous number of layers", config("n_layer", 2_000_000_000), "config.json", "n_layer"),
                new Mistake("eos outside the vocabulary", config("eos_token_id", 300), "eos_token_id", "300"),
                new Mistake("no eos", config("eos_token_id", null), "eos_token_id"),
                new Mistake(
                        "no tokenizer",
                        folder -> Files.delete(folder.resolve("model/tokenizer.json")),
                        "tokenizer.json",
                        "missing"),
                new Mistake(
                        "tokenizer cut short",
                        edit("model/tokenizer.json", text -> text.substring(0, text.length() / 2)),
                        "tokenizer.json",
                        "broken"),
                new Mistake(
                        "tokenizer of another shape",
                        edit("model/tokenizer.json", text -> "{\"model\": {\"vocab\": {\"a\": 0}}}"),
                        "tokenizer.json",
                        "broken"),
                new Mistake(
                        "tokenizer that is a list",
                        edit("model/tokenizer.json", text -> "[]"),
                        "tokenizer.json",
                        "broken"),
                new Mistake("more tokens than the model", config("vocab_size", 200), "tokenizer.json", "256", "199"));
    }

    private static Damage config(String key, Object value) {
        return edit("model/config.json", text -> {
            try {
                ObjectNode node = (ObjectNode) new JsonMapper().readTree(text);
                node.putPOJO(key, value);
                return node.toString();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource({"mistakesInConfigurationAndTasks", "mistakesInTheModelDirectory"})
    void aMistakeIsOneLineAndNothingIsWritten(Mistake mistake) throws IOException {
        mistake.damage().in(folder);
        List<Path> before = contents();

        for (String command : List.of("train", "validate")) {
            assertRefused(run(command, configuration), mistake.expected());
        }

        assertThat(contents()).isEqualTo(before);
    }

    private List<Path> contents() throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            return files.sorted().toList();
        }
    }

    private static void assertRefused(Result result, String... expected) {
        assertThat(result.code()).as(result.err()).isEqualTo(2);
        assertThat(result.err())
                .startsWith("ewc4j: ")
                .hasLineCount(1)
                .contains(expected)
                .doesNotContain("Exception", "\tat ");
        assertThat(result.out()).isEmpty();
    }

    /** A safetensors header and body, as they stand in the file. */
    private record Weights(ObjectNode header, byte[] body) {
        static Weights read(Path file) throws IOException {
            ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
            int length = (int) bytes.getLong();
            ObjectNode header = (ObjectNode) new JsonMapper().readTree(bytes.array(), 8, length);
            return new Weights(header, java.util.Arrays.copyOfRange(bytes.array(), 8 + length, bytes.capacity()));
        }

        void write(Path file) throws IOException {
            byte[] text = header.toString().getBytes(StandardCharsets.UTF_8);
            write(file, text.length, text);
        }

        void write(Path file, long length, byte[] text) throws IOException {
            ByteBuffer bytes =
                    ByteBuffer.allocate(8 + text.length + body.length).order(ByteOrder.LITTLE_ENDIAN);
            Files.write(file, bytes.putLong(length).put(text).put(body).array());
        }

        ObjectNode entry(String name) {
            return (ObjectNode) header.get(name);
        }
    }

    private static final String TENSOR = "transformer.h.0.ln_1.weight";

    @FunctionalInterface
    private interface WeightDamage {
        void apply(Weights weights, Path file) throws IOException;
    }

    private static Mistake weights(String name, WeightDamage damage, String... expected) {
        List<String> all = new ArrayList<>(List.of(expected));
        return new Mistake(
                name,
                folder -> {
                    Path file = folder.resolve("out/model/model.safetensors");
                    damage.apply(Weights.read(file), file);
                },
                all.toArray(String[]::new));
    }

    static Stream<Mistake> mistakesInTheWeights() {
        return Stream.of(
                weights(
                        "truncated body",
                        (w, file) ->
                                new Weights(w.header, java.util.Arrays.copyOf(w.body, w.body.length - 100)).write(file),
                        "model.safetensors",
                        "truncated"),
                weights(
                        "surplus bytes",
                        (w, file) ->
                                new Weights(w.header, java.util.Arrays.copyOf(w.body, w.body.length + 4)).write(file),
                        "model.safetensors",
                        "4 bytes"),
                weights("empty file", (w, file) -> Files.write(file, new byte[0]), "model.safetensors", "header"),
                weights(
                        "oversized header",
                        (w, file) -> w.write(file, 1L << 40, w.header.toString().getBytes(StandardCharsets.UTF_8)),
                        "model.safetensors",
                        "header",
                        "1099511627776"),
                weights("negative header", (w, file) -> w.write(file, -1, new byte[0]), "model.safetensors", "header"),
                weights(
                        "header beyond the file",
                        (w, file) -> w.write(file, 50_000_000, new byte[0]),
                        "model.safetensors",
                        "header",
                        "truncated"),
                weights(
                        "header is not JSON",
                        (w, file) -> w.write(file, 10, "not a json".getBytes(StandardCharsets.UTF_8)),
                        "model.safetensors",
                        "not valid JSON"),
                weights(
                        "overlap",
                        (w, file) -> {
                            w.entry(TENSOR)
                                    .withArray("data_offsets")
                                    .removeAll()
                                    .add(0)
                                    .add(64);
                            w.write(file);
                        },
                        "model.safetensors",
                        "overlap"),
                weights(
                        "out of range",
                        (w, file) -> {
                            w.entry(TENSOR)
                                    .withArray("data_offsets")
                                    .removeAll()
                                    .add(1L << 50)
                                    .add((1L << 50) + 64);
                            w.write(file);
                        },
                        "model.safetensors",
                        TENSOR),
                weights(
                        "backwards",
                        (w, file) -> {
                            w.entry(TENSOR)
                                    .withArray("data_offsets")
                                    .removeAll()
                                    .add(64)
                                    .add(0);
                            w.write(file);
                        },
                        "model.safetensors",
                        TENSOR,
                        "backwards"),
                weights(
                        "shape that overflows",
                        (w, file) -> {
                            w.entry(TENSOR)
                                    .withArray("shape")
                                    .removeAll()
                                    .add(1L << 40)
                                    .add(1L << 40);
                            w.write(file);
                        },
                        "model.safetensors",
                        TENSOR,
                        "overflow"),
                weights(
                        "shape of another size",
                        (w, file) -> {
                            w.entry(TENSOR).withArray("shape").removeAll().add(15);
                            w.write(file);
                        },
                        "model.safetensors",
                        TENSOR,
                        "[15]"),
                weights(
                        "shape that config.json does not make",
                        (w, file) -> {
                            w.entry(TENSOR)
                                    .withArray("shape")
                                    .removeAll()
                                    .add(4)
                                    .add(4);
                            w.write(file);
                        },
                        "model.safetensors",
                        TENSOR,
                        "[4, 4]",
                        "[16]"),
                weights(
                        "wrong dtype",
                        (w, file) -> {
                            w.entry(TENSOR).put("dtype", "I32");
                            w.write(file);
                        },
                        "model.safetensors",
                        TENSOR,
                        "I32",
                        "F32"),
                weights(
                        "unknown dtype",
                        (w, file) -> {
                            w.entry(TENSOR).put("dtype", "F128");
                            w.write(file);
                        },
                        "model.safetensors",
                        TENSOR,
                        "F128"),
                weights(
                        "surplus tensor",
                        (w, file) -> {
                            w.header.set("transformer.h.9.ln_1.weight", w.header.remove(TENSOR));
                            w.write(file);
                        },
                        TENSOR,
                        "GPT2LMHeadModel"),
                weights(
                        "missing weights",
                        (w, file) -> Files.delete(file),
                        "model.safetensors",
                        "missing",
                        "init: random"),
                weights(
                        "pickled weights",
                        (w, file) -> Files.move(file, file.resolveSibling("pytorch_model.bin")),
                        "pytorch_model.bin",
                        "python3 -c",
                        "save_pretrained"),
                weights(
                        "missing shard",
                        (w, file) -> index(file, "model-00001-of-00001.safetensors"),
                        "index.json",
                        "model-00001-of-00001.safetensors",
                        "missing"),
                weights(
                        "shard outside the folder",
                        (w, file) -> {
                            Files.copy(file, file.resolveSibling("../evil.safetensors"));
                            index(file, "../evil.safetensors");
                        },
                        "index.json",
                        "../evil.safetensors",
                        "outside"),
                weights(
                        "shard without its tensor",
                        (w, file) -> {
                            w.header.remove(TENSOR);
                            index(file, "a.safetensors");
                            new Weights(new JsonMapper().createObjectNode(), new byte[0])
                                    .write(file.resolveSibling("a.safetensors"));
                        },
                        "index.json",
                        "a.safetensors",
                        "not in the shard"),
                weights(
                        "tokenizer.model alone",
                        (w, file) -> Files.move(
                                file.resolveSibling("tokenizer.json"), file.resolveSibling("tokenizer.model")),
                        "tokenizer.json",
                        "python3 -c"));
    }

    private static void index(Path weights, String shard) throws IOException {
        Files.delete(weights);
        Files.writeString(
                weights.resolveSibling("model.safetensors.index.json"),
                "{\"metadata\": {}, \"weight_map\": {\"" + TENSOR + "\": \"" + shard + "\"}}");
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("mistakesInTheWeights")
    void weightsThatAreNotWholeAreRefused(Mistake mistake) throws IOException {
        assertThat(run("train", configuration, "--set", "training.max_steps=1", "--set", "evaluation.every_task=false")
                        .code())
                .isZero();
        mistake.damage().in(folder);

        assertRefused(
                run(
                        "train",
                        configuration,
                        "--set",
                        "model.path=out/model",
                        "--set",
                        "model.init=pretrained",
                        "--output",
                        folder.resolve("second")),
                mistake.expected());
        assertRefused(run("evaluate", folder.resolve("out/model"), configuration), mistake.expected());
        assertThat(folder.resolve("second")).doesNotExist();
    }

    @Test
    void argumentsOfTheOtherCommandsAreCheckedToo() {
        assertRefused(run("report", folder.resolve("none")), "none");
        assertRefused(run("report", folder), "results.json");
        assertRefused(
                run(
                        "evaluate",
                        folder.resolve("none"),
                        folder.resolve("tasks.jsonl"),
                        "--set",
                        "training.threads=" + Golden.THREADS,
                        "--set",
                        "evaluation.splits=[train]"),
                "none",
                "no such model directory");
        assertRefused(run("generate", folder.resolve("none"), "x"), "none", "no such model directory");
        assertRefused(
                run("train", configuration, "--profile-steps", "1:2", "--set", "device=cpu"),
                "--profile-steps",
                "device is cpu",
                "--nvtx");
        assertRefused(run("train", configuration, "--set", "ewc.lamda=3"), "--set ewc.lamda=3", "ewc.lambda");
        assertRefused(run("train", configuration, "--set", "ewc.lambda"), "key=value");
    }
}
