package org.ewc4j.consolidation;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntConsumer;
import org.ewc4j.error.RunFailedException;
import org.ewc4j.fisher.FisherEstimator;
import org.ewc4j.fisher.FisherRecord;
import org.ewc4j.jfr.FlightEvents;
import org.ewc4j.jfr.FlightSpan;
import org.ewc4j.kernel.ElementType;
import org.ewc4j.kernel.Kernels;
import org.ewc4j.kernel.ProfilerRange;
import org.ewc4j.tensor.Arena;
import org.ewc4j.tensor.Device;
import org.ewc4j.tensor.ParameterLayout;

/**
 * What is kept of the tasks learned so far: the merged Fisher F, the anchor θ* and a constant c, whatever the number of
 * tasks. The penalty is ½ ΣF(θ*−θ)² + c; c is 0 but for {@link MergeSchedule.Sum}. Kirkpatrick et al. 2017, eq. 3.
 *
 * <p>Where F is fp32 (and, for a sum, θ* too) and the estimator can add to a Fisher that holds something, a task's Fisher is
 * accumulated in place, without a second buffer; otherwise, and for {@link MergeSchedule.Maximum}, in an fp32 accumulator
 * that lives as long as {@link #add} runs.
 *
 * <p>Owned and closed by the learner; used by one thread at a time.
 */
public final class Consolidation implements AutoCloseable {
    private final MergeSchedule schedule;
    private final Arena fisher;
    private final Arena anchor;
    private final List<HeldFisher> fishers = new ArrayList<>();
    private double constant;

    /** An empty consolidation in fp32 on the CPU. */
    public Consolidation(ParameterLayout layout, MergeSchedule schedule) {
        this(layout, schedule, StateTypes.FULL, Device.CPU);
    }

    /**
     * An empty consolidation; the arenas are taken at once.
     *
     * @throws RunFailedException where there is not that much memory
     */
    public Consolidation(ParameterLayout layout, MergeSchedule schedule, StateTypes types, Device device) {
        this.schedule = schedule;
        this.fisher = new Arena(layout, types.fisher(), device);
        try {
            this.anchor = new Arena(layout, types.anchor(), device);
        } catch (RuntimeException e) {
            fisher.close();
            throw e;
        }
    }

    /**
     * Takes in the task just learned: merges its Fisher, and the parameters as its anchor.
     *
     * @param theta the parameters after the task, fp32
     * @param what names the task and the estimate, and says how many tasks it counts as
     * @param progress told how many examples of the Fisher pass have been read
     * @throws RunFailedException where the Fisher is not finite; where it was accumulated in place, the consolidation is
     *     then no longer usable, and what was saved of it before stands
     */
    public void add(Kernels kernels, FisherEstimator estimator, Arena theta, HeldFisher what, IntConsumer progress) {
        try (ProfilerRange range = ProfilerRange.open("merge");
                FlightSpan event =
                        FlightEvents.merge(what.task(), ConsolidationJson.name(schedule.kind()), fishers.size())) {
            merge(kernels, estimator, theta, what, progress);
        }
        requireFiniteAnchor(kernels);
        fishers.add(what);
    }

    private void merge(Kernels kernels, FisherEstimator estimator, Arena theta, HeldFisher what, IntConsumer progress) {
        if (estimator.inPlace() && mergesInPlace()) {
            addInPlace(kernels, estimator, theta, what, progress);
        } else {
            try (Arena accumulator = new Arena(fisher.layout(), ElementType.F32, fisher.device())) {
                estimate(estimator, accumulator, 1, what, progress);
                requireFinite(kernels, accumulator);
                double factor = schedule.factor(what.weight());
                if (factor != 1) {
                    kernels.fisherMerge(accumulator.list(), null, factor, 0);
                }
                merge(kernels, accumulator, theta, what.weight());
            }
        }
    }

    private static void estimate(
            FisherEstimator estimator, Arena into, double weight, HeldFisher what, IntConsumer progress) {
        FisherRecord estimate = what.estimate();
        try (ProfilerRange range = ProfilerRange.open("fisher");
                FlightSpan event = FlightEvents.fisherPass(
                        what.task(), ConsolidationJson.name(estimate.kind()), estimate.examples())) {
            estimator.accumulateInto(into, weight, progress);
        }
    }

    private boolean mergesInPlace() {
        if (fisher.type() != ElementType.F32) {
            return false;
        }
        return fishers.isEmpty()
                || schedule instanceof MergeSchedule.Weighted
                || schedule instanceof MergeSchedule.Sum && anchor.type() == ElementType.F32;
    }

    private void addInPlace(
            Kernels kernels, FisherEstimator estimator, Arena theta, HeldFisher what, IntConsumer progress) {
        double factor = schedule.factor(what.weight());
        if (fishers.isEmpty()) {
            estimate(estimator, fisher, factor, what, progress);
            requireFinite(kernels, fisher);
            kernels.convert(anchor.list(), theta.list());
        } else if (schedule instanceof MergeSchedule.Weighted weighted) {
            kernels.fisherMerge(fisher.list(), null, weighted.retain(heldWeight(), what.weight()), 0);
            estimate(estimator, fisher, factor * weighted.weight(heldWeight(), what.weight()), what, progress);
            requireFinite(kernels, fisher);
            kernels.convert(anchor.list(), theta.list());
        } else {
            constant += kernels.anchorDisplace(anchor.list(), theta.list(), fisher.list());
            estimate(estimator, fisher, factor, what, progress);
            requireFinite(kernels, fisher);
            constant -= kernels.anchorRestore(anchor.list(), theta.list(), fisher.list());
        }
    }

    /** t: as how many tasks the Fishers that are merged count. */
    private double heldWeight() {
        return fishers.stream().mapToDouble(HeldFisher::weight).sum();
    }

    /**
     * Takes in what another consolidation of the same layout keeps, as if its tasks came after these. Its buffers are used
     * up on the way: close it afterwards.
     *
     * @param other in fp32, and not empty
     */
    public void join(Kernels kernels, Consolidation other) {
        merge(kernels, other.fisher, other.anchor, other.heldWeight());
        if (schedule instanceof MergeSchedule.Sum) {
            constant += other.constant;
        }
        requireFiniteAnchor(kernels);
        fishers.addAll(other.fishers);
    }

    /** Merges a new Fisher in fp32, which is used up on the way, and its anchor. */
    private void merge(Kernels kernels, Arena newFisher, Arena newAnchor, double added) {
        if (fishers.isEmpty()) {
            kernels.convert(fisher.list(), newFisher.list());
            kernels.convert(anchor.list(), newAnchor.list());
            return;
        }
        if (schedule instanceof MergeSchedule.Sum) {
            mergeAnchors(kernels, newFisher, newAnchor);
            return;
        }
        // What is kept joins the new one, in fp32, and is rounded once.
        if (schedule instanceof MergeSchedule.Weighted weighted) {
            double retain = weighted.retain(heldWeight(), added);
            kernels.fisherMerge(newFisher.list(), fisher.list(), weighted.weight(heldWeight(), added), retain);
        } else {
            kernels.fisherMax(newFisher.list(), fisher.list());
        }
        kernels.convert(fisher.list(), newFisher.list());
        kernels.convert(anchor.list(), newAnchor.list());
    }

    private void mergeAnchors(Kernels kernels, Arena newFisher, Arena newAnchor) {
        if (!fisher.type().hasSteps()) {
            constant += kernels.anchorMerge(anchor.list(), newAnchor.list(), fisher.list(), newFisher.list());
        } else {
            try (Arena sum = new Arena(fisher.layout(), ElementType.F32, fisher.device())) {
                kernels.convert(sum.list(), fisher.list());
                constant += kernels.anchorMerge(anchor.list(), newAnchor.list(), sum.list(), newFisher.list());
                kernels.convert(fisher.list(), sum.list());
            }
        }
        kernels.convert(anchor.list(), newFisher.list());
    }

    private static void requireFinite(Kernels kernels, Arena fisher) {
        if (!Double.isFinite(kernels.norm(fisher.list()))) {
            throw new RunFailedException(
                    "the Fisher information is not finite after its pass: a gradient was NaN or Inf");
        }
    }

    /** θ itself is finite, or its loss would not be. */
    private void requireFiniteAnchor(Kernels kernels) {
        if (anchor.type() == ElementType.F16 && !Double.isFinite(kernels.norm(anchor.list()))) {
            throw new RunFailedException("the anchor has values beyond 65504, which fp16 cannot hold; set"
                    + " ewc.anchor_dtype to int16 or fp32");
        }
    }

    /** A copy that later merges do not touch. Whoever calls closes it. */
    public Consolidation copy() {
        Consolidation made = new Consolidation(
                fisher.layout(), schedule, new StateTypes(fisher.type(), anchor.type()), fisher.device());
        made.fisher.copyBits(fisher);
        made.anchor.copyBits(anchor);
        made.restore(fishers, constant);
        return made;
    }

    /** Sets up an empty consolidation with what a folder holds. */
    void restore(List<HeldFisher> held, double value) {
        fishers.addAll(held);
        constant = value;
    }

    /** How many tasks' Fishers are merged; 0 means that there is nothing to hold on to yet. */
    public int held() {
        return fishers.size();
    }

    /** The Fishers that are merged, in the order in which they came. */
    public List<HeldFisher> fishers() {
        return List.copyOf(fishers);
    }

    public MergeSchedule schedule() {
        return schedule;
    }

    /** c: what the penalty is beyond ½ ΣF(θ*−θ)², the same for every θ. */
    public double constant() {
        return constant;
    }

    /** F. */
    public Arena fisher() {
        return fisher;
    }

    /** θ*. */
    public Arena anchor() {
        return anchor;
    }

    /** Bytes of F and θ*. */
    public long stateBytes() {
        return fisher.bytes() + anchor.bytes();
    }

    @Override
    public void close() {
        fisher.close();
        anchor.close();
    }
}
