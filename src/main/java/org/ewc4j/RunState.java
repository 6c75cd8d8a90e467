package org.ewc4j;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.ewc4j.checkpoint.StateFolder;
import org.ewc4j.config.EvaluationConfig.Split;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.eval.LambdaChoice;
import org.ewc4j.eval.ProtectedScore;
import org.ewc4j.eval.TaskScore;
import org.ewc4j.report.LambdaChoiceJson;
import org.ewc4j.report.RunFolder;
import org.ewc4j.tensor.Checksum;

/**
 * What a run must know to go on, besides its learner's state: a part of a checkpoint's state.json.
 *
 * @param tasksFinished tasks that were learned and evaluated
 * @param device where the learner computes
 * @param versions of ewc4j and the libraries
 * @param inputs checksums of the files that the run reads, as they were when it began
 * @param choice what λ was chosen from; empty where it was given
 * @param mark what was written; where the evaluation behind a task was under way, from before it
 */
record RunState(
        int tasksFinished,
        String device,
        Map<String, String> versions,
        Map<Path, Checksum> inputs,
        Optional<LambdaChoice> choice,
        RunFolder.Mark mark) {

    ObjectNode toJson() {
        ObjectNode node = StateFolder.newState();
        node.put("tasks_finished", tasksFinished).put("device", device);
        ObjectNode versionNode = node.putObject("versions");
        versions.forEach(versionNode::put);
        ArrayNode files = node.putArray("inputs");
        inputs.forEach((file, checksum) -> put(files.addObject().put("file", file.toString()), checksum));
        choice.ifPresent(present -> node.set("lambda_choice", LambdaChoiceJson.write(present)));
        put(node.putObject("steps_rows"), mark.steps());
        put(node.putObject("predictions_rows"), mark.predictions());
        ArrayNode scores = node.putArray("scores");
        for (TaskScore score : mark.scores()) {
            scores.addObject()
                    .put("after_task", score.afterTask())
                    .put("task", score.task())
                    .put("task_name", score.taskName())
                    .put("split", score.split().name().toLowerCase(Locale.ROOT))
                    .put("exact_match", score.hasExactMatch() ? score.exactMatch() : null)
                    .put("token_loss", score.tokenLoss());
        }
        ArrayNode protectedScores = node.putArray("protected_scores");
        mark.protectedScores()
                .forEach(score -> protectedScores
                        .addObject()
                        .put("after_task", score.afterTask())
                        .put("token_loss", score.tokenLoss()));
        return node;
    }

    private static void put(ObjectNode node, Checksum checksum) {
        node.put("bytes", checksum.bytes()).put("crc32c", checksum.crc32c());
    }

    /** @throws InvalidInputException where it is not what {@link #toJson} makes */
    static RunState of(JsonNode node, StateFolder folder) {
        if (!node.path("tasks_finished").isInt() || !node.path("inputs").isArray()) {
            throw new InvalidInputException(folder.file() + ": is not the state of a run");
        }
        Map<String, String> versions = new LinkedHashMap<>();
        node.path("versions")
                .properties()
                .forEach(entry -> versions.put(entry.getKey(), entry.getValue().asText()));
        Map<Path, Checksum> inputs = new LinkedHashMap<>();
        node.path("inputs").forEach(file -> inputs.put(Path.of(file.path("file").asText()), checksum(file)));
        List<TaskScore> scores = new ArrayList<>();
        node.path("scores").forEach(score -> scores.add(score(score)));
        List<ProtectedScore> protectedScores = new ArrayList<>();
        node.path("protected_scores")
                .forEach(score -> protectedScores.add(new ProtectedScore(
                        score.path("after_task").asInt(),
                        score.path("token_loss").asDouble())));
        return new RunState(
                node.path("tasks_finished").asInt(),
                node.path("device").asText(),
                versions,
                inputs,
                LambdaChoiceJson.read(node.path("lambda_choice")),
                new RunFolder.Mark(
                        checksum(node.path("steps_rows")),
                        checksum(node.path("predictions_rows")),
                        scores,
                        protectedScores));
    }

    private static Checksum checksum(JsonNode node) {
        return new Checksum(node.path("bytes").asLong(), node.path("crc32c").asText());
    }

    private static TaskScore score(JsonNode node) {
        return new TaskScore(
                node.path("after_task").asInt(),
                node.path("task").asInt(),
                node.path("task_name").asText(),
                node.path("split").asText().equals("train") ? Split.TRAIN : Split.TEST,
                node.path("exact_match").asDouble(Double.NaN), // text has none
                node.path("token_loss").asDouble(),
                List.of());
    }

    /**
     * That the run reads what it read when it began.
     *
     * @throws InvalidInputException naming the first file that changed
     */
    void requireSameInputs(Map<Path, Checksum> now, Path output) {
        inputs.forEach((file, checksum) -> {
            if (!checksum.equals(now.get(file))) {
                throw new InvalidInputException(file + ": has changed since the run in " + output
                        + " began, so that it cannot go on to the same end; put the file back as it was, or begin anew with"
                        + " --overwrite");
            }
        });
        now.forEach((file, checksum) -> {
            if (!inputs.containsKey(file)) {
                throw new InvalidInputException(file + ": was not there when the run in " + output
                        + " began, so that it cannot go on to the same end; remove it, or begin anew with --overwrite");
            }
        });
    }
}
