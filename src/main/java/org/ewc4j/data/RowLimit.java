package org.ewc4j.data;

import org.ewc4j.error.RunFailedException;
import org.ewc4j.tensor.OutOfMemory;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * How many rows of a batch there is memory for at once, as far as is known: any number, until there was none for some; then
 * half of those, from then on. What is read in parts is read with the same result, up to rounding. Used by one thread.
 */
public final class RowLimit {
    private static final Logger LOG = LoggerFactory.getLogger(RowLimit.class);

    private int rows = Integer.MAX_VALUE;

    /** The most rows of a micro-batch; {@link Integer#MAX_VALUE} where memory was never short. */
    public int rows() {
        return rows;
    }

    /** Goes on from a number that another limit had. */
    public void restore(int known) {
        rows = known;
    }

    /** At most as many as there was memory for elsewhere. */
    public void lowerTo(int known) {
        rows = Math.min(rows, known);
    }

    /**
     * Takes half of what there was no memory for, and says so.
     *
     * @param thrown by what read the rows; thrown again where it is no lack of memory
     * @param tried rows of the largest micro-batch
     * @param what read them, as a message names it
     * @throws RunFailedException where there is no memory for a single row
     */
    public void halve(Throwable thrown, int tried, String what) {
        if (!OutOfMemory.isMeantBy(thrown)) {
            if (thrown instanceof Error error) {
                throw error;
            }
            throw (RuntimeException) thrown;
        }
        if (tried <= 1) {
            throw new RunFailedException(
                    "there is no memory for " + what + " with a single row; a smaller training.max_length needs less",
                    thrown);
        }
        rows = (tried + 1) / 2;
        LOG.warn(
                "no memory for micro-batches of {} rows in {}: from now on they have {}; the result is still that of all rows",
                tried,
                what,
                rows);
    }
}
