package org.ewc4j.error;

import java.nio.channels.ClosedByInterruptException;

/**
 * The thread was interrupted, and the work stopped at the next step or batch. What was computed until then is whole: the same
 * call goes on from there, and the state may be saved. The thread's interrupted status is set.
 */
public class RunInterruptedException extends Ewc4jException {
    public RunInterruptedException(String message) {
        super(message);
    }

    public RunInterruptedException(String message, Throwable cause) {
        super(message, cause);
    }

    /**
     * To be called where all is consistent.
     *
     * @param where names the place, as in {@code task 'x', behind step 7}
     * @throws RunInterruptedException where the thread's interrupted status is set, which it stays
     */
    public static void throwIfInterrupted(String where) {
        if (Thread.currentThread().isInterrupted()) {
            throw new RunInterruptedException("interrupted: " + where);
        }
    }

    /** The exception itself; where an interrupt closed a file under it, one of this type. */
    public static RuntimeException orSame(RuntimeException exception) {
        for (Throwable cause = exception.getCause(); cause != null; cause = cause.getCause()) {
            if (cause instanceof ClosedByInterruptException) {
                return new RunInterruptedException("interrupted while a file was read", exception);
            }
        }
        return exception;
    }
}
