package org.ewc4j.kernel;

import org.ewc4j.error.Ewc4jException;

/** A native verb refused or failed. The message names verb, parameter, what was expected and what came. */
public class KernelException extends Ewc4jException {
    private final KernelStatus status;

    public KernelException(KernelStatus status, String message) {
        super(message);
        this.status = status;
    }

    /** What the verb returned; never {@link KernelStatus#OK}. */
    public KernelStatus status() {
        return status;
    }
}
