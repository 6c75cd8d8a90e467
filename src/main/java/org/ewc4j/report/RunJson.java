package org.ewc4j.report;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamWriteFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalDouble;
import org.ewc4j.config.EvaluationConfig.Split;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.JsonFile;
import org.ewc4j.eval.AccuracyMatrix;
import org.ewc4j.eval.ContinualMetrics;
import org.ewc4j.eval.Prediction;
import org.ewc4j.eval.ProtectedScore;
import org.ewc4j.eval.TaskScore;
import org.ewc4j.eval.TokenLossMetrics;
import org.ewc4j.train.StepMetrics;

/**
 * The rows of {@code steps.jsonl} and {@code predictions.jsonl} and the object of {@code results.json}: one place for
 * the names and the order of their keys. A number that is not finite, or not known, is null.
 */
final class RunJson {
    /** Writes the shortest decimal that reads back as the same double; {@code Double.toString} does so from JDK 19 only. */
    static final ObjectMapper MAPPER = new ObjectMapper(JsonFactory.builder()
            .enable(StreamWriteFeature.USE_FAST_DOUBLE_WRITER)
            .build());

    /** Of results.json: that of some two thousand tasks. */
    private static final long MAX_BYTES = 256L << 20;

    private RunJson() {}

    /**
     * Reads a {@code results.json}.
     *
     * @throws InvalidInputException where it cannot be read, or is no JSON object
     */
    static ObjectNode read(Path file) {
        return JsonFile.readObject(MAPPER, file, MAX_BYTES, "the results of a run of ewc4j");
    }

    static ObjectNode step(StepMetrics step) {
        ObjectNode row = MAPPER.createObjectNode();
        row.put("task", step.task());
        row.put("epoch", step.epoch());
        row.put("task_name", step.taskName());
        row.put("step", step.step());
        row.put("lm_loss", finite(step.lmLoss()));
        row.put("penalty", finite(step.penalty()));
        row.put("loss", finite(step.loss()));
        row.put("grad_norm", finite(step.gradNorm()));
        row.put("penalty_grad_norm", finite(step.penaltyGradNorm()));
        row.put("penalty_grad_ratio", finite(step.penaltyGradRatio()));
        row.put("lambda", finite(step.lambda()));
        row.put("learning_rate", finite(step.learningRate()));
        row.put("tokens", step.tokens());
        row.put("seconds", finite(step.seconds()));
        if (step.skipped()) {
            row.put("skipped", true);
        }
        return row;
    }

    static ObjectNode prediction(Prediction prediction) {
        ObjectNode row = MAPPER.createObjectNode();
        row.put("after_task", prediction.afterTask());
        row.put("task", prediction.task());
        row.put("task_name", prediction.taskName());
        row.put("split", key(prediction.split()));
        row.put("question", prediction.question());
        row.put("expected", prediction.expected());
        row.put("generated", prediction.generated());
        row.put("correct", prediction.correct());
        return row;
    }

    /** {@code totals} is empty while the run goes on. */
    static ObjectNode results(
            RunStart start,
            Collection<TaskScore> scores,
            Collection<ProtectedScore> protectedScores,
            Optional<RunTotals> totals) {
        int tasks = start.taskNames().size();
        ObjectNode root = MAPPER.createObjectNode();
        ArrayNode names = root.putArray("tasks");
        start.taskNames().forEach(names::add);
        ObjectNode matrix = root.putObject("matrix");
        ObjectNode loss = root.putObject("loss");
        ObjectNode perplexity = MAPPER.createObjectNode();
        ObjectNode metrics = root.putObject("metrics");
        ObjectNode lossMetrics = root.putObject("loss_metrics");
        for (Split split : Split.values()) {
            AccuracyMatrix accuracy = AccuracyMatrix.ofExactMatch(tasks, scores, split);
            matrix.set(key(split), rows(accuracy));
            AccuracyMatrix tokenLoss = AccuracyMatrix.ofTokenLoss(tasks, scores, split);
            loss.set(key(split), rows(tokenLoss));
            perplexity.set(key(split), rows(tokenLoss.perplexityOfText(accuracy)));
            metrics.set(key(split), metrics(ContinualMetrics.of(accuracy)));
            lossMetrics.set(key(split), metrics(TokenLossMetrics.of(tokenLoss)));
        }
        if (scores.stream().anyMatch(score -> !score.hasExactMatch())) {
            root.set("perplexity", perplexity);
        }
        if (!protectedScores.isEmpty()) {
            root.set("protected", ofProtected(tasks, protectedScores));
        }
        ObjectNode seconds = root.putObject("seconds");
        seconds.put("train", totals.map(t -> finite(t.trainSeconds())).orElse(null));
        seconds.put("fisher", totals.map(t -> finite(t.fisherSeconds())).orElse(null));
        seconds.put("evaluate", totals.map(t -> finite(t.evaluateSeconds())).orElse(null));
        root.put("parameters", start.parameters());
        root.put("lambda", finite(start.lambda()));
        start.choice().ifPresent(choice -> root.set("lambda_choice", LambdaChoiceJson.write(choice)));
        return root;
    }

    static String key(Split split) {
        return split.name().toLowerCase(Locale.ROOT);
    }

    static String pretty(ObjectNode node) {
        try {
            return MAPPER.writerWithDefaultPrettyPrinter().writeValueAsString(node) + "\n";
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("results are not JSON", e);
        }
    }

    /** Entry 0 is of the starting checkpoint, entry i + 1 of the model after task i. */
    private static ObjectNode ofProtected(int tasks, Collection<ProtectedScore> scores) {
        Double[] losses = new Double[tasks + 1];
        scores.forEach(score -> losses[score.afterTask() + 1] = score.tokenLoss());
        ObjectNode node = MAPPER.createObjectNode();
        ArrayNode loss = node.putArray("loss");
        ArrayNode perplexity = node.putArray("perplexity");
        for (Double value : losses) {
            loss.add(value);
            perplexity.add(value == null ? null : finite(Math.exp(value)));
        }
        return node;
    }

    private static ObjectNode metrics(ContinualMetrics metrics) {
        ObjectNode node = MAPPER.createObjectNode();
        node.put("average", boxed(metrics.average()));
        node.put("average_incremental", boxed(metrics.averageIncremental()));
        node.put("forgetting", boxed(metrics.forgetting()));
        node.put("backward_transfer", boxed(metrics.backwardTransfer()));
        return node;
    }

    private static ObjectNode metrics(TokenLossMetrics metrics) {
        ObjectNode node = MAPPER.createObjectNode();
        node.put("average", boxed(metrics.average()));
        node.put("learned", boxed(metrics.learned()));
        node.put("forgetting", boxed(metrics.forgetting()));
        return node;
    }

    static ArrayNode rows(AccuracyMatrix matrix) {
        ArrayNode rows = MAPPER.createArrayNode();
        for (int i = 0; i < matrix.tasks(); i++) {
            ArrayNode row = rows.addArray();
            for (int j = 0; j < matrix.tasks(); j++) {
                row.add(boxed(matrix.get(i, j)));
            }
        }
        return rows;
    }

    static Double boxed(OptionalDouble value) {
        return value.isPresent() ? value.getAsDouble() : null;
    }

    static Double finite(double value) {
        return Double.isFinite(value) ? value : null;
    }
}
