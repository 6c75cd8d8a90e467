package org.ewc4j.report;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.StreamSupport;
import org.ewc4j.eval.AccuracyMatrix;
import org.ewc4j.eval.LambdaChoice;
import org.ewc4j.eval.LambdaTrial;

/** What was tried of λ and what was taken, as {@code sweep.json} and {@code lambda_choice} of {@code results.json} have it. */
public final class LambdaChoiceJson {
    private LambdaChoiceJson() {}

    public static ObjectNode write(LambdaChoice choice) {
        ObjectNode root = RunJson.MAPPER.createObjectNode();
        choice.tasks().forEach(root.putArray("tasks")::add);
        root.put("questions", choice.questions());
        root.put("lambda_1", RunJson.finite(choice.unit()));
        root.put("best", choice.chosen());
        ArrayNode trials = root.putArray("trials");
        for (LambdaTrial trial : choice.trials()) {
            ObjectNode node = trials.addObject();
            node.put("lambda", trial.lambda());
            node.put("average", RunJson.boxed(trial.average()));
            node.put("forgetting", RunJson.boxed(trial.forgetting()));
            node.put("plasticity", RunJson.boxed(trial.plasticity()));
            node.put("average_loss", RunJson.boxed(trial.averageTokenLoss()));
            node.put("penalty_grad_ratio", RunJson.finite(trial.penaltyGradRatio()));
            node.set("matrix", RunJson.rows(trial.accuracy()));
            node.set("loss", RunJson.rows(trial.tokenLoss()));
            node.put("failure", trial.failure().orElse(null));
        }
        return root;
    }

    /** Empty where the node is not one that {@link #write} made. */
    public static Optional<LambdaChoice> read(JsonNode root) {
        List<String> tasks = new ArrayList<>();
        root.path("tasks").forEach(name -> tasks.add(name.asText()));
        List<LambdaTrial> trials = new ArrayList<>();
        for (JsonNode node : root.path("trials")) {
            // Names without scores would be held as the square of them.
            if (!isSquare(node.path("matrix"), tasks.size()) || !isSquare(node.path("loss"), tasks.size())) {
                return Optional.empty();
            }
        }
        root.path("trials")
                .forEach(node -> trials.add(new LambdaTrial(
                        node.path("lambda").asDouble(Double.NaN),
                        matrix(node.path("matrix"), tasks.size()),
                        matrix(node.path("loss"), tasks.size()),
                        node.path("penalty_grad_ratio").asDouble(Double.NaN),
                        Optional.ofNullable(node.path("failure").textValue()))));
        int best = root.path("best").asInt(-1);
        return best < 0 || best >= trials.size()
                ? Optional.empty()
                : Optional.of(new LambdaChoice(
                        tasks,
                        root.path("questions").asText(),
                        root.path("lambda_1").asDouble(Double.NaN),
                        trials,
                        best));
    }

    /** Whether the node has {@code size} rows of as many entries. */
    static boolean isSquare(JsonNode rows, int size) {
        return rows.size() == size
                && StreamSupport.stream(rows.spliterator(), false).allMatch(row -> row.size() == size);
    }

    private static AccuracyMatrix matrix(JsonNode node, int tasks) {
        double[][] rows = new double[tasks][tasks];
        for (int i = 0; i < tasks; i++) {
            for (int j = 0; j < tasks; j++) {
                rows[i][j] = node.path(i).path(j).asDouble(Double.NaN);
            }
        }
        return AccuracyMatrix.ofRows(rows);
    }
}
