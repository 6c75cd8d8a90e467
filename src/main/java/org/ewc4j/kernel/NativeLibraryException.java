package org.ewc4j.kernel;

import org.ewc4j.error.Ewc4jException;

/** The native library cannot be used here: another platform, a jar without it, another version of it. */
public class NativeLibraryException extends Ewc4jException {
    public NativeLibraryException(String message) {
        super(message);
    }

    public NativeLibraryException(String message, Throwable cause) {
        super(message, cause);
    }
}
