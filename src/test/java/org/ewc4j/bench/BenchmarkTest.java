package org.ewc4j.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.ewc4j.Golden;
import org.ewc4j.config.DeviceSetting;
import org.ewc4j.config.RunConfig;
import org.ewc4j.config.RunConfigReader;
import org.ewc4j.config.TrainingConfig.Precision;
import org.ewc4j.consolidation.StateTypes;
import org.ewc4j.error.InvalidInputException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BenchmarkTest {
    @TempDir
    Path folder;

    /** The counts are those of the published checkpoints. */
    @ParameterizedTest
    @CsvSource({
        "pythia-14m, 14067712",
        "pythia-70m, 70426624",
        "pythia-160m, 162322944",
        "pythia-410m, 405334016",
        "gpt2, 124439808",
        "smollm-135m, 134515008",
        "tinyllama-1.1b, 1100048384"
    })
    void shapesHaveTheParametersOfTheirModels(String name, long parameters) {
        assertThat(Shapes.names()).contains(name);
        assertThat(Shapes.open(name).parameterCount()).isEqualTo(parameters);
    }

    @Test
    void anUnknownShapeIsRefusedWithTheKnownOnes() {
        assertThatThrownBy(() -> Shapes.open("pythia-7b"))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContainingAll("pythia-7b", "pythia-70m", "gpt2");
    }

    @Test
    void fullRowsScoreEveryPositionThatHasOneBeforeIt() {
        BenchBatches batches = BenchBatches.of(options(Optional.empty(), 3, 16), Shapes.open("pythia-14m"));

        assertThat(batches.steps()).hasSize(RoundRobin.WARM_UP + 2).allSatisfy(step -> {
            assertThat(step.tokens()).isEqualTo(3 * 16);
            assertThat(step.scoredPositions()).isEqualTo(3 * 15);
        });
    }

    @Test
    void questionsAreTheRowsOfTheConfiguration() throws IOException {
        Path configuration = Path.of("examples/quickstart.yaml").toAbsolutePath();
        BenchOptions options = options(Optional.of(RunConfigReader.read(configuration)), 4, 32);

        BenchBatches batches = BenchBatches.of(options, Shapes.open("pythia-14m"));

        Path rows = folder.resolve("rows.json");
        batches.write(rows);
        JsonNode written = new JsonMapper().readTree(Files.readString(rows));
        assertThat(written.get("batches")).hasSize(RoundRobin.WARM_UP + 2);
        assertThat(batches.scoredPositions()).isBetween(4.0, batches.tokens() / 2);
        // Spread over the tasks: the last batch is not beside the first.
        assertThat(written.get("batches").get(0))
                .isNotEqualTo(written.get("batches").get(4));
    }

    @Test
    void everyQuantityIsInTheJson() throws IOException {
        BenchResult result = Benchmark.run(options(Optional.empty(), 2, 8));

        JsonNode json = new JsonMapper().readTree(result.json(Map.of("processor", "a test's")));
        assertThat(json.at("/machine/processor").asText()).isEqualTo("a test's");
        assertThat(json.get("parameters").asLong()).isEqualTo(14067712);
        assertThat(json.get("kernels").findValuesAsText("name"))
                .containsExactly(
                        "fisher_accumulate", "penalty", "adamw_step", "adamw_step_ewc", "fisher_merge", "norm");
        for (JsonNode kernel : json.get("kernels")) {
            assertSpread(kernel, "gigabytes_per_second");
            assertSpread(kernel, "share_of_copy");
        }
        for (String name : List.of(
                "forward_backward_ms",
                "plain_ms",
                "ewc_ms",
                "ewc_over_plain",
                "ewc_dense_ms",
                "ewc_dense_over_plain",
                "tokens_per_second")) {
            assertSpread(json.get("step"), name);
        }
        int pairs = 5 * json.get("rounds").asInt();
        assertThat(json.at("/step/ewc_over_plain_pairs").asInt()).isEqualTo(pairs);
        assertThat(json.at("/fisher/batch_pairs").asInt()).isEqualTo(pairs);
        for (String name : List.of(
                "batch_ms",
                "batch_over_forward_backward",
                "example_ms",
                "example_over_forward_backward",
                "sampled_ms",
                "sampled_over_forward_backward")) {
            assertSpread(json.get("fisher"), name);
        }
        assertThat(json.get("state_bytes_per_parameter").asDouble()).isBetween(8.0, 8.01);
        assertThat(result.text())
                .contains("pythia-14m: 14,067,712 parameters", "adamw_step_ewc", "EWC step / plain step");
    }

    @Test
    void everyTypeOfStateIsTimed() throws IOException {
        StateResult result = Benchmark.states(
                options(Optional.empty(), 1, 4), Path.of("target").toAbsolutePath());

        JsonNode states = new JsonMapper()
                .readTree(result.json(Map.of("processor", "a test's")))
                .get("states");
        assertThat(states.findValuesAsText("anchor_memory"))
                .containsExactly(
                        "device", "device", "device", "device", "device", "device", "device", "device", "mapped",
                        "mapped", "mapped");
        assertThat(states.findValues("bytes_per_parameter"))
                .extracting(JsonNode::asDouble)
                .usingComparatorForType((a, b) -> Math.abs(a - b) < 0.05 ? 0 : Double.compare(a, b), Double.class)
                .containsExactly(8.0, 6.0, 5.0, 6.0, 6.0, 4.0, 3.0, 4.0, 4.0, 2.0, 1.0);
        for (JsonNode state : states) {
            assertSpread(state, "pass_ms");
            assertSpread(state, "pass_over_adamw");
            assertSpread(state, "step_over_plain");
        }
        assertThat(result.text()).contains("pythia-14m: 14,067,712 parameters", "U8_BLOCK256", "mapped");
    }

    private static void assertSpread(JsonNode node, String name) {
        double median = node.get(name).asDouble();
        assertThat(median).as(name).isPositive();
        assertThat(node.get(name + "_min").asDouble()).as(name).isPositive().isLessThanOrEqualTo(median);
        assertThat(node.get(name + "_max").asDouble()).as(name).isGreaterThanOrEqualTo(median);
    }

    private static BenchOptions options(Optional<RunConfig> questions, int batch, int length) {
        return new BenchOptions(
                "pythia-14m",
                batch,
                length,
                questions,
                new DeviceSetting.Cpu(),
                Precision.FP32,
                Golden.THREADS,
                2,
                StateTypes.FULL,
                Optional.empty());
    }

    @Test
    void aRoundRunsEveryOperationAndEveryOtherGoesBackwards() {
        List<String> run = new ArrayList<>();
        RoundRobin robin = new RoundRobin();
        robin.add("a", round -> run.add("a" + round));
        robin.add("b", round -> run.add("b" + round));

        assertThat(robin.run(1).keySet()).containsExactly("a", "b");
        assertThat(run).containsExactly("a0", "b0", "b1", "a1", "a2", "b2", "b3", "a3");
    }

    @Test
    void aSpreadIsMedianMinimumAndMaximumAndDividesRoundByRound() {
        Spread spread = new Spread(4, 1, 3, 2);

        assertThat(spread.median()).isEqualTo(2.5);
        assertThat(spread.minimum()).isEqualTo(1);
        assertThat(spread.maximum()).isEqualTo(4);
        assertThat(spread.over(new Spread(2, 1, 1, 2)).maximum()).isEqualTo(3);
        assertThat(new Spread(3, 1, 2).median()).isEqualTo(2);
    }
}
