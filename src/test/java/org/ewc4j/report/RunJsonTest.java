package org.ewc4j.report;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.ewc4j.config.EvaluationConfig.Split;
import org.ewc4j.eval.Prediction;
import org.ewc4j.train.StepMetrics;
import org.junit.jupiter.api.Test;

class RunJsonTest {
    @Test
    void everyKeyOfARowIsExplainedInTheDocs() throws IOException {
        String docs = Files.readString(Path.of("docs/methods.md"));
        String files = docs.substring(docs.indexOf("## The files of a run"));
        ObjectNode step = RunJson.step(new StepMetrics(0, "a", 0, 0, 1, 0, 1, 1, 0, 0, 1e-5, 9, 0.1, true));
        ObjectNode prediction = RunJson.prediction(new Prediction(0, 0, "a", Split.TRAIN, "q", "e", "g", false));
        for (ObjectNode row : new ObjectNode[] {step, prediction}) {
            row.fieldNames().forEachRemaining(key -> assertThat(files).contains("`" + key + "`"));
        }
    }
}
