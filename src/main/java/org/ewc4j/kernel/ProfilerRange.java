package org.ewc4j.kernel;

import org.ewc4j.error.InvalidInputException;

/**
 * A named range on the time line of NVIDIA's profilers (NVTX), from its opening to its close on the same thread, and the
 * capture of certain steps.
 *
 * <p>Off by default, and free then: opening one is a test of a static boolean, without a native call. A profiler watches a
 * process, so the switches are the process's too, and not a learner's.
 *
 * <pre>{@code
 * try (ProfilerRange range = ProfilerRange.open("forward")) {
 *     …
 * }
 * }</pre>
 */
public final class ProfilerRange implements AutoCloseable {
    /** Told of every range that opens and closes; for tests. */
    interface Observer {
        void pushed(String name);

        void popped();
    }

    /** Which steps a profiler is to capture. Used by the thread that trains. */
    private static final class Capture {
        private final long first;
        private final long last;
        private final Runnable start;
        private final Runnable stop;
        private boolean running;

        Capture(long first, long last, Runnable start, Runnable stop) {
            this.first = first;
            this.last = last;
            this.start = start;
            this.stop = stop;
        }

        void before(long step) {
            if (step == first) {
                start.run();
                running = true;
            }
        }

        void after(long step) {
            if (step == last) {
                end();
            }
        }

        void end() {
            if (running) {
                running = false;
                stop.run();
            }
        }
    }

    private static final long NO_STEP = -1;
    private static final ProfilerRange OFF = new ProfilerRange(false, NO_STEP);

    private static volatile boolean shown;
    private static volatile Capture capture;
    private static volatile Observer observer;

    private final long step;
    private boolean open;

    private ProfilerRange(boolean open, long step) {
        this.open = open;
        this.step = step;
    }

    /**
     * Shows ranges from now on.
     *
     * @throws InvalidInputException in a build without libewc_cuda.so, which holds NVTX
     */
    public static void show() {
        NativeLibrary.load();
        if (!NativeLibrary.hasCudaLibrary()) {
            throw new InvalidInputException("ranges for NVIDIA's profilers are in libewc_cuda.so, which this build of"
                    + " ewc4j lacks: build it where nvcc is found");
        }
        shown = true;
    }

    /**
     * Opens the profiler's capture before step {@code first} and closes it after step {@code last}, both counted over the
     * run from 0 as in steps.jsonl, and shows ranges.
     *
     * @param device CUDA device that the run uses
     * @throws InvalidInputException where there is no such device, with the reason
     */
    public static void captureSteps(long first, long last, int device) {
        if (first < 0 || last < first) {
            throw new InvalidInputException(
                    "steps to profile: expected first and last step, from 0, came " + first + " and " + last);
        }
        try {
            int devices = NativeLibrary.cudaDevices();
            if (device >= devices) {
                throw new InvalidInputException(
                        "steps to profile: expected a device from 0 to " + (devices - 1) + ", came " + device);
            }
        } catch (KernelException e) {
            throw new InvalidInputException(
                    "steps to profile: a capture is of what a CUDA device does, and there is none (" + e.getMessage()
                            + "); ranges alone need no device",
                    e);
        }
        show();
        captureSteps(
                first,
                last,
                () -> KernelStatus.check(EwcLibrary.ewc_profiler_start(device)),
                () -> KernelStatus.check(EwcLibrary.ewc_profiler_stop(device)));
    }

    static void captureSteps(long first, long last, Runnable start, Runnable stop) {
        capture = new Capture(first, last, start, stop);
    }

    /** Ends a capture whose last step was not reached, and shows no ranges any more. */
    public static void hide() {
        Capture asked = capture;
        capture = null;
        shown = false;
        if (asked != null) {
            asked.end();
        }
    }

    /** @param name as the time line shows it */
    public static ProfilerRange open(String name) {
        return shown ? push(name, NO_STEP) : OFF;
    }

    /**
     * A range of which there are several.
     *
     * @param detail put behind the name; not looked at while ranges are off
     */
    public static ProfilerRange open(String name, Object detail) {
        return shown ? push(name + " " + detail, NO_STEP) : OFF;
    }

    /**
     * The range of an optimizer step, at which a capture begins and ends.
     *
     * @param number over the run, from 0
     */
    public static ProfilerRange step(long number) {
        return shown ? beginStep(number) : OFF;
    }

    private static ProfilerRange beginStep(long number) {
        Capture asked = capture;
        if (asked != null) {
            asked.before(number);
        }
        return push("step", number);
    }

    private static ProfilerRange push(String name, long step) {
        EwcLibrary.ewc_range_push(name);
        Observer told = observer;
        if (told != null) {
            told.pushed(name);
        }
        return new ProfilerRange(true, step);
    }

    /** Ends the range; the second call does nothing. */
    @Override
    public void close() {
        if (!open) {
            return;
        }
        open = false;
        EwcLibrary.ewc_range_pop();
        Observer told = observer;
        if (told != null) {
            told.popped();
        }
        Capture asked = capture;
        if (asked != null) {
            asked.after(step);
        }
    }

    static void observe(Observer listener) {
        observer = listener;
    }

    /** Ranges of one kind that follow each other, the next ending the one before: the epochs of a task. */
    public static final class Sequence implements AutoCloseable {
        private final String name;
        private int number = -1;
        private ProfilerRange current = OFF;

        public Sequence(String name) {
            this.name = name;
        }

        /** Opens the range of this number, from 0, unless it is the one that is open. */
        public void at(int next) {
            if (shown && next != number) {
                current.close();
                number = next;
                current = open(name, next);
            }
        }

        @Override
        public void close() {
            current.close();
        }
    }
}
