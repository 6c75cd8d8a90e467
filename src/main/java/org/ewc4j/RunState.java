package org.ewc4j;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.ewc4j.checkpoint.StateFolder;
import org.ewc4j.checkpoint.StateNode;
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
    static RunState of(StateNode node) {
        Map<Path, Checksum> inputs = new LinkedHashMap<>();
        node.objects("inputs").forEach(file -> inputs.put(path(file), file.checksum()));
        return new RunState(
                node.count("tasks_finished", 0),
                node.text("device"),
                node.texts("versions"),
                inputs,
                LambdaChoiceJson.read(node.json().path("lambda_choice")),
                new RunFolder.Mark(
                        node.checksum("steps_rows"),
                        node.checksum("predictions_rows"),
                        node.objects("scores").stream().map(RunState::score).toList(),
                        node.objects("protected_scores").stream()
                                .map(score -> new ProtectedScore(
                                        (int) score.whole("after_task", ProtectedScore.START, Integer.MAX_VALUE),
                                        score.number("token_loss")))
                                .toList()));
    }

    private static Path path(StateNode file) {
        try {
            return Path.of(file.text("file"));
        } catch (InvalidPathException e) {
            throw file.wrong("file", "a name that a file can have here");
        }
    }

    private static TaskScore score(StateNode node) {
        return new TaskScore(
                node.count("after_task", 0),
                node.count("task", 0),
                node.text("task_name"),
                node.text("split").equals("train") ? Split.TRAIN : Split.TEST,
                node.has("exact_match") ? node.number("exact_match") : Double.NaN, // text has none
                node.number("token_loss"),
                List.of());
    }

    /**
     * That it is a state of a run over so many tasks.
     *
     * @throws InvalidInputException naming the first task beyond
     */
    void requireTasks(int tasks, StateFolder folder) {
        int last = mark.scores().stream()
                .mapToInt(score -> Math.max(score.task(), score.afterTask()))
                .reduce(tasksFinished - 1, Math::max);
        int lastProtected = mark.protectedScores().stream()
                .mapToInt(ProtectedScore::afterTask)
                .reduce(last, Math::max);
        if (lastProtected >= tasks) {
            throw new InvalidInputException(folder.file() + ": has task " + lastProtected + ", but the run has " + tasks
                    + " tasks, from 0; the file is damaged or of another run");
        }
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
