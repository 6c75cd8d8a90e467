package org.ewc4j.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.ewc4j.cli.CommandLineFixture.run;
import static org.ewc4j.cli.CommandLineFixture.runAlone;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.ewc4j.Golden;
import org.ewc4j.TinyRun;
import org.ewc4j.cli.CommandLineFixture.Result;
import org.ewc4j.config.RunConfigReader;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The commands on a model and tasks that are there, and every file that a run leaves. */
class CommandLineRunTest {
    private static final JsonMapper JSON = new JsonMapper();

    @TempDir
    Path folder;

    private Path configuration;
    private Path out;

    @BeforeEach
    void write() throws IOException {
        folder = folder.toRealPath();
        configuration = TinyRun.configuration(folder, "gpt2");
        out = folder.resolve("out");
    }

    private static List<JsonNode> rows(Path file) throws IOException {
        List<JsonNode> rows = new ArrayList<>();
        for (String line : Files.readAllLines(file)) {
            rows.add(JSON.readTree(line));
        }
        return rows;
    }

    private static List<String> keys(JsonNode node) {
        List<String> keys = new ArrayList<>();
        node.fieldNames().forEachRemaining(keys::add);
        return keys;
    }

    private static List<String> files(Path folder) throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            return files.filter(Files::isRegularFile)
                    .map(file -> folder.relativize(file).toString())
                    .sorted()
                    .toList();
        }
    }

    private void train(Object... more) {
        List<Object> arguments = new ArrayList<>(List.of("train", configuration));
        arguments.addAll(List.of(more));
        Result result = run(arguments.toArray());
        assertThat(result.code()).as(result.err()).isZero();
    }

    @Test
    void trainLeavesTheFilesOfARunAndNoOther() throws IOException {
        Result result = run("train", configuration);

        assertThat(result.code()).as(result.err()).isZero();
        assertThat(result.out()).contains("red", "green", "average", "forgetting", "Run in " + out);
        assertThat(files(out))
                .containsExactly(
                        "config.yaml",
                        "model/config.json",
                        "model/model.safetensors",
                        "model/tokenizer.json",
                        "predictions.jsonl",
                        "report.html",
                        "results.json",
                        "steps.jsonl",
                        "task-00/consolidation/anchor.safetensors",
                        "task-00/consolidation/consolidation.json",
                        "task-00/consolidation/fisher.safetensors",
                        "task-01/consolidation/anchor.safetensors",
                        "task-01/consolidation/consolidation.json",
                        "task-01/consolidation/fisher.safetensors");
        assertThat(Files.readString(out.resolve("config.yaml"))).contains("ewc4j", "pytorch", "seed 0");
        assertThat(RunConfigReader.read(out.resolve("config.yaml"))).isEqualTo(RunConfigReader.read(configuration));
        Map<String, float[]> fisher = Golden.allFloats(out.resolve("task-01/consolidation/fisher.safetensors"));
        assertThat(fisher.keySet())
                .isEqualTo(
                        Golden.allFloats(out.resolve("model/model.safetensors")).keySet())
                .contains("transformer.wte.weight")
                .doesNotContain("lm_head.weight");
    }

    @Test
    void aRowForEachStepHasTheseKeysInThisOrder() throws IOException {
        train();

        List<JsonNode> rows = rows(out.resolve("steps.jsonl"));
        assertThat(rows).hasSize(2 * 2 * 3);
        for (int i = 0; i < rows.size(); i++) {
            JsonNode row = rows.get(i);
            assertThat(keys(row))
                    .containsExactly(
                            "task",
                            "epoch",
                            "task_name",
                            "step",
                            "lm_loss",
                            "penalty",
                            "loss",
                            "grad_norm",
                            "penalty_grad_norm",
                            "learning_rate",
                            "tokens",
                            "seconds");
            assertThat(row.get("task").isInt()
                            && row.get("epoch").isInt()
                            && row.get("step").isInt()
                            && row.get("tokens").isInt())
                    .isTrue();
            assertThat(row.get("task").asInt()).isEqualTo(i / 6);
            assertThat(row.get("epoch").asInt()).isEqualTo(i / 3 % 2);
            assertThat(row.get("step").asInt()).isEqualTo(i);
            assertThat(row.get("task_name").asText()).isEqualTo(i < 6 ? "red" : "green");
            assertThat(row.get("learning_rate").asDouble()).isEqualTo(0.01);
            assertThat(row.get("loss").asDouble())
                    .isEqualTo(row.get("lm_loss").asDouble()
                            + 1000 * row.get("penalty").asDouble());
            assertThat(row.get("grad_norm").asDouble()).isPositive();
            assertThat(row.get("seconds").asDouble()).isPositive();
            // The first step behind a task stands at its anchor.
            assertThat(row.get("penalty").asDouble() > 0).isEqualTo(i > 6);
            assertThat(row.get("penalty_grad_norm").asDouble() > 0).isEqualTo(i > 6);
        }
        // 4 + 4 + 2 rows an epoch: question of 3 or 4 characters with a colon, a space, 1 to 3 letters and the end.
        assertThat(rows.stream()
                        .limit(3)
                        .mapToInt(row -> row.get("tokens").asInt())
                        .sum())
                .isEqualTo(4 * 7 + 3 * 9 + 3 * 10);
    }

    @Test
    void resultsHaveTheseKeysAndShapes() throws IOException {
        train();

        JsonNode results = JSON.readTree(out.resolve("results.json").toFile());
        assertThat(keys(results))
                .containsExactlyInAnyOrder(
                        "tasks", "matrix", "loss", "metrics", "loss_metrics", "seconds", "parameters", "lambda");
        assertThat(results.get("tasks")).hasToString("[\"red\",\"green\"]");
        for (String what : List.of("matrix", "loss")) {
            assertThat(keys(results.get(what))).containsExactly("train", "test");
            for (JsonNode matrix : results.get(what)) {
                assertThat(matrix).hasSize(2).allMatch(row -> row.size() == 2);
                assertThat(matrix.get(0).get(1).isNull()).isTrue();
                assertThat(List.of(
                                matrix.get(0).get(0),
                                matrix.get(1).get(0),
                                matrix.get(1).get(1)))
                        .allMatch(JsonNode::isNumber);
            }
        }
        assertThat(keys(results.get("metrics"))).containsExactly("train", "test");
        for (JsonNode metrics : results.get("metrics")) {
            assertThat(keys(metrics))
                    .containsExactly("average", "average_incremental", "forgetting", "backward_transfer");
            assertThat(metrics).allMatch(JsonNode::isNumber);
        }
        for (JsonNode metrics : results.get("loss_metrics")) {
            assertThat(keys(metrics)).containsExactly("average", "learned", "forgetting");
            assertThat(metrics).allMatch(JsonNode::isNumber);
        }
        assertThat(keys(results.get("seconds"))).containsExactly("train", "fisher", "evaluate");
        assertThat(results.get("seconds")).allMatch(seconds -> seconds.asDouble() > 0);
        long elements = Golden.allFloats(out.resolve("model/model.safetensors")).values().stream()
                .mapToLong(v -> v.length)
                .sum();
        assertThat(results.get("parameters").asLong()).isEqualTo(elements);
        assertThat(results.get("lambda").asDouble()).isEqualTo(1000);
    }

    @Test
    void predictionsAgreeWithTheMatrix() throws IOException {
        TinyRun.configuration(folder, "llama");
        train("--set", "training.epochs=60");

        List<JsonNode> rows = rows(out.resolve("predictions.jsonl"));
        assertThat(rows)
                .hasSize(2 * 10 * (1 + 2))
                .allSatisfy(row -> assertThat(keys(row))
                        .containsExactly(
                                "after_task",
                                "task",
                                "task_name",
                                "split",
                                "question",
                                "expected",
                                "generated",
                                "correct"));
        Map<String, Integer> correct = new TreeMap<>();
        rows.forEach(row -> correct.merge(
                row.get("split").asText() + "/" + row.get("after_task") + "/" + row.get("task"),
                row.get("correct").asBoolean() ? 10 : 0,
                Integer::sum));
        JsonNode matrix = JSON.readTree(out.resolve("results.json").toFile()).get("matrix");
        assertThat(correct).hasSize(6);
        correct.forEach(
                (at, percent) -> assertThat(matrix.at("/" + at).asInt()).as(at).isEqualTo(percent));
        assertThat(correct.get("train/0/0")).as("a model that learns").isGreaterThanOrEqualTo(90);
    }

    @Test
    void evaluationIsAfterEachTaskAtTheEndOrOnAllTasks() throws IOException {
        train("--set", "evaluation.every_task=false", "--output", folder.resolve("end"));
        train(
                "--set",
                "evaluation.every_task=all",
                "--output",
                folder.resolve("all"),
                "--set",
                "evaluation.splits=[train]");

        JsonNode end = JSON.readTree(folder.resolve("end/results.json").toFile());
        assertThat(end.at("/matrix/test/0")).hasToString("[null,null]");
        assertThat(end.at("/matrix/test/1")).allMatch(JsonNode::isNumber);
        assertThat(end.at("/metrics/test/average").isNumber()).isTrue();
        JsonNode all = JSON.readTree(folder.resolve("all/results.json").toFile());
        assertThat(all.at("/matrix/train"))
                .allMatch(row -> row.get(0).isNumber() && row.get(1).isNumber());
        assertThat(all.at("/matrix/test")).hasToString("[[null,null],[null,null]]");
        assertThat(all.at("/loss/test")).hasToString("[[null,null],[null,null]]");
        assertThat(all.at("/metrics/test/average").isNull()).isTrue();
        assertThat(rows(folder.resolve("all/predictions.jsonl"))).hasSize(40);
    }

    @Test
    void withoutLambdaThereIsNoFisher() throws IOException {
        train("--set", "ewc.lambda=0", "--set", "save.keep=all");

        assertThat(files(out))
                .noneMatch(file -> file.contains("consolidation"))
                .contains("task-00/model/model.safetensors", "task-01/model/config.json");
        assertThat(rows(out.resolve("steps.jsonl")))
                .allMatch(row -> row.get("penalty").asDouble() == 0
                        && row.get("penalty_grad_norm").asDouble() == 0
                        && row.get("loss").equals(row.get("lm_loss")));
        assertThat(JSON.readTree(out.resolve("results.json").toFile())
                        .at("/seconds/fisher")
                        .asDouble())
                .isZero();
        assertThat(Files.readAllBytes(out.resolve("task-01/model/model.safetensors")))
                .isEqualTo(Files.readAllBytes(out.resolve("model/model.safetensors")));
    }

    @Test
    void aTaskMayHaveSettingsOfItsOwn() throws IOException {
        train(
                "--set",
                "task_overrides.green={epochs: 1, batch_size: 5, learning_rate: 1e-4, lambda: 3, schedule: linear, warmup_steps: 1}");

        List<JsonNode> rows = rows(out.resolve("steps.jsonl"));
        assertThat(rows).hasSize(6 + 2);
        assertThat(rows.subList(0, 6)).allMatch(row -> row.get("learning_rate").asDouble() == 0.01);
        assertThat(rows.subList(6, 8))
                .allMatch(row -> row.get("learning_rate").asDouble() == 1e-4
                        && row.get("loss").asDouble()
                                == row.get("lm_loss").asDouble()
                                        + 3 * row.get("penalty").asDouble());
    }

    @Test
    void savedModelsSayWhatTheyAreStoredIn() throws IOException {
        train("--set", "save.dtype=bfloat16");

        JsonNode config = JSON.readTree(out.resolve("model/config.json").toFile());
        assertThat(config.get("dtype").asText()).isEqualTo("bfloat16");
        assertThat(config.get("torch_dtype").asText()).isEqualTo("bfloat16");
        assertThat(run(
                                "train",
                                configuration,
                                "--set",
                                "model.path=out/model",
                                "--set",
                                "model.init=pretrained",
                                "--output",
                                folder.resolve("again"))
                        .code())
                .isZero();
    }

    /** Training computes in fp32: steps too small for a difference leave every bit of a bf16 checkpoint. */
    @Test
    void aCheckpointInBfloat16GoesThroughARunUnrounded() throws IOException {
        train("--set", "save.dtype=bfloat16");
        Result again = run(
                "train",
                configuration,
                "--set",
                "model.path=out/model",
                "--set",
                "model.init=pretrained",
                "--set",
                "training.learning_rate=1e-30",
                "--set",
                "training.weight_decay=0",
                "--set",
                "save.dtype=bfloat16",
                "--output",
                folder.resolve("again"));

        assertThat(again.code()).isZero();
        assertThat(folder.resolve("again/model/model.safetensors"))
                .hasSameBinaryContentAs(out.resolve("model/model.safetensors"));
    }

    @Test
    void aFolderThatIsNotEmptyIsRefused() throws IOException {
        train();
        Map<String, String> before = contents();

        Result result = run("train", configuration);

        assertThat(result.code()).isEqualTo(2);
        assertThat(result.err()).hasLineCount(1).contains("is not empty", "--overwrite");
        assertThat(contents()).isEqualTo(before);
    }

    @Test
    void overwriteReplacesARunWhenEverythingElseWasChecked() throws IOException {
        train("--set", "save.keep=all");
        Map<String, String> before = contents();
        String tasks = Files.readString(folder.resolve("tasks.jsonl"));
        String tokenizer = Files.readString(folder.resolve("model/tokenizer.json"));

        Files.writeString(folder.resolve("tasks.jsonl"), tasks + "{\"task\": \"red\"\n");
        assertThat(run("train", configuration, "--overwrite").code()).isEqualTo(2);
        Files.writeString(
                folder.resolve("tasks.jsonl"),
                tasks.replace("\"answer\":\"A\"", "\"answer\":\"" + "A".repeat(30) + "\""));
        assertThat(run("train", configuration, "--overwrite").code()).isEqualTo(2);
        Files.writeString(folder.resolve("tasks.jsonl"), tasks);
        Files.writeString(folder.resolve("model/tokenizer.json"), "{");
        assertThat(run("train", configuration, "--overwrite").code()).isEqualTo(2);
        assertThat(contents()).isEqualTo(before);
        Files.writeString(folder.resolve("model/tokenizer.json"), tokenizer);
        train("--overwrite", "--set", "ewc.lambda=0");
        assertThat(files(out)).noneMatch(file -> file.startsWith("task-"));
    }

    @Test
    void overwriteLeavesAloneWhatIsNotARun() throws IOException {
        TinyRun.write(out.resolve("thesis.txt"), "years of work");
        assertThat(run("train", configuration, "--overwrite").err())
                .hasLineCount(1)
                .contains("not an ewc4j run");
        Files.delete(out.resolve("thesis.txt"));
        train();
        TinyRun.write(out.resolve("model/thesis.txt"), "years of work");

        Result result = run("train", configuration, "--overwrite");

        assertThat(result.code()).isEqualTo(2);
        assertThat(result.err()).hasLineCount(1).contains("model/thesis.txt");
        assertThat(out.resolve("results.json")).exists();
    }

    private Map<String, String> contents() throws IOException {
        Map<String, String> contents = new TreeMap<>();
        for (String file : files(out)) {
            contents.put(
                    file,
                    new String(Files.readAllBytes(out.resolve(file)), java.nio.charset.StandardCharsets.ISO_8859_1));
        }
        return contents;
    }

    @Test
    void validateShowsAndChecksAndWritesNothing() throws IOException {
        List<String> before = files(folder);

        Result result = run("validate", configuration);

        assertThat(result.code()).as(result.err()).isZero();
        assertThat(result.out())
                .contains(
                        "GPT2LMHeadModel",
                        "parameters",
                        "MB",
                        "red: 10 training and 10 test questions, 6 steps",
                        "r|a|?|:|[ ]|[A]|[<eos>]|",
                        "nothing was trained");
        assertThat(files(folder)).isEqualTo(before);
        train();
        assertThat(run("validate", configuration).code())
                .as("a run that is there is no mistake yet")
                .isZero();
    }

    @Test
    void cutsAreToldInTheSummary() {
        Result result =
                run("train", configuration, "--set", "training.max_length=6", "--set", "evaluation.max_new_tokens=1");

        assertThat(result.code()).as(result.err()).isZero();
        assertThat(result.out()).contains("cut from the left", "max_new_tokens");
    }

    @Test
    void evaluateScoresAsTheRunDid() throws IOException {
        train("--set", "training.epochs=20");
        JsonNode results = JSON.readTree(out.resolve("results.json").toFile());

        Result result = run("evaluate", out.resolve("model"), configuration, "--wrong", "1");

        assertThat(result.code()).as(result.err()).isZero();
        assertThat(result.out())
                .containsPattern("green +train +"
                        + String.format("%.1f", results.at("/matrix/train/1/1").asDouble()) + " +"
                        + String.format("%.4f", results.at("/loss/train/1/1").asDouble()) + " +10");
    }

    @Test
    void evaluateTakesATasksFileAPromptAndAFolderWithAnyName() throws IOException {
        train();
        Path model = folder.resolve("a: b #c [d]");
        Files.move(out.resolve("model"), model);
        Path tasks = Files.move(folder.resolve("tasks.jsonl"), folder.resolve("t: 1 #2.jsonl"));

        Result result = run(
                "evaluate",
                model,
                tasks,
                "--prompt",
                "Q: {question}:",
                "--test-question-field",
                "test",
                "--set",
                "training.threads=" + Golden.THREADS,
                "--max-new-tokens",
                "3");

        assertThat(result.code()).as(result.err()).isZero();
        assertThat(result.out()).containsPattern("red +test +\\d");
    }

    @Test
    void generateContinuesInAProcessOfItsOwn() throws Exception {
        TinyRun.configuration(folder, "llama");
        train("--set", "training.epochs=60");

        Result result = runAlone(folder, "generate", "out/model", "ga?:", "--max-new-tokens", "5");

        assertThat(result.code()).as(result.err()).isZero();
        assertThat(result.err()).isEmpty();
        assertThat(result.out()).isEqualTo("ga?: D\n");
        Result tooLong = runAlone(folder, "generate", "out/model", "x".repeat(TinyRun.POSITIONS + 1));
        assertThat(tooLong.code()).isEqualTo(2);
        assertThat(tooLong.err()).hasLineCount(1).contains("65 tokens", "64");
    }

    @Test
    void reportPutsRunsSideBySide() throws IOException {
        train();
        train("--set", "ewc.lambda=0", "--output", folder.resolve("plain"));

        Result result = run("report", out, folder.resolve("plain"), "-o", folder.resolve("both.html"));

        assertThat(result.code()).as(result.err()).isZero();
        assertThat(Files.readString(folder.resolve("both.html")))
                .contains("plain", "out", "red", "green")
                .doesNotContain("http://", "https://")
                .doesNotContain("<script src");
    }

    @Test
    void doctorAndVersionAndCompletionWork() {
        assertThat(run("doctor").code()).isZero();
        assertThat(run("--version").out()).contains("ewc4j");
        assertThat(run("completion").code()).isZero();
    }

    @Test
    void pathsOfFlags() throws IOException {
        Path elsewhere = Files.createDirectories(folder.resolve("else where"));
        Files.move(folder.resolve("tasks.jsonl"), elsewhere.resolve("t.jsonl"));

        // --set is relative to the file, --output to the working directory.
        train("--set", "tasks.file=else where/t.jsonl", "--set", "output=set/run");

        assertThat(folder.resolve("set/run/results.json")).exists();
        Path relative = Path.of(
                "target", "command-line-run-test-" + ProcessHandle.current().pid());
        try {
            train("--set", "tasks.file=else where/t.jsonl", "--output", relative, "--set", "save.dtype=float16");
            assertThat(relative.resolve("results.json")).exists();
        } finally {
            try (Stream<Path> files = Files.walk(relative)) {
                for (Path file :
                        files.sorted(java.util.Comparator.reverseOrder()).toList()) {
                    Files.delete(file);
                }
            }
        }
    }
}
