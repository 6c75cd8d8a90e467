package org.ewc4j.eval;

import java.util.List;
import org.ewc4j.config.EvaluationConfig.Split;

/**
 * The score on one split of one task after a task.
 *
 * @param afterTask index i of R[i][j]
 * @param task index j of R[i][j]
 * @param exactMatch per cent, 0 to 100; NaN for a task of text, which has none
 * @param tokenLoss mean token loss over the scored positions of the split, in nats: every token weighs the same
 */
public record TaskScore(
        int afterTask,
        int task,
        String taskName,
        Split split,
        double exactMatch,
        double tokenLoss,
        List<Prediction> predictions) {
    public TaskScore {
        predictions = List.copyOf(predictions);
    }

    /** Whether questions were answered, and not only a loss taken. */
    public boolean hasExactMatch() {
        return !Double.isNaN(exactMatch);
    }

    /** exp of the token loss. */
    public double perplexity() {
        return Math.exp(tokenLoss);
    }
}
