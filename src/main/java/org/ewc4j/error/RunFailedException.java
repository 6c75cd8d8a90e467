package org.ewc4j.error;

/** A run that could not go on although its input was accepted: a loss that is not finite, a full disk. Exit code 1. */
public class RunFailedException extends Ewc4jException {
    public RunFailedException(String message) {
        super(message);
    }

    public RunFailedException(String message, Throwable cause) {
        super(message, cause);
    }

    /** Of a training that diverged: {@code what} was found not to be finite, and where; and what helps. */
    public static RunFailedException diverged(String what) {
        return new RunFailedException(what + "; the run stops, what was saved before stands. A lower"
                + " training.learning_rate or ewc.lambda, or training.clip_norm, may help");
    }
}
