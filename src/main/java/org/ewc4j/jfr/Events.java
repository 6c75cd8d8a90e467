package org.ewc4j.jfr;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** Everything that needs the module {@code jdk.jfr}; loaded only where that is there. */
final class Events {
    private Events() {}

    /** What all have in common. */
    @Category("ewc4j")
    @StackTrace(false)
    abstract static class LearnerEvent extends Event {}

    @Name("org.ewc4j.Step")
    @Label("Step")
    @Description("An optimizer step, from its forward pass to its update")
    static final class StepEvent extends LearnerEvent {
        @Label("Task")
        String task;

        @Label("Step")
        long step;

        @Label("Examples")
        int examples;

        @Label("Scored Positions")
        long scoredPositions;

        @Label("Learning Rate")
        double learningRate;
    }

    @Name("org.ewc4j.StepMetrics")
    @Label("Step Metrics")
    @Description("The numbers of a step, when they are read")
    static final class StepMetricsEvent extends LearnerEvent {
        @Label("Step")
        long step;

        @Label("Language Model Loss")
        double lmLoss;

        @Label("Penalty")
        double penalty;

        @Label("Loss")
        double loss;

        @Label("Gradient Norm")
        double gradNorm;

        @Label("Penalty Gradient Norm")
        double penaltyGradNorm;
    }

    @Name("org.ewc4j.FisherPass")
    @Label("Fisher Pass")
    @Description("The pass over a task's rows that estimates its Fisher")
    static final class FisherPassEvent extends LearnerEvent {
        @Label("Task")
        String task;

        @Label("Kind")
        String kind;

        @Label("Examples")
        long examples;
    }

    @Name("org.ewc4j.Merge")
    @Label("Merge")
    @Description("A task's Fisher joins those before")
    static final class MergeEvent extends LearnerEvent {
        @Label("Task")
        String task;

        @Label("Schedule")
        String schedule;

        @Label("Fishers Held Before")
        int held;
    }

    @Name("org.ewc4j.Evaluation")
    @Label("Evaluation")
    @Description("Tasks are scored")
    static final class EvaluationEvent extends LearnerEvent {
        @Label("After Task")
        int afterTask;

        @Label("Tasks")
        int tasks;

        @Label("Questions")
        int questions;
    }

    @Name("org.ewc4j.Checkpoint")
    @Label("Checkpoint")
    @Description("A model, a consolidation or a run's state is saved")
    static final class CheckpointEvent extends LearnerEvent {
        @Label("Kind")
        String kind;

        @Label("Folder")
        String folder;

        @Label("Bytes")
        @DataAmount
        long bytes;
    }

    @Name("org.ewc4j.NativeAllocation")
    @Label("Native Allocation")
    @Description("Memory outside of the heap that was taken and stays")
    @StackTrace(true)
    static final class NativeAllocationEvent extends LearnerEvent {
        @Label("What")
        String what;

        @Label("Device")
        String device;

        @Label("Bytes")
        @DataAmount
        long bytes;
    }

    /** A span whose event is recorded. */
    private static class Recorded extends FlightSpan {
        private final Event event;

        Recorded(Event event) {
            this.event = event;
            event.begin();
        }

        @Override
        public void close() {
            event.commit();
        }
    }

    private static final class RecordedCheckpoint extends Recorded {
        private final CheckpointEvent event;

        RecordedCheckpoint(CheckpointEvent event) {
            super(event);
            this.event = event;
        }

        @Override
        public void bytes(long written) {
            event.bytes = written;
        }
    }

    static FlightSpan step(String task, long step, int examples, long scoredPositions, double learningRate) {
        StepEvent event = new StepEvent();
        if (!event.isEnabled()) {
            return FlightSpan.OFF;
        }
        event.task = task;
        event.step = step;
        event.examples = examples;
        event.scoredPositions = scoredPositions;
        event.learningRate = learningRate;
        return new Recorded(event);
    }

    static void stepMetrics(
            long step, double lmLoss, double penalty, double loss, double gradNorm, double penaltyGradNorm) {
        StepMetricsEvent event = new StepMetricsEvent();
        if (event.isEnabled()) {
            event.step = step;
            event.lmLoss = lmLoss;
            event.penalty = penalty;
            event.loss = loss;
            event.gradNorm = gradNorm;
            event.penaltyGradNorm = penaltyGradNorm;
            event.commit();
        }
    }

    static FlightSpan fisherPass(String task, String kind, long examples) {
        FisherPassEvent event = new FisherPassEvent();
        if (!event.isEnabled()) {
            return FlightSpan.OFF;
        }
        event.task = task;
        event.kind = kind;
        event.examples = examples;
        return new Recorded(event);
    }

    static FlightSpan merge(String task, String schedule, int held) {
        MergeEvent event = new MergeEvent();
        if (!event.isEnabled()) {
            return FlightSpan.OFF;
        }
        event.task = task;
        event.schedule = schedule;
        event.held = held;
        return new Recorded(event);
    }

    static FlightSpan evaluation(int afterTask, int tasks, int questions) {
        EvaluationEvent event = new EvaluationEvent();
        if (!event.isEnabled()) {
            return FlightSpan.OFF;
        }
        event.afterTask = afterTask;
        event.tasks = tasks;
        event.questions = questions;
        return new Recorded(event);
    }

    static FlightSpan checkpoint(String kind, Object folder) {
        CheckpointEvent event = new CheckpointEvent();
        if (!event.isEnabled()) {
            return FlightSpan.OFF;
        }
        event.kind = kind;
        event.folder = folder.toString();
        return new RecordedCheckpoint(event);
    }

    static void nativeAllocation(String what, String device, long bytes) {
        NativeAllocationEvent event = new NativeAllocationEvent();
        if (event.isEnabled()) {
            event.what = what;
            event.device = device;
            event.bytes = bytes;
            event.commit();
        }
    }
}
