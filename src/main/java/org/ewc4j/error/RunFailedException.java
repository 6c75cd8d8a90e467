package org.ewc4j.error;

/** A run that could not go on although its input was accepted: a loss that is not finite, a full disk. Exit code 1. */
public class RunFailedException extends Ewc4jException {
    public RunFailedException(String message) {
        super(message);
    }

    public RunFailedException(String message, Throwable cause) {
        super(message, cause);
    }
}
