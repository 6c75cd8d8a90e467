package org.ewc4j.kernel;

/** A CUDA call failed; the device can still be used. */
public class CudaException extends KernelException {
    public CudaException(String message) {
        this(KernelStatus.CUDA, message);
    }

    CudaException(KernelStatus status, String message) {
        super(status, message);
    }
}
