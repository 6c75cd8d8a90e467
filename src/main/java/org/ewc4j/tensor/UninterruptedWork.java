package org.ewc4j.tensor;

import java.util.function.Supplier;

/**
 * Work on files that an interrupt of the caller must not break: a channel is closed, and its write fails, when the thread that
 * uses it is interrupted. The work runs on a thread of its own, which nobody interrupts, while the caller waits; the
 * caller's interrupted status is as it was, or set where the interrupt came meanwhile.
 */
public final class UninterruptedWork {
    private static final class Worker extends Thread {
        private final Supplier<?> work;
        private Object result;
        private Throwable failure;

        Worker(Supplier<?> work) {
            super("ewc4j-files");
            this.work = work;
            setDaemon(true);
        }

        @Override
        public void run() {
            try {
                result = work.get();
            } catch (RuntimeException | Error e) {
                failure = e;
            }
        }
    }

    private UninterruptedWork() {}

    /** Runs the work to its end and throws what it throws. */
    public static void run(Runnable work) {
        call(() -> {
            work.run();
            return null;
        });
    }

    /** Runs the work to its end; returns what it returns and throws what it throws. */
    @SuppressWarnings("unchecked") // the worker was made with this very supplier
    public static <T> T call(Supplier<T> work) {
        if (Thread.currentThread() instanceof Worker) {
            return work.get();
        }
        Worker worker = new Worker(work);
        worker.start();
        join(worker);
        if (worker.failure instanceof Error error) {
            throw error;
        }
        if (worker.failure instanceof RuntimeException exception) {
            throw exception;
        }
        return (T) worker.result;
    }

    /** Waits for a thread's end, whatever interrupts the waiting; the interrupt is kept. */
    public static void join(Thread thread) {
        boolean interrupted = false;
        while (true) {
            try {
                thread.join();
                break;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
