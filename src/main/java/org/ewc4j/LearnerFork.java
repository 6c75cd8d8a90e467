package org.ewc4j;

import java.util.Optional;
import org.ewc4j.consolidation.Consolidation;
import org.ewc4j.model.ModelSnapshot;
import org.ewc4j.train.Trainer;

/**
 * A learner's whole state, in memory of its own, to come back to: parameters, dropout's stream, moments, counts, Fisher and
 * anchor, what is replayed. It may be restored as often as wanted. Whoever takes it ({@link ContinualLearner#fork}) closes it, before the
 * learner.
 *
 * @param fisherMicroBatchRows rows of a micro-batch that a Fisher pass has memory for
 * @param consolidation empty before the first
 * @param replayed rows kept for replay
 */
record LearnerFork(
        ModelSnapshot model,
        Trainer.Snapshot trainer,
        int fisherMicroBatchRows,
        Optional<Consolidation> consolidation,
        int replayed,
        int tasksLearned)
        implements AutoCloseable {
    @Override
    public void close() {
        model.close();
        trainer.close();
        consolidation.ifPresent(Consolidation::close);
    }
}
