package org.ewc4j.consolidation;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.IntConsumer;
import org.ewc4j.checkpoint.KeptArena;
import org.ewc4j.error.RunFailedException;
import org.ewc4j.fisher.FisherEstimator;
import org.ewc4j.fisher.FisherReading;
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
 * that lives as long as the pass.
 *
 * <p>Owned and closed by the learner; used by one thread at a time.
 */
public final class Consolidation implements AutoCloseable {
    private final MergeSchedule schedule;
    private final StatePlaces places;
    private final Arena fisher;
    private final Arena anchor;
    private final List<HeldFisher> fishers = new ArrayList<>();
    private double constant;
    private long revision;
    private Pass pass; // null between Fisher passes
    private boolean spoiled;

    /** A Fisher pass under way. */
    private static final class Pass {
        private final Arena accumulator; // null: F itself
        /** Of what is accumulated into, at the begin. */
        private final double sumBefore;

        private FisherReading reading = FisherReading.NONE;
        /** Whether what was accumulated is that of the examples read, no more and no less. */
        private boolean whole = true;

        Pass(Arena accumulator, double sumBefore) {
            this.accumulator = accumulator;
            this.sumBefore = sumBefore;
        }

        void close() {
            if (accumulator != null) {
                accumulator.close();
            }
        }
    }

    /** An empty consolidation in fp32 on the CPU. */
    public Consolidation(ParameterLayout layout, MergeSchedule schedule) {
        this(layout, schedule, StateTypes.FULL, StatePlaces.on(Device.CPU));
    }

    /**
     * An empty consolidation; the arenas are taken at once.
     *
     * @throws RunFailedException where there is not that much memory, or room on the disk for a map
     */
    public Consolidation(ParameterLayout layout, MergeSchedule schedule, StateTypes types, StatePlaces places) {
        this.schedule = schedule;
        this.places = places;
        this.fisher = new Arena(layout, types.fisher(), places.device());
        try {
            this.anchor = new Arena(layout, types.anchor(), places.anchor());
        } catch (RuntimeException e) {
            fisher.close();
            throw e;
        }
    }

    /**
     * Takes in the task just learned: merges its Fisher, and the parameters as its anchor. Where {@code progress} throws, as
     * when the thread is interrupted, the pass goes on from there with the next call, which must be of the same task.
     *
     * @param theta the parameters after the task, fp32
     * @param what names the task and the estimate, and says how many tasks it counts as
     * @param progress told how many examples of the Fisher pass have been read
     * @throws RunFailedException where the Fisher is not finite; where it was accumulated in place, the consolidation is
     *     then no longer usable, and what was saved of it before stands
     */
    public void add(Kernels kernels, FisherEstimator estimator, Arena theta, HeldFisher what, IntConsumer progress) {
        add(kernels, estimator, theta, what, progress, () -> {});
    }

    /**
     * As {@link #add(Kernels, FisherEstimator, Arena, HeldFisher, IntConsumer)}.
     *
     * @param beforeChange done each time before {@link #arenas} that have a revision change, at the begin of the pass and at
     *     its end: whoever reads them meanwhile, as {@code progress} may have begun to, is to be waited for
     */
    public void add(
            Kernels kernels,
            FisherEstimator estimator,
            Arena theta,
            HeldFisher what,
            IntConsumer progress,
            Runnable beforeChange) {
        requireUsable();
        beforeChange.run();
        HeldFisher found;
        try (ProfilerRange range = ProfilerRange.open("merge");
                FlightSpan event =
                        FlightEvents.merge(what.task(), ConsolidationJson.name(schedule.kind()), fishers.size())) {
            if (pass == null) {
                pass = begin(kernels, estimator, theta, what);
            }
            double mean = accumulate(estimator, what, progress);
            found = what.found(pass.reading, mean);
            beforeChange.run();
            finish(kernels, theta, what);
        } catch (RuntimeException | Error e) {
            giveUpUnlessWhole();
            throw e;
        }
        pass.close();
        pass = null;
        revision++;
        requireFiniteAnchor(kernels);
        fishers.add(found);
    }

    private Pass begin(Kernels kernels, FisherEstimator estimator, Arena theta, HeldFisher what) {
        if (!estimator.inPlace() || !mergesInPlace()) {
            return new Pass(new Arena(fisher.layout(), ElementType.F32, fisher.device()), 0);
        }
        if (schedule instanceof MergeSchedule.Weighted weighted && !fishers.isEmpty()) {
            kernels.fisherMerge(fisher.list(), null, weighted.retain(heldWeight(), what.weight(), 1), 0);
        } else if (!fishers.isEmpty()) {
            constant += kernels.anchorDisplace(anchor.list(), theta.list(), fisher.list());
        }
        return new Pass(null, fishers.isEmpty() ? 0 : fisher.sum());
    }

    /** What the pass multiplies an estimate by: where F is merged in place, its weight in the merge. */
    private double passWeight(HeldFisher what) {
        if (pass.accumulator != null) {
            return 1;
        }
        double factor = schedule.factor(what.weight());
        return !fishers.isEmpty() && schedule instanceof MergeSchedule.Weighted weighted
                ? factor * weighted.weight(heldWeight(), what.weight())
                : factor;
    }

    /** What the pass under way adds to. */
    private Arena accumulated() {
        return pass.accumulator == null ? fisher : pass.accumulator;
    }

    /** Returns the mean of the estimate. */
    private double accumulate(FisherEstimator estimator, HeldFisher what, IntConsumer progress) {
        FisherRecord estimate = what.estimate();
        try (ProfilerRange range = ProfilerRange.open("fisher");
                FlightSpan event = FlightEvents.fisherPass(
                        what.task(), ConsolidationJson.name(estimate.kind()), estimate.examples())) {
            pass.whole = false;
            double weight = passWeight(what);
            estimator.accumulateInto(accumulated(), weight, pass.reading, reading -> {
                pass.reading = reading;
                pass.whole = true;
                progress.accept(reading.examples());
                pass.whole = false;
            });
            double sum = estimator.finish(accumulated());
            requireFinite(sum);
            // What was too small to be added to F, as rounding has it, leaves nothing.
            return Math.max(0, sum - pass.sumBefore) / weight / fisher.layout().elements();
        }
    }

    private void finish(Kernels kernels, Arena theta, HeldFisher what) {
        if (pass.accumulator != null) {
            double factor = schedule.factor(what.weight());
            if (factor != 1) {
                kernels.fisherMerge(pass.accumulator.list(), null, factor, 0);
            }
            merge(kernels, pass.accumulator, theta, what.weight(), 1);
        } else if (schedule instanceof MergeSchedule.Sum && !fishers.isEmpty()) {
            constant -= kernels.anchorRestore(anchor.list(), theta.list(), fisher.list());
        } else {
            kernels.convert(anchor.list(), theta.list());
        }
    }

    /** What an accumulator of its own was half filled with is dropped; F itself cannot be mended. */
    private void giveUpUnlessWhole() {
        if (pass != null && !pass.whole) {
            spoiled = pass.accumulator == null;
            pass.close();
            pass = null;
        }
    }

    private void requireUsable() {
        if (spoiled) {
            throw new RunFailedException(
                    "the consolidation was lost with a Fisher pass that failed; go on from what was" + " saved before");
        }
    }

    /** t: as how many tasks the Fishers that are merged count. */
    private double heldWeight() {
        return fishers.stream().mapToDouble(HeldFisher::weight).sum();
    }

    private boolean mergesInPlace() {
        if (fisher.type() != ElementType.F32) {
            return false;
        }
        return fishers.isEmpty()
                || schedule instanceof MergeSchedule.Weighted
                || schedule instanceof MergeSchedule.Sum && anchor.type() == ElementType.F32;
    }

    /**
     * Takes in what another consolidation of the same layout keeps, as if its tasks came after these; but of
     * {@code ema}, whose first Fisher is taken whole, what is held fades once, however many tasks come. Its buffers are used up
     * on the way: close it afterwards.
     *
     * @param other in fp32, and not empty
     */
    public void join(Kernels kernels, Consolidation other) {
        merge(kernels, other.fisher, other.anchor, other.heldWeight(), other.fishers.size());
        if (schedule instanceof MergeSchedule.Sum) {
            constant += other.constant;
        }
        revision++;
        requireFiniteAnchor(kernels);
        fishers.addAll(other.fishers);
    }

    /** Merges a new Fisher in fp32, which is used up on the way, and its anchor. */
    private void merge(Kernels kernels, Arena newFisher, Arena newAnchor, double added, int tasks) {
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
            double retain = weighted.retain(heldWeight(), added, tasks);
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

    /** @param sum over all of F, in which a value that is not finite shows */
    private static void requireFinite(double sum) {
        if (!Double.isFinite(sum)) {
            throw RunFailedException.diverged(
                    "the Fisher information is not finite: the square of a gradient was NaN or Inf");
        }
    }

    /** θ itself is finite, or its loss would not be. */
    private void requireFiniteAnchor(Kernels kernels) {
        if (anchor.type() == ElementType.F16 && !Double.isFinite(kernels.norm(anchor.list()))) {
            throw new RunFailedException("the anchor has values beyond 65504, which fp16 cannot hold; set"
                    + " ewc.anchor_dtype to int16 or fp32");
        }
    }

    /** A copy that later merges do not touch, in the same kinds of places. Whoever calls closes it. */
    public Consolidation copy() {
        Consolidation made =
                new Consolidation(fisher.layout(), schedule, new StateTypes(fisher.type(), anchor.type()), places);
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

    /**
     * What is needed to go on, besides the arenas; within a Fisher pass, where {@code progress} is told, too.
     *
     * @throws RunFailedException where a Fisher pass failed and left nothing that is whole, or the one under way is not finite
     */
    public ConsolidationState state(Kernels kernels) {
        requireUsable();
        if (pass != null) {
            // Squares overflow where gradients do not: a pass is to fail before it is saved, not when it has ended.
            requireFinite(kernels.norm(accumulated().list()));
        }
        return new ConsolidationState(
                fishers,
                constant,
                revision,
                pass == null ? Optional.empty() : Optional.of(pass.reading),
                pass == null ? 0 : pass.sumBefore,
                pass != null && pass.accumulator != null);
    }

    /** The arenas that hold something; {@link #state} says what. */
    public List<KeptArena> arenas() {
        boolean inPlace = pass != null && pass.accumulator == null;
        boolean displaced = inPlace && schedule instanceof MergeSchedule.Sum;
        OptionalLong same = OptionalLong.of(revision);
        List<KeptArena> arenas = new ArrayList<>();
        if (inPlace || !fishers.isEmpty()) {
            arenas.add(new KeptArena("fisher", fisher, inPlace ? OptionalLong.empty() : same));
        }
        if (!fishers.isEmpty()) {
            arenas.add(new KeptArena("anchor", anchor, displaced ? OptionalLong.empty() : same));
        }
        if (pass != null && pass.accumulator != null) {
            arenas.add(KeptArena.changing("fisher_accumulator", pass.accumulator));
        }
        return arenas;
    }

    /** Goes on from a state, whose {@link #arenas} are then to be filled. For a consolidation just made. */
    public void restore(ConsolidationState state) {
        fishers.clear();
        restore(state.fishers(), state.constant());
        revision = state.revision();
        if (state.passReading().isPresent()) {
            pass = new Pass(
                    state.accumulator() ? new Arena(fisher.layout(), ElementType.F32, fisher.device()) : null,
                    state.passSumBefore());
            pass.reading = state.passReading().get();
        }
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

    /** Bytes of F and θ*, wherever they lie. */
    public long stateBytes() {
        return fisher.bytes() + anchor.bytes();
    }

    @Override
    public void close() {
        if (pass != null) {
            pass.close();
        }
        fisher.close();
        anchor.close();
    }
}
