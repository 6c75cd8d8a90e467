package org.ewc4j.checkpoint;

import org.ewc4j.tensor.UninterruptedWork;

/** One piece of work on a daemon thread of its own. An interrupt of whoever waits does not end the waiting. */
final class BackgroundTask {
    private final Thread thread;
    private volatile Throwable failure;

    private BackgroundTask(String name, Runnable work) {
        this.thread = new Thread(
                () -> {
                    try {
                        work.run();
                    } catch (RuntimeException | Error e) {
                        failure = e;
                    }
                },
                name);
        thread.setDaemon(true);
    }

    static BackgroundTask start(String name, Runnable work) {
        BackgroundTask task = new BackgroundTask(name, work);
        task.thread.start();
        return task;
    }

    boolean isDone() {
        return !thread.isAlive();
    }

    /** Waits for the end; throws what the work threw. */
    void await() {
        UninterruptedWork.join(thread);
        if (failure instanceof Error error) {
            throw error;
        }
        if (failure instanceof RuntimeException exception) {
            throw exception;
        }
    }
}
