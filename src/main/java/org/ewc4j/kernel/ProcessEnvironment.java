package org.ewc4j.kernel;

import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.annotation.NoException;
import org.bytedeco.javacpp.annotation.Platform;

/**
 * The process around the library: the one thing of it that ewc4j sets, how idle OpenMP threads wait; and its end at once, for
 * a command line that owns it.
 *
 * <p>libgomp's threads spin by default while they wait, and so take the cores from OpenBLAS's and the JVM's; a training
 * step took three times as long. libgomp reads OMP_WAIT_POLICY once, when it is loaded, so the variable must stand in the
 * process's environment before anything loads libtorch. This class has a JNI library of its own, without libgomp, for that.
 */
@Platform(
        value = "linux-x86_64",
        include = {"<stdlib.h>", "<unistd.h>"},
        library = "jniewcenvironment")
@NoException
public final class ProcessEnvironment {
    private ProcessEnvironment() {}

    private static native int setenv(String name, String value, int overwrite);

    private static native void _exit(int status);

    /**
     * Ends the process without a shutdown: no hooks, no destructors of C++ libraries, under which an operator that is still
     * running on another thread would crash. Not for a library: only for whoever owns the process.
     *
     * @throws LinkageError where the native part cannot be loaded
     */
    public static void exitAtOnce(int status) {
        Loader.load(ProcessEnvironment.class);
        _exit(status);
    }

    /** Sets OMP_WAIT_POLICY=PASSIVE, unless the user set it (or GOMP_SPINCOUNT, which says the same more finely). */
    static void letIdleThreadsSleep() {
        if (System.getenv("OMP_WAIT_POLICY") != null || System.getenv("GOMP_SPINCOUNT") != null) {
            return;
        }
        Loader.load(ProcessEnvironment.class);
        setenv("OMP_WAIT_POLICY", "PASSIVE", 0);
    }
}
