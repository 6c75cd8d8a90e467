package org.ewc4j.kernel;

/** A verb was given lists or values that do not fit together. A mistake of the calling code; nothing was written. */
public class KernelArgumentException extends KernelException {
    public KernelArgumentException(String message) {
        super(KernelStatus.INVALID_ARGUMENT, message);
    }
}
