package org.ewc4j.kernel;

import java.lang.ref.Cleaner;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The closing machinery of everything that holds native memory: a public class keeps one of these in a field and
 * delegates {@code close()} to it.
 *
 * <ul>
 *   <li>close is explicit and idempotent; the release runs exactly once;
 *   <li>use after close, and close while in use, throw {@link IllegalStateException};
 *   <li>an owner that becomes unreachable unclosed is released by a cleaner, which logs the leak with its creation site.
 * </ul>
 *
 * <p>Safe for use by several threads. The release runs on the closing thread, or on the cleaner's where it leaked.
 */
public final class NativeResource implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(NativeResource.class);
    private static final Cleaner CLEANER = Cleaner.create();
    private static final AtomicLong OPEN = new AtomicLong();
    private static final int CLOSED = -1;

    /** Users now, or CLOSED. */
    private final AtomicInteger users = new AtomicInteger();

    private final String name;
    private final State state;
    private final Cleaner.Cleanable cleanable;

    /**
     * @param owner the object whose reach decides about a leak; usually {@code this} of the class that has the field
     * @param name what messages call it, for instance "TensorList"
     * @param release frees the memory; must not refer to the owner, or it never becomes unreachable
     */
    public NativeResource(Object owner, String name, Runnable release) {
        this.name = name;
        this.state = new State(name, release);
        this.cleanable = CLEANER.register(owner, state);
        OPEN.incrementAndGet();
    }

    /** How many resources of this process are open: for tests that look for leaks. */
    public static long openCount() {
        return OPEN.get();
    }

    /** Whether close was not called yet. */
    public boolean isOpen() {
        return users.get() != CLOSED;
    }

    /** @throws IllegalStateException after close */
    public void requireOpen() {
        if (!isOpen()) {
            throw new IllegalStateException(name + " is closed");
        }
    }

    /**
     * Marks the resource as in use until {@link #release()}; calls may nest.
     *
     * @throws IllegalStateException after close
     */
    public void acquire() {
        int before = users.getAndUpdate(now -> now == CLOSED ? CLOSED : now + 1);
        if (before == CLOSED) {
            throw new IllegalStateException(name + " is closed");
        }
    }

    /**
     * As {@link #acquire()}, for what would take something away from under another use.
     *
     * @throws IllegalStateException after close, and while in use
     */
    public void acquireAlone() {
        if (!users.compareAndSet(0, 1)) {
            requireOpen();
            throw new IllegalStateException(name + " is in use");
        }
    }

    /** Ends what {@link #acquire()} or {@link #acquireAlone()} began. */
    public void release() {
        users.decrementAndGet();
    }

    /**
     * Frees what is held; the second call does nothing.
     *
     * @throws IllegalStateException while in use
     */
    @Override
    public void close() {
        if (users.compareAndSet(0, CLOSED)) {
            state.closedByOwner = true;
            cleanable.clean();
        } else if (users.get() != CLOSED) {
            throw new IllegalStateException(name + " was closed while in use");
        }
    }

    /** What the cleaner keeps; knows nothing of the owner. */
    private static final class State implements Runnable {
        private final String name;
        private final Runnable release;
        private final Throwable creation;
        private volatile boolean closedByOwner;

        State(String name, Runnable release) {
            this.name = name;
            this.release = release;
            this.creation = new Throwable("created here");
        }

        @Override
        public void run() {
            OPEN.decrementAndGet();
            if (!closedByOwner) {
                LOG.warn("{} was never closed; its memory is freed now", name, creation);
            }
            release.run();
        }
    }
}
