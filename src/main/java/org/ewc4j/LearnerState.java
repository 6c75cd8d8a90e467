package org.ewc4j;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.ByteBuffer;
import java.nio.IntBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.ewc4j.checkpoint.StateFolder;
import org.ewc4j.checkpoint.StateNode;
import org.ewc4j.consolidation.ConsolidationState;
import org.ewc4j.data.TokenizedRow;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.model.ModelDirectory;
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
 * @param fisherMicroBatchRows rows of a micro-batch that a Fisher pass has memory for, as {@link TrainerState#microBatchRows}
 * @param evaluationMicroBatchRows the same of an evaluation
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
        int fisherMicroBatchRows,
        int evaluationMicroBatchRows,
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
        node.put("fisher_micro_batch_rows", fisherMicroBatchRows);
        node.put("evaluation_micro_batch_rows", evaluationMicroBatchRows);
        node.put("random_state", Base64.getEncoder().encodeToString(randomState));
        consolidation.ifPresent(state -> node.set("consolidation", state.toJson()));
        node.putObject("seconds")
                .put("train", seconds.train())
                .put("fisher", seconds.fisher())
                .put("evaluate", seconds.evaluate());
        return node;
    }

    /** @throws InvalidInputException where it is not what {@link #toJson} makes */
    static LearnerState of(StateNode node, StateFolder folder) {
        StateNode seconds = node.object("seconds");
        long steps = node.whole("steps", 0, Long.MAX_VALUE);
        return new LearnerState(
                node.text("architecture"),
                node.text("layout_sha256"),
                node.count("tasks_learned", 0),
                node.flag("protected"),
                decoded(node),
                node.optional("under_way").map(task -> underWay(task, steps)),
                new TrainerState(
                        steps,
                        node.whole("skipped", 0, steps),
                        (int) node.whole("skipped_in_a_row", 0, Math.min(steps, Integer.MAX_VALUE)),
                        node.count("micro_batch_rows", 1)),
                node.count("fisher_micro_batch_rows", 1),
                node.count("evaluation_micro_batch_rows", 1),
                node.bytes("random_state"),
                node.optional("consolidation").map(state -> ConsolidationState.of(state.json(), folder.file())),
                new ContinualLearner.PhaseSeconds(
                        seconds.number("train"), seconds.number("fisher"), seconds.number("evaluate")));
    }

    private static UnderWay underWay(StateNode node, long steps) {
        String given = node.text("phase");
        Phase phase = Arrays.stream(Phase.values())
                .filter(each -> each.name().toLowerCase(Locale.ROOT).equals(given))
                .findFirst()
                .orElseThrow(() -> node.wrong("phase", "train, fisher or consolidate"));
        return new UnderWay(node.text("task"), phase, node.whole("first_step", 0, steps));
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

    private static List<TokenizedRow> decoded(StateNode node) {
        List<TokenizedRow> rows = new ArrayList<>();
        byte[] bytes = node.bytes("replayed");
        if (bytes.length % Integer.BYTES != 0) {
            throw node.wrong("replayed", "whole rows");
        }
        IntBuffer numbers = ByteBuffer.wrap(bytes).asIntBuffer();
        while (numbers.hasRemaining()) {
            int length = numbers.get();
            if (length < 1 || numbers.remaining() <= length) {
                throw node.wrong("replayed", "whole rows");
            }
            int prompt = numbers.get();
            if (prompt < 1 || prompt > length) {
                throw node.wrong("replayed", "rows with a prompt that lies in them");
            }
            int[] ids = new int[length];
            numbers.get(ids);
            rows.add(new TokenizedRow(ids, prompt));
        }
        return rows;
    }

    /**
     * That the state is of such a model: its parameters are the model's, and the rows that it replays can be read by it.
     *
     * @throws InvalidInputException otherwise
     */
    void requireModel(ModelDirectory model, StateFolder folder) {
        if (!architecture.equals(model.architectureName())
                || !layoutFingerprint.equals(layoutFingerprint(model.layout()))) {
            throw new InvalidInputException(folder.path() + ": is the state of a " + architecture
                    + " with other parameters than this " + model.architectureName()
                    + "; give the state of this model");
        }
        for (TokenizedRow row : replayed) {
            if (row.ids().length > model.positions()
                    || Arrays.stream(row.ids()).anyMatch(id -> id < 0 || id >= model.vocabularySize())) {
                throw new InvalidInputException(folder.file() + ": replays a row that is longer than"
                        + " the model's " + model.positions() + " positions, or a token beyond its vocabulary of "
                        + model.vocabularySize() + "; give the state of this model");
            }
        }
    }
}
