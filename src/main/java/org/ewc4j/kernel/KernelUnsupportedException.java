package org.ewc4j.kernel;

/** A verb does not know this element type or device, in this build or on this machine; nothing was written. */
public class KernelUnsupportedException extends KernelException {
    public KernelUnsupportedException(String message) {
        super(KernelStatus.UNSUPPORTED, message);
    }
}
