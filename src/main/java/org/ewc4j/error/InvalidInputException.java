package org.ewc4j.error;

/**
 * A mistake in what a person gave: a configuration key, a data file, a checkpoint. The message is one line that names
 * the file, line or key, what was expected and what came. The command line turns it into exit code 2, without a trace.
 */
public class InvalidInputException extends Ewc4jException {
    public InvalidInputException(String message) {
        super(message);
    }

    public InvalidInputException(String message, Throwable cause) {
        super(message, cause);
    }
}
