package org.ewc4j.error;

/** Anything ewc4j reports. The type is API, the message is not: it is one line that says what is wrong, where, and what to do. */
public class Ewc4jException extends RuntimeException {
    public Ewc4jException(String message) {
        super(Quoted.line(message));
    }

    public Ewc4jException(String message, Throwable cause) {
        super(Quoted.line(message), cause);
    }
}
