package org.ewc4j.kernel;

/** The CUDA context is lost. Every further call on the device fails: save nothing, end the process. */
public class CudaFatalException extends CudaException {
    public CudaFatalException(String message) {
        super(KernelStatus.CUDA_FATAL, message);
    }
}
