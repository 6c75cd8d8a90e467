package org.ewc4j.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.ewc4j.cli.CommandLineFixture.run;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.ewc4j.TinyRun;
import org.ewc4j.cli.CommandLineFixture.Result;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** One seed, one result: the same bytes in every file, whatever prepares the batches. */
class DeterminismTest {
    private static final List<String> SAME_BYTES = List.of(
            "predictions.jsonl",
            "model/model.safetensors",
            "task-00/consolidation/fisher.safetensors",
            "task-01/consolidation/fisher.safetensors",
            "task-00/model/model.safetensors");

    @TempDir
    Path folder;

    private Path train(String name, String... settings) {
        Path out = folder.resolve(name);
        List<Object> arguments = new ArrayList<>(
                List.of("train", folder.resolve("run.yaml"), "--output", out, "--set", "save.keep=all"));
        for (String setting : settings) {
            arguments.addAll(List.of("--set", setting));
        }
        Result result = run(arguments.toArray());
        assertThat(result.code()).as(result.err()).isZero();
        return out;
    }

    private static List<String> steps(Path run) throws IOException {
        return Files.readAllLines(run.resolve("steps.jsonl")).stream()
                .map(row -> row.replaceAll(",\"seconds\":[^,}]*}$", "}"))
                .toList();
    }

    private static void assertSame(Path one, Path other) throws IOException {
        assertThat(steps(other)).isEqualTo(steps(one)).allMatch(row -> !row.contains("seconds"));
        for (String file : SAME_BYTES) {
            assertThat(Files.mismatch(one.resolve(file), other.resolve(file)))
                    .as(file)
                    .isEqualTo(-1);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"gpt2", "gpt_neox", "llama"})
    void aSeedGivesTheSameRunWithOneLoaderThreadOrTwo(String architecture) throws IOException {
        TinyRun.configuration(folder, architecture);
        TinyRun.model(
                folder.resolve("model"),
                architecture,
                config -> config.put("resid_pdrop", 0.1)
                        .put("embd_pdrop", 0.1)
                        .put("attn_pdrop", 0.1)
                        .put("hidden_dropout", 0.1)
                        .put("attention_dropout", 0.1));
        String[] settings = {
            "training.gradient_accumulation=2", "training.epochs=4", "training.shuffle=true", "training.seed=7"
        };
        Path one = train("one", settings);

        assertSame(one, train("two", settings));
        List<String> twoLoaders = new ArrayList<>(List.of(settings));
        twoLoaders.add("training.loader_threads=2");
        assertSame(one, train("three", twoLoaders.toArray(String[]::new)));
    }

    @Test
    void anotherSeedGivesAnotherRun() throws IOException {
        TinyRun.configuration(folder, "gpt2");
        List<String> one = steps(train("one"));

        assertThat(steps(train("shuffled", "training.seed=1"))).doesNotContain(one.get(1));
        assertThat(steps(train("initialised", "model.seed=2"))).doesNotContain(one.get(0));
    }

    @Test
    void dropoutIsOnInTrainingOnly() throws IOException {
        TinyRun.configuration(folder, "gpt2");
        Path without = train("without", "training.shuffle=false", "training.learning_rate=0");
        TinyRun.model(
                folder.resolve("model"),
                "gpt2",
                config -> config.put("resid_pdrop", 0.5).put("embd_pdrop", 0.5));
        Path with = train("with", "training.shuffle=false", "training.learning_rate=0");

        assertThat(steps(with)).doesNotContainAnyElementsOf(steps(without));
        assertThat(Files.mismatch(
                        with.resolve("task-01/consolidation/fisher.safetensors"),
                        without.resolve("task-01/consolidation/fisher.safetensors")))
                .isEqualTo(-1);
        assertThat(Files.mismatch(with.resolve("predictions.jsonl"), without.resolve("predictions.jsonl")))
                .isEqualTo(-1);
    }
}
