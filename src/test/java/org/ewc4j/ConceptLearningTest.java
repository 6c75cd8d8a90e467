package org.ewc4j;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.ewc4j.config.EvaluationConfig;
import org.ewc4j.config.EvaluationConfig.Split;
import org.ewc4j.config.EwcConfig;
import org.ewc4j.config.ModelSource;
import org.ewc4j.config.RunConfig;
import org.ewc4j.config.TaskSource;
import org.ewc4j.config.TrainingConfig;
import org.ewc4j.config.TrainingConfig.Schedule;
import org.ewc4j.eval.TaskScore;
import org.ewc4j.task.Task;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A small LLaMA from a random start learns the first 200 questions of a Concept-1K task by heart: a minute on two cores. */
@Tag("long")
class ConceptLearningTest {
    @TempDir
    Path folder;

    @Test
    void twoHundredQuestionsAreLearnedByHeart() throws IOException {
        Path concepts = Golden.shared("data/concept1k.jsonl");
        Path golden = Golden.shared("golden/llama/model");
        ObjectNode config = (ObjectNode) Golden.json(golden.resolve("config.json"));
        config.put("hidden_size", 128)
                .put("intermediate_size", 320)
                .put("num_hidden_layers", 4)
                .put("num_attention_heads", 4)
                .put("num_key_value_heads", 4)
                .put("head_dim", 32)
                .put("max_position_embeddings", 96);
        Files.writeString(folder.resolve("config.json"), new JsonMapper().writeValueAsString(config));
        Files.copy(golden.resolve("tokenizer.json"), folder.resolve("tokenizer.json"));
        EvaluationConfig evaluation =
                EvaluationConfig.defaults().withMaxNewTokens(24).withSplits(Set.of(Split.TRAIN));
        RunConfig run = RunConfig.of(
                        ModelSource.random(folder, 1),
                        new TaskSource.SingleFile(concepts, "task", "q_train", "q_test", "answer"),
                        folder.resolve("out"))
                .withEvaluation(evaluation);
        Task first = ContinualRun.readTasks(run).get(0);
        Task task = new Task(first.name(), first.train().subList(0, 200), List.of());
        TrainingConfig training = TrainingConfig.defaults()
                .withThreads(Golden.THREADS)
                .withEpochs(25)
                .withBatchSize(8)
                .withLearningRate(2e-3)
                .withWarmupSteps(20)
                .withSchedule(Schedule.COSINE)
                .withMaxLength(64);

        try (ContinualLearner learner = ContinualLearner.open(
                run.model(), training, EwcConfig.defaults().withLambda(0), evaluation)) {
            learner.learn(task);
            TaskScore score = learner.evaluate(Map.of(0, task)).get(0);

            assertThat(score.predictions()).hasSize(200);
            assertThat(score.exactMatch()).isGreaterThanOrEqualTo(90);
        }
    }
}
