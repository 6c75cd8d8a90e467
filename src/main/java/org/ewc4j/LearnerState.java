package org.ewc4j;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.IntBuffer;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.ewc4j.checkpoint.StateFolder;
import org.ewc4j.consolidation.ConsolidationState;
import org.ewc4j.data.TokenizedRow;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.tensor.Fingerprint;
import org.ewc4j.tensor.ParameterLayout;
import org.ewc4j.train.TrainerState;

/**
 * What a learner must know to go on to the bit, besides its arenas: a part of a checkpoint's state.json.
 *
 * @param architecture as transformers calls its class
 * @param layoutFingerprint of the parameters' names and shapes
 * @param tasksLearned how many tasks were learned to their end
 * @param protectedBefore whether {@link ContinualLearner#protect} was done
 * @param replayed rows that are kept of the tasks learned, to be learned again
 * @param underWay the task that was not; empty between tasks
 * @param trainer counts of steps
 * @param randomState of dropout
 * @param consolidation of the tasks so far; empty where there is none
 * @param seconds by phase
 */
record LearnerState(
        String architecture,
        String layoutFingerprint,
        int tasksLearned,
        boolean protectedBefore,
        List<TokenizedRow> replayed,
        Optional<UnderWay> underWay,
        TrainerState trainer,
        byte[] randomState,
        Optional<ConsolidationState> consolidation,
        ContinualLearner.PhaseSeconds seconds) {

    /** What is done with a task. */
    enum Phase {
        /** Its steps. */
        TRAIN,
        /** Its Fisher pass, behind the steps. */
        FISHER,
        /** A Fisher pass without steps: {@link ContinualLearner#consolidate}. */
        CONSOLIDATE
    }

    /**
     * A task under way.
     *
     * @param firstStep count of steps at its begin
     */
    record UnderWay(String task, Phase phase, long firstStep) {}

    static String layoutFingerprint(ParameterLayout layout) {
        return Fingerprint.of(layout);
    }

    ObjectNode toJson() {
        ObjectNode node = StateFolder.newState();
        node.put("architecture", architecture).put("layout_sha256", layoutFingerprint);
        node.put("tasks_learned", tasksLearned).put("protected", protectedBefore);
        node.put("replayed", encoded(replayed));
        underWay.ifPresent(task -> node.putObject("under_way")
                .put("task", task.task())
                .put("phase", task.phase().name().toLowerCase(Locale.ROOT))
                .put("first_step", task.firstStep()));
        node.put("steps", trainer.steps()).put("skipped", trainer.skipped());
        node.put("skipped_in_a_row", trainer.skippedInARow()).put("micro_batch_rows", trainer.microBatchRows());
        node.put("random_state", Base64.getEncoder().encodeToString(randomState));
        consolidation.ifPresent(state -> node.set("consolidation", state.toJson()));
        node.putObject("seconds")
                .put("train", seconds.train())
                .put("fisher", seconds.fisher())
                .put("evaluate", seconds.evaluate());
        return node;
    }

    /** @throws InvalidInputException where it is not what {@link #toJson} makes */
    static LearnerState of(JsonNode node, StateFolder folder) {
        try {
            JsonNode underWay = node.path("under_way");
            JsonNode seconds = node.path("seconds");
            return new LearnerState(
                    required(node, "architecture").asText(),
                    required(node, "layout_sha256").asText(),
                    required(node, "tasks_learned").asInt(),
                    required(node, "protected").asBoolean(),
                    decoded(required(node, "replayed").binaryValue()),
                    underWay.isMissingNode()
                            ? Optional.empty()
                            : Optional.of(new UnderWay(
                                    required(underWay, "task").asText(),
                                    Phase.valueOf(
                                            required(underWay, "phase").asText().toUpperCase(Locale.ROOT)),
                                    required(underWay, "first_step").asLong())),
                    new TrainerState(
                            required(node, "steps").asLong(),
                            required(node, "skipped").asLong(),
                            required(node, "skipped_in_a_row").asInt(),
                            required(node, "micro_batch_rows").asInt()),
                    required(node, "random_state").binaryValue(),
                    node.has("consolidation")
                            ? Optional.of(ConsolidationState.of(node.get("consolidation"), folder.file()))
                            : Optional.empty(),
                    new ContinualLearner.PhaseSeconds(
                            required(seconds, "train").asDouble(),
                            required(seconds, "fisher").asDouble(),
                            required(seconds, "evaluate").asDouble()));
        } catch (IOException | IllegalArgumentException e) {
            throw new InvalidInputException(folder.file() + ": is not the state of a learner: " + e.getMessage(), e);
        }
    }

    /** Of each row its length, that of its prompt, and its ids, 32 bits each; in base 64. */
    private static String encoded(List<TokenizedRow> rows) {
        int size = rows.stream().mapToInt(row -> 2 + row.ids().length).sum();
        ByteBuffer bytes = ByteBuffer.allocate(size * Integer.BYTES);
        for (TokenizedRow row : rows) {
            bytes.putInt(row.ids().length).putInt(row.promptLength());
            for (int id : row.ids()) {
                bytes.putInt(id);
            }
        }
        return Base64.getEncoder().encodeToString(bytes.array());
    }

    private static List<TokenizedRow> decoded(byte[] encoded) {
        List<TokenizedRow> rows = new ArrayList<>();
        IntBuffer numbers = ByteBuffer.wrap(encoded).asIntBuffer();
        while (numbers.hasRemaining()) {
            int length = numbers.get();
            if (length < 0 || numbers.remaining() <= length) {
                throw new IllegalArgumentException("key 'replayed' ends within a row");
            }
            int prompt = numbers.get();
            int[] ids = new int[length];
            numbers.get(ids);
            rows.add(new TokenizedRow(ids, prompt));
        }
        return rows;
    }

    private static JsonNode required(JsonNode node, String key) {
        if (!node.hasNonNull(key)) {
            throw new IllegalArgumentException("key '" + key + "' is missing");
        }
        return node.get(key);
    }

    /**
     * That the state is of such a model.
     *
     * @throws InvalidInputException otherwise
     */
    void requireModel(String name, ParameterLayout layout, StateFolder folder) {
        if (!architecture.equals(name) || !layoutFingerprint.equals(layoutFingerprint(layout))) {
            throw new InvalidInputException(folder.path() + ": is the state of a " + architecture
                    + " with other parameters than this " + name + "; give the state of this model");
        }
    }
}
