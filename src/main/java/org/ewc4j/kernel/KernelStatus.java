package org.ewc4j.kernel;

/** What a native call came to; the values are those of {@code ewc_status} in ewc.h. */
public enum KernelStatus {
    OK,
    /** The caller's mistake; nothing was written. */
    INVALID_ARGUMENT,
    /** Understood, but not by this build or on this machine; nothing was written. */
    UNSUPPORTED,
    OUT_OF_MEMORY,
    /** A CUDA call failed; the device can still be used. */
    CUDA,
    /** The CUDA context is lost: this process cannot use the device any more. */
    CUDA_FATAL,
    /** A bug in the native library. */
    INTERNAL;

    private static final KernelStatus[] VALUES = values();

    static KernelStatus of(int code) {
        return code >= 0 && code < VALUES.length ? VALUES[code] : INTERNAL;
    }

    /** The one place where a status becomes an exception. */
    static void check(int code) {
        if (code != 0) {
            throw of(code).exception(EwcLibrary.ewc_last_error().getString());
        }
    }

    private KernelException exception(String message) {
        return switch (this) {
            case INVALID_ARGUMENT -> new KernelArgumentException(message);
            case UNSUPPORTED -> new KernelUnsupportedException(message);
            case CUDA -> new CudaException(message);
            case CUDA_FATAL -> new CudaFatalException(message);
            default -> new KernelException(this, message);
        };
    }
}
