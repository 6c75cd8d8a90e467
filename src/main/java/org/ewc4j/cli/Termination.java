package org.ewc4j.cli;

import java.util.concurrent.Callable;
import org.ewc4j.kernel.ProcessEnvironment;
import sun.misc.Signal;

/**
 * What SIGTERM and Ctrl-C (SIGINT) do to a command. Work that can stop in order is interrupted, once; otherwise, and with the
 * second signal, the process ends at once, without the destructors of libraries that a step may still be using. The signals of
 * a process belong to its owner: only {@link Main#main} installs this, never the library.
 */
final class Termination {
    private static final int BASE = 128; // a shell's convention: 128 + the signal's number
    private static final Object LOCK = new Object();

    private static Thread stoppable; // null: nothing that could stop in order
    private static int received; // exit code, 0: none

    private Termination() {}

    /** A signal that the process was started with ignored, as in the background of a script, stays so. */
    static void install() {
        for (String name : new String[] {"TERM", "INT"}) {
            try {
                Signal.handle(new Signal(name), signal -> received(BASE + signal.getNumber()));
            } catch (IllegalArgumentException e) {
                // A JVM started with -Xrs keeps the signals to itself, and ends as it would without us.
            }
        }
    }

    /** Runs work that an interrupt of its thread stops in order. */
    static <T> T stoppable(Callable<T> work) throws Exception {
        synchronized (LOCK) {
            stoppable = Thread.currentThread();
        }
        try {
            return work.call();
        } finally {
            synchronized (LOCK) {
                stoppable = null;
            }
        }
    }

    /** The exit code for the signal that came; 0 where none did. */
    static int exitCode() {
        synchronized (LOCK) {
            return received;
        }
    }

    private static void received(int code) {
        synchronized (LOCK) {
            if (received == 0 && stoppable != null) {
                received = code;
                stoppable.interrupt();
                return;
            }
        }
        endAtOnce(code);
    }

    private static void endAtOnce(int code) {
        try {
            ProcessEnvironment.exitAtOnce(code);
        } catch (LinkageError e) {
            Runtime.getRuntime().halt(code);
        }
    }
}
