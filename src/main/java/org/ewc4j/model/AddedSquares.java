package org.ewc4j.model;

import org.ewc4j.error.RunFailedException;
import org.ewc4j.tensor.OutOfMemory;

/** The moment at which squares go into a Fisher: what fails before it can be tried again, what fails within it cannot. */
final class AddedSquares {
    private AddedSquares() {}

    /**
     * Adds; all memory that is large has been taken before.
     *
     * @throws RunFailedException where there was none for the rest, so that nobody tries again what is half added
     */
    static void whole(Runnable adding) {
        try {
            adding.run();
        } catch (RuntimeException | OutOfMemoryError e) {
            if (OutOfMemory.isMeantBy(e)) {
                throw new RunFailedException(
                        "memory ran short while squared gradients were added to the Fisher, which is half a batch ahead"
                                + " now; what was saved before stands",
                        e);
            }
            throw e;
        }
    }
}
