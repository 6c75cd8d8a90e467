package org.ewc4j;

import static org.assertj.core.api.Assertions.assertThat;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.ewc4j.config.EvaluationConfig.Split;
import org.ewc4j.config.EwcConfig;
import org.ewc4j.config.ModelSource;
import org.ewc4j.eval.TaskScore;
import org.ewc4j.report.RunListener;
import org.ewc4j.task.Task;
import org.ewc4j.train.StepMetrics;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MicrometerExampleTest {
    @TempDir
    Path folder;

    @Test
    void metersHoldWhatTheRunTells() {
        SimpleMeterRegistry registry = new SimpleMeterRegistry();
        List<StepMetrics> steps = new ArrayList<>();
        try (ContinualLearner learner = ContinualLearner.open(
                ModelSource.random(TinyRun.model(folder, "gpt2"), 1),
                TinyRun.training(),
                EwcConfig.defaults().withLambda(100))) {
            learner.addListener(new MicrometerExample(registry));
            learner.addListener(new RunListener() {
                @Override
                public void step(StepMetrics metrics) {
                    steps.add(metrics);
                }
            });
            Task task = TinyRun.tasks(1, 10).get(0);
            learner.learn(task);
            learner.evaluate(Map.of(0, task));
        }
        assertThat(registry.get("ewc4j.step").timer().count()).isEqualTo(steps.size());
        assertThat(registry.get("ewc4j.tokens").counter().count())
                .isEqualTo(steps.stream().mapToLong(StepMetrics::tokens).sum());
        assertThat(registry.get("ewc4j.loss").gauge().value())
                .isEqualTo(steps.get(steps.size() - 1).loss());
        assertThat(registry.get("ewc4j.exact.match").tag("task", "red").summaries())
                .hasSize(2);
    }

    /** A NaN would stay in the summary's mean for ever. */
    @Test
    void aTaskOfTextHasNoExactMatchToRecord() {
        SimpleMeterRegistry registry = new SimpleMeterRegistry();
        new MicrometerExample(registry).scored(new TaskScore(0, 0, "text", Split.TEST, Double.NaN, 1, List.of()));
        assertThat(registry.find("ewc4j.exact.match").summaries()).isEmpty();
    }
}
