package org.ewc4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.ewc4j.config.DeviceSetting;
import org.ewc4j.config.EvaluationConfig;
import org.ewc4j.config.EwcConfig;
import org.ewc4j.config.ModelSource;
import org.ewc4j.config.SaveConfig;
import org.ewc4j.config.TrainingConfig;
import org.ewc4j.report.RunListener;
import org.ewc4j.task.Example;
import org.ewc4j.task.Task;
import org.ewc4j.train.StepMetrics;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The whole method against the reference trajectories: every step's loss and penalty, the final weights and the merged
 * Fisher, within the tolerances of shared/golden/README.md.
 */
class GoldenTrajectoryTest {
    @TempDir
    Path folder;

    @ParameterizedTest(name = "{0} {1}")
    @CsvSource({
        "gpt_neox, '', 5e-4, 5000",
        "gpt2, '', 5e-4, 5000",
        "llama, '', 5e-4, 5000",
        "gpt_neox, strong/, 0.1, 5e6",
        "gpt2, strong/, 0.1, 5e6",
        "llama, strong/, 0.1, 5e6"
    })
    void everyStepIsThatOfTheReference(String architecture, String variant, double weightDecay, double lambda) {
        Path golden = Golden.shared("golden/" + architecture);
        TrainingConfig training = TrainingConfig.defaults()
                .withEpochs(2)
                .withBatchSize(5)
                .withLearningRate(1e-3)
                .withWeightDecay(weightDecay)
                .withMaxLength(32)
                .withShuffle(false)
                .withThreads(Golden.THREADS)
                .withDevice(new DeviceSetting.Cpu());
        EwcConfig ewc = EwcConfig.defaults().withLambda(lambda);
        EvaluationConfig evaluation =
                new EvaluationConfig(10, EvaluationConfig.EveryTask.TRUE, Set.of(EvaluationConfig.Split.TRAIN), 16);
        List<StepMetrics> steps = new ArrayList<>();
        try (ContinualLearner learner = ContinualLearner.open(
                new ModelSource(golden.resolve("model"), ModelSource.Init.PRETRAINED, 0), training, ewc, evaluation)) {
            learner.addListener(new RunListener() {
                @Override
                public void step(StepMetrics metrics) {
                    steps.add(metrics);
                }
            });
            tasks().forEach(learner::learn);
            learner.saveModel(folder, SaveConfig.StoredType.FLOAT32);
            learner.saveConsolidation(folder);
        }
        compareSteps(golden.resolve(variant + "steps.json"), steps, lambda);
        compareWeights(golden.resolve(variant + "weights.safetensors"));
        compareFisher(golden.resolve(variant + "fisher.safetensors"));
    }

    private static List<Task> tasks() {
        Map<String, List<Example>> rows = new LinkedHashMap<>();
        try {
            for (String line : Files.readAllLines(Golden.shared("golden/tasks.jsonl"))) {
                JsonNode row = new JsonMapper().readTree(line);
                String question = row.get("q_train").asText();
                rows.computeIfAbsent(row.get("task").asText(), name -> new ArrayList<>())
                        .add(new Example(
                                question,
                                "Question: " + question + "\n Short Answer:",
                                row.get("answer").asText()));
            }
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
        return rows.entrySet().stream()
                .map(entry -> new Task(entry.getKey(), entry.getValue(), List.of()))
                .toList();
    }

    private static void compareSteps(Path file, List<StepMetrics> steps, double lambda) {
        JsonNode expected = Golden.json(file);
        assertThat(steps).hasSize(expected.size());
        for (int i = 0; i < steps.size(); i++) {
            StepMetrics step = steps.get(i);
            double lmLoss = expected.get(i).get("lm_loss").asDouble();
            double penalty = expected.get(i).get("penalty").asDouble();
            assertThat(step.task()).isEqualTo(expected.get(i).get("task").asInt());
            assertThat(step.lmLoss()).as("lm_loss of step %d", i).isCloseTo(lmLoss, within(1e-5 * lmLoss));
            if (lambda * penalty > 1e-3) {
                assertThat(step.penalty()).as("penalty of step %d", i).isCloseTo(penalty, within(1e-4 * penalty));
            } else {
                assertThat(lambda * step.penalty()).as("penalty of step %d", i).isLessThan(1.1e-3);
            }
        }
    }

    private void compareWeights(Path file) {
        Map<String, float[]> expected = Golden.allFloats(file);
        Map<String, float[]> actual = named(Golden.allFloats(folder.resolve("model.safetensors")));
        assertThat(actual.keySet()).isEqualTo(expected.keySet());
        long entries = 0;
        long beyond = 0;
        for (String name : expected.keySet()) {
            for (int i = 0; i < expected.get(name).length; i++) {
                double difference = Math.abs(expected.get(name)[i] - actual.get(name)[i]);
                assertThat(difference).as(name).isLessThanOrEqualTo(2e-3);
                entries++;
                beyond += difference > 1e-4 ? 1 : 0;
            }
        }
        assertThat((double) beyond / entries).isLessThanOrEqualTo(1e-3);
    }

    private void compareFisher(Path file) {
        Map<String, float[]> expected = Golden.allFloats(file);
        Map<String, float[]> actual = named(Golden.allFloats(folder.resolve("fisher.safetensors")));
        assertThat(actual.keySet()).isEqualTo(expected.keySet());
        for (String name : expected.keySet()) {
            double difference = 0;
            double norm = 0;
            for (int i = 0; i < expected.get(name).length; i++) {
                difference += Math.pow(expected.get(name)[i] - actual.get(name)[i], 2);
                norm += Math.pow(expected.get(name)[i], 2);
            }
            assertThat(Math.sqrt(difference)).as(name).isLessThanOrEqualTo(1e-3 * Math.sqrt(norm));
        }
    }

    /** The reference names parameters as transformers 5 does in memory; files keep embed_out. */
    private static Map<String, float[]> named(Map<String, float[]> tensors) {
        if (tensors.containsKey("embed_out.weight")) {
            tensors.put("lm_head.weight", tensors.remove("embed_out.weight"));
        }
        return tensors;
    }
}
