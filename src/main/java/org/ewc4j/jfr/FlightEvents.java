package org.ewc4j.jfr;

/**
 * The events of ewc4j for Java Flight Recorder. Each method begins an event that its close ends:
 *
 * <pre>{@code
 * try (FlightSpan span = FlightEvents.checkpoint("model", folder)) {
 *     …
 *     span.bytes(written);
 * }
 * }</pre>
 *
 * <p>Where no recording wants the event, or the JVM is made without {@code jdk.jfr}, they give {@link FlightSpan#OFF} and
 * nothing is allocated that outlives the call. Safe for use by several threads; a span belongs to one.
 */
public final class FlightEvents {
    /** A JVM linked without the module has no class that an event could extend: those of ours are then never loaded. */
    static final boolean AVAILABLE = ModuleLayer.boot().findModule("jdk.jfr").isPresent();

    private FlightEvents() {}

    /**
     * An optimizer step, from its forward pass to its update; on a CUDA device, as long as the host takes to put it there.
     *
     * @param task its name
     * @param step over the run, from 0
     * @param examples that it reads
     * @param scoredPositions that its loss is a mean over
     */
    public static FlightSpan step(String task, long step, int examples, long scoredPositions, double learningRate) {
        return AVAILABLE ? Events.step(task, step, examples, scoredPositions, learningRate) : FlightSpan.OFF;
    }

    /**
     * The numbers of a step, when they are read; parameters as in {@code train.StepMetrics}.
     *
     * @param step over the run, from 0
     */
    public static void stepMetrics(
            long step, double lmLoss, double penalty, double loss, double gradNorm, double penaltyGradNorm) {
        if (AVAILABLE) {
            Events.stepMetrics(step, lmLoss, penalty, loss, gradNorm, penaltyGradNorm);
        }
    }

    /** @param kind of estimator, as configurations write it */
    public static FlightSpan fisherPass(String task, String kind, long examples) {
        return AVAILABLE ? Events.fisherPass(task, kind, examples) : FlightSpan.OFF;
    }

    /**
     * A task's Fisher joins those before, the pass that estimates it included where it merges in place.
     *
     * @param schedule as configurations write it
     * @param held how many Fishers there were before
     */
    public static FlightSpan merge(String task, String schedule, int held) {
        return AVAILABLE ? Events.merge(task, schedule, held) : FlightSpan.OFF;
    }

    /** @param afterTask how many tasks the model has learned, less one */
    public static FlightSpan evaluation(int afterTask, int tasks, int questions) {
        return AVAILABLE ? Events.evaluation(afterTask, tasks, questions) : FlightSpan.OFF;
    }

    /**
     * Something is saved.
     *
     * @param kind what: {@code model}, {@code consolidation}, {@code run state}
     * @param folder where
     */
    public static FlightSpan checkpoint(String kind, Object folder) {
        return AVAILABLE ? Events.checkpoint(kind, folder) : FlightSpan.OFF;
    }

    /**
     * Memory outside of the heap that was taken and stays.
     *
     * @param what it is for
     * @param device where it is: {@code cpu}, {@code cuda:N}
     */
    public static void nativeAllocation(String what, String device, long bytes) {
        if (AVAILABLE) {
            Events.nativeAllocation(what, device, bytes);
        }
    }
}
