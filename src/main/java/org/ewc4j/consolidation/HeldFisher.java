package org.ewc4j.consolidation;

import java.util.OptionalDouble;
import org.ewc4j.config.EwcConfig.FisherKind;
import org.ewc4j.fisher.FisherReading;
import org.ewc4j.fisher.FisherRecord;

/**
 * One of the Fishers that a consolidation holds. λ has another meaning for another kind, unit or batch size, so a
 * consolidation tells what it is made of.
 *
 * @param task name of the task
 * @param estimate what was estimated, and how
 * @param weight how many tasks it counts as, above 0; see {@link MergeSchedule#factor}
 * @param tokenLoss mean token loss of the rows that were read, under the labels of the data, in nats; empty where none were,
 *     or it is not known
 * @param mean of the estimate over all parameters, before it was normalized or cut off; empty where it is not known
 */
public record HeldFisher(
        String task, FisherRecord estimate, double weight, OptionalDouble tokenLoss, OptionalDouble mean) {
    /**
     * Below this token loss the rows are known by heart, and the empirical Fisher tells little of what the model knows of them.
     * Where the token of the data has probability p, the gradient with respect to its logit is 1 − p, and its square over the
     * information there, p(1 − p), is (1 − p)/p: about the loss. So it is less than a tenth.
     */
    public static final double KNOWN_BY_HEART = 0.1;

    /** One that is to be estimated. */
    public HeldFisher(String task, FisherRecord estimate, double weight) {
        this(task, estimate, weight, OptionalDouble.empty(), OptionalDouble.empty());
    }

    /** A task's, which counts as one. */
    public HeldFisher(String task, FisherRecord estimate) {
        this(task, estimate, 1);
    }

    public HeldFisher {
        if (!(weight > 0) || Double.isInfinite(weight)) {
            throw new IllegalArgumentException("weight: expected a number above 0, got " + weight);
        }
    }

    /** With what its pass has found. */
    HeldFisher found(FisherReading reading, double meanOfEstimate) {
        long scored = estimate.scoredTokens();
        boolean read = reading.examples() > 0 && scored > 0;
        return new HeldFisher(
                task,
                estimate,
                weight,
                read ? OptionalDouble.of(reading.tokenLosses() / scored) : OptionalDouble.empty(),
                OptionalDouble.of(meanOfEstimate));
    }

    /** Whether it was made of the labels of rows that were known by heart. */
    public boolean isOfRowsKnownByHeart() {
        boolean empirical = estimate.kind() == FisherKind.BATCH || estimate.kind() == FisherKind.EXAMPLE;
        return empirical && tokenLoss.isPresent() && tokenLoss.getAsDouble() < KNOWN_BY_HEART;
    }
}
