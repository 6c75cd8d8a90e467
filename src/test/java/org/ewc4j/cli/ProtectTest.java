package org.ewc4j.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.ewc4j.cli.CommandLineFixture.run;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.ewc4j.Golden;
import org.ewc4j.TinyRun;
import org.ewc4j.cli.CommandLineFixture.Result;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code ewc.protect}: what the starting checkpoint knows is held on to from the first task on, and scored. */
class ProtectTest {
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
        TinyRun.write(folder.resolve("general.txt"), "Whatever a model knows of the world. ".repeat(8));
        TinyRun.write(folder.resolve("other.txt"), "It says so when it is asked, mostly.");
        TinyRun.write(
                folder.resolve("asked.jsonl"),
                "{\"question\": \"a\", \"answer\": \"B\"}\n{\"question\": \"c\", \"answer\": \"D\"}\n".repeat(5));
    }

    private Result train(String... settings) {
        List<Object> arguments = new ArrayList<>(List.of("train", configuration, "--overwrite"));
        for (String setting : settings) {
            arguments.addAll(List.of("--set", setting));
        }
        return run(arguments.toArray());
    }

    private JsonNode trained(String... settings) throws IOException {
        Result result = train(settings);
        assertThat(result.code()).as(result.err()).isZero();
        return JSON.readTree(out.resolve("results.json").toFile());
    }

    private JsonNode held(int task, int index) throws IOException {
        return JSON.readTree(out.resolve("task-0" + task + "/consolidation/consolidation.json")
                        .toFile())
                .path("fishers")
                .path(index);
    }

    private List<JsonNode> firstTask() throws IOException {
        List<JsonNode> steps = new ArrayList<>();
        for (String line : Files.readAllLines(out.resolve("steps.jsonl"))) {
            if (JSON.readTree(line).get("task").asInt() == 0) {
                steps.add(JSON.readTree(line));
            }
        }
        return steps;
    }

    @Test
    void theFirstTaskIsLearnedUnderItAndItIsScoredFromTheStart() throws IOException {
        trained();
        Path start = Files.move(out.resolve("model"), folder.resolve("start"));
        String[] settings = {
            "model.path=start",
            "model.init=pretrained",
            "ewc.protect.data=general.txt",
            "ewc.protect.test=other.txt",
            "ewc.protect.weight=2"
        };
        JsonNode results = trained(settings);

        List<JsonNode> steps = firstTask();
        assertThat(steps.get(0).get("penalty").asDouble())
                .as("θ is the anchor yet")
                .isZero();
        assertThat(steps.subList(1, steps.size()))
                .allMatch(step -> step.get("penalty").asDouble() > 0);
        assertThat(held(1, 0).get("task").asText()).isEqualTo("protected");
        assertThat(held(1, 0).get("weight").asDouble()).isEqualTo(2);
        assertThat(held(1, 2).get("task").asText()).isEqualTo("green");
        assertThat(held(1, 2).get("weight").asDouble()).isEqualTo(1);

        // The very Fisher that fisher estimate makes of the checkpoint and the whole text.
        Path base = folder.resolve("base");
        Result estimate = run(
                "fisher",
                "estimate",
                start,
                folder.resolve("general.txt"),
                "-o",
                base,
                "--set",
                "training.max_length=16",
                "--set",
                "training.threads=" + Golden.THREADS);
        assertThat(estimate.code()).as(estimate.err()).isZero();
        JsonNode alone =
                JSON.readTree(base.resolve("consolidation.json").toFile()).at("/fishers/0");
        for (String key : List.of("data_sha256", "model_sha256", "examples", "scored_tokens")) {
            assertThat(held(1, 0).get(key)).as(key).isEqualTo(alone.get(key));
        }

        // The start is what evaluate says of the checkpoint.
        JsonNode loss = results.at("/protected/loss");
        assertThat(loss).hasSize(3).allMatch(JsonNode::isNumber);
        Result evaluated = run(
                "evaluate",
                start,
                folder.resolve("other.txt"),
                "--set",
                "training.max_length=16",
                "--set",
                "training.threads=" + Golden.THREADS);
        assertThat(evaluated.out()).contains(String.format("%.4f", loss.get(0).asDouble()));
        assertThat(results.at("/protected/perplexity/0").asDouble())
                .isEqualTo(Math.exp(loss.get(0).asDouble()));
        assertThat(Files.readString(out.resolve("report.html"))).contains("Protected data");
    }

    @Test
    void aWeightHoldsTheStartTighter() throws IOException {
        String[] protect = {"ewc.protect.data=general.txt", "ewc.merge=sum", "ewc.lambda=1e4"};
        double loose = trained(protect).at("/protected/loss/2").asDouble();
        double start = JSON.readTree(out.resolve("results.json").toFile())
                .at("/protected/loss/0")
                .asDouble();
        double tight = trained(protect[0], protect[1], protect[2], "ewc.protect.weight=1e4")
                .at("/protected/loss/2")
                .asDouble();

        assertThat(Math.abs(tight - start)).isLessThan(0.5 * Math.abs(loose - start));
    }

    @ParameterizedTest
    @CsvSource({"ewc.protect.weight=0, 2", "ewc.lambda=0, 0"})
    void withoutAWeightOrALambdaItIsScoredOnly(String setting, int fishers) throws IOException {
        JsonNode results = trained("ewc.protect.data=general.txt", setting);

        assertThat(results.at("/protected/loss")).hasSize(3);
        assertThat(firstTask()).allMatch(step -> step.get("penalty").asDouble() == 0);
        if (fishers > 0) {
            assertThat(held(1, 0).get("task").asText()).isEqualTo("red");
            assertThat(held(1, fishers).isMissingNode()).isTrue();
        } else {
            assertThat(out.resolve("task-00")).doesNotExist();
        }
    }

    @Test
    void theTerminalSaysWhatBecameOfIt() throws IOException {
        Result result = train("ewc.protect.data=general.txt", "evaluation.every_task=false");

        assertThat(result.err()).contains("protected data: perplexity ", " at the start", "  protected perplexity ");
        assertThat(result.out())
                .containsPattern("Perplexity of the protected data: {3}start [0-9.]+ {3}after 2 [0-9.]+\n");
        assertThat(JSON.readTree(out.resolve("results.json").toFile())
                        .at("/protected/loss/1")
                        .isNull())
                .as("not scored after the first task, as nothing was")
                .isTrue();
    }

    @Test
    void questionsMayBeProtectedAndTheirNumberLimited() throws IOException {
        JsonNode results = trained(
                "ewc.protect.data=asked.jsonl",
                "ewc.protect.format=questions",
                "ewc.protect.max_examples=4",
                "evaluation.splits=[train]");

        assertThat(held(0, 0).get("examples").asInt()).isEqualTo(4);
        assertThat(results.at("/protected/loss/2").isNumber()).isTrue();
        Result validated = run(
                "validate",
                configuration,
                "--set",
                "ewc.protect.data=asked.jsonl",
                "--set",
                "ewc.protect.format=questions",
                "--set",
                "training.replay=3");
        assertThat(validated.out())
                .contains("protected data: 9 rows in the Fisher pass before the first task, 1 held out to be scored")
                .contains("green: 10 training and 10 test questions, 8 steps"); // 13 rows in batches of 4, twice
    }

    @Test
    void theNumberOfATasksRowsLimitsNoProtectedOnes() throws IOException {
        trained("ewc.protect.data=asked.jsonl", "ewc.protect.format=questions", "ewc.fisher_max_examples=2");

        assertThat(held(0, 0).get("examples").asInt()).isEqualTo(9);
        assertThat(held(0, 1).get("examples").asInt()).isEqualTo(2);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "ewc.protect.data=no.txt | no.txt: no such file, though the configuration names it",
                "ewc.protect.data=asked.jsonl | asked.jsonl:1: field \"text\" is missing",
                "ewc.protect.data=tiny.txt | task \"protected\": its text fills 1 row of training.max_length 16 tokens"
            })
    void refusesDataThatCannotBeProtected(String setting, String message) {
        TinyRun.write(folder.resolve("tiny.txt"), "few words");
        Result result = train(setting);

        assertThat(result.code()).isEqualTo(2);
        assertThat(result.err().strip()).contains(message).doesNotContain("\n");
    }

    @Test
    void refusesDataThatOverwriteWouldRemove() throws IOException {
        trained();

        Result result = train("ewc.protect.data=out/config.yaml");

        assertThat(result.code()).isEqualTo(2);
        assertThat(result.err()).contains("output " + out + ": holds " + out.resolve("config.yaml"));
    }

    @Test
    void aWeightThatIsNoneIsRefusedWhereAConsolidationIsRead() throws IOException {
        trained("ewc.protect.data=general.txt");
        Path kept = out.resolve("task-00/consolidation");
        Path record = kept.resolve("consolidation.json");
        String text = Files.readString(record);
        Files.writeString(record, text.replaceFirst("\"weight\" : 1.0", "\"weight\" : 0"));

        Result result = run("fisher", "inspect", kept);

        assertThat(result.code()).isEqualTo(2);
        assertThat(result.err()).contains("key 'fishers[0].weight': expected a number above 0");
    }
}
