package org.ewc4j.kernel;

import java.util.Objects;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.LongPointer;
import org.ewc4j.kernel.EwcLibrary.ewc_list;

/**
 * The verbs of EWC and AdamW over tensors that the caller owns: one learner's access to the native library.
 *
 * <p>The lists of one call have the same number of tensors with the same element counts and must not overlap. θ and the
 * moments are f32; gradients f32, f16 or bf16; a Fisher f32 or bf16, but f32 where squares are accumulated; θ* of any
 * type. Arithmetic is in f32, and what is written in 16 bit is rounded once, to nearest even. Results are deterministic: the same input gives the same bits on one machine, whatever the number of threads. NaN and
 * Inf propagate. ewc.h has the formulas and the bytes moved.
 *
 * <p>Owns a small native workspace; whoever calls {@link #host} closes. Not thread-safe: one per learner.
 *
 * <p>Every verb throws {@link KernelArgumentException} where the lists do not fit, {@link KernelUnsupportedException} for an
 * element type or device that this build has no kernel for, {@link IllegalStateException} after close.
 */
public final class Kernels implements AutoCloseable {
    private final KernelMemory memory;
    private final CallBuffers buffers;
    private final StepSlots ownSlot;
    private final NativeResource resource;

    private Kernels(KernelMemory memory, int threads) {
        this.memory = memory;
        this.buffers = new CallBuffers(memory, threads);
        this.ownSlot = new StepSlots(memory, 1);
        CallBuffers freed = buffers;
        StepSlots closed = ownSlot;
        this.resource = new NativeResource(this, "Kernels", () -> {
            closed.close();
            freed.free();
        });
    }

    /**
     * Kernels on the CPU.
     *
     * @param threads OpenMP threads, at least 1; give the number that libtorch has, they share one pool
     * @throws NativeLibraryException where the native library cannot be loaded
     */
    public static Kernels host(int threads) {
        NativeLibrary.load();
        if (threads < 1) {
            throw new KernelArgumentException("Kernels.host: threads: expected 1 or more, came " + threads);
        }
        return new Kernels(new HostMemory(), threads);
    }

    /**
     * Kernels where this memory lies: a CUDA device, on its stream. The verbs that return a number wait for the device, the
     * others do not.
     *
     * @param threads OpenMP threads of a memory that is the host's, at least 1
     * @throws NativeLibraryException where the native library cannot be loaded
     */
    public static Kernels on(KernelMemory memory, int threads) {
        NativeLibrary.load();
        return new Kernels(memory, threads);
    }

    /** Slots for the results of as many steps. */
    public StepSlots slots(int capacity) {
        resource.requireOpen();
        return new StepSlots(memory, capacity);
    }

    /** destination ← source, from any type to any: a Fisher to bf16, or θ to the 16 bits of an anchor. */
    public void convert(TensorList destination, TensorList source) {
        run(() -> EwcLibrary.ewc_convert(buffers.exec, destination.open(), source.open()));
    }

    /** F ← F + weight·g². */
    public void fisherAccumulate(TensorList fisher, TensorList gradient, double weight) {
        fisherAccumulate(fisher, gradient, weight, false);
    }

    /**
     * F ← F + weight·g².
     *
     * @param zeroGradient whether g is set to zero in the same pass
     */
    public void fisherAccumulate(TensorList fisher, TensorList gradient, double weight, boolean zeroGradient) {
        run(() -> EwcLibrary.ewc_fisher_accumulate(
                buffers.exec, fisher.open(), gradient.open(), weight, flags(zeroGradient)));
    }

    /**
     * F ← F + weight·Σ_n (Σ_{p in n} left_pᵀ right_p)², the squares element by element: the per-example empirical Fisher of a
     * linear layer's weight, without a gradient for each example. For a weight of shape (out, in), left is the gradient
     * of the loss with respect to the layer's outputs and right its inputs; for one of shape (in, out), the other way round.
     *
     * @param fisher address of left.columns × right.columns f32, row-major, contiguous
     * @param left one row a position, f32 or bf16; positions whose row is zero throughout are skipped
     * @param right one row a position, of left's type
     * @param offsets positions offsets[n] to offsets[n + 1] − 1 belong to example n: one more than there are examples, from 0
     *     or more, never falling
     * @param weight finite
     */
    public void fisherAccumulateLinear(long fisher, Matrix left, Matrix right, long[] offsets, double weight) {
        accumulateLinear(fisher, left, Objects.requireNonNull(right, "right"), offsets, weight);
    }

    /**
     * F ← F + weight·Σ_n (Σ_{p in n} gradient_p)²: the per-example empirical Fisher of a linear layer's bias.
     *
     * @param fisher address of gradient.columns f32
     * @param gradient of the loss with respect to the layer's outputs, one row a position, f32 or bf16
     * @param offsets as in {@link #fisherAccumulateLinear}
     * @param weight finite
     */
    public void fisherAccumulateBias(long fisher, Matrix gradient, long[] offsets, double weight) {
        accumulateLinear(fisher, gradient, null, offsets, weight);
    }

    private void accumulateLinear(long fisher, Matrix left, Matrix right, long[] offsets, double weight) {
        if (offsets.length == 0) {
            throw new KernelArgumentException(
                    "Kernels.fisherAccumulateLinear: offsets: expected one more than examples, came none");
        }
        long examples = offsets.length - 1;
        takeLinearWorkspace(left, right, offsets);
        run(() -> EwcLibrary.ewc_fisher_accumulate_linear(
                buffers.exec,
                fisher,
                buffers.left(left),
                buffers.right(right),
                buffers.offsets(offsets),
                examples,
                weight,
                buffers.workspace(),
                buffers.workspaceBytes()));
    }

    /** Takes the memory that {@link #fisherAccumulateLinear} with these arguments needs, so that it can only fail here for want of it. */
    public void takeLinearWorkspace(Matrix left, Matrix right, long[] offsets) {
        run(() -> EwcLibrary.ewc_fisher_accumulate_linear_workspace(
                buffers.exec,
                buffers.left(left),
                buffers.right(right),
                buffers.offsets(offsets),
                offsets.length - 1,
                buffers.needed));
        run(() -> {
            buffers.workspace();
            return 0;
        });
    }

    /** ½ Σ F (θ*−θ)². */
    public double penalty(TensorList theta, TensorList anchor, TensorList fisher) {
        run(() -> EwcLibrary.ewc_penalty_workspace(buffers.exec, theta.open(), buffers.needed));
        run(() -> EwcLibrary.ewc_penalty(
                buffers.exec,
                theta.open(),
                anchor.open(),
                fisher.open(),
                null,
                null,
                null,
                buffers.result(),
                buffers.workspace(),
                buffers.workspaceBytes()));
        return buffers.readResult();
    }

    /** g ← g + λF(θ−θ*). */
    public void penaltyGradient(
            TensorList gradient, TensorList theta, TensorList anchor, TensorList fisher, double lambda) {
        penaltyGradient(gradient, theta, anchor, fisher, lambda, ownSlot, 0);
        ownSlot.read(); // the next call writes lambda again
    }

    /**
     * As {@link #penaltyGradient(TensorList, TensorList, TensorList, TensorList, double)}, but leaves ½ Σ F (θ*−θ)² in the slot's
     * statistics, so that a device need not be waited for.
     *
     * @param slot of {@code slots}; not written with another λ since their last read
     */
    public void penaltyGradient(
            TensorList gradient,
            TensorList theta,
            TensorList anchor,
            TensorList fisher,
            double lambda,
            StepSlots slots,
            int slot) {
        slots.putLambda(slot, lambda);
        run(() -> EwcLibrary.ewc_penalty_workspace(buffers.exec, theta.open(), buffers.needed));
        run(() -> EwcLibrary.ewc_penalty(
                buffers.exec,
                theta.open(),
                anchor.open(),
                fisher.open(),
                gradient.open(),
                slots.lambdaInPlace(slot),
                null,
                slots.penaltyInPlace(slot),
                buffers.workspace(),
                buffers.workspaceBytes()));
    }

    /**
     * F ← retain·F + weight·F_new. A Fisher that is kept in few bits is the F_new that joins one accumulated in f32.
     *
     * @param fisher f32 or bf16
     * @param newFisher f32, bf16 or u8; null: F ← retain·F
     */
    public void fisherMerge(TensorList fisher, TensorList newFisher, double retain, double weight) {
        run(() -> EwcLibrary.ewc_fisher_merge(buffers.exec, fisher.open(), orNull(newFisher), retain, weight));
    }

    /** F ← max(F, F_new), element by element; NaN in either stays. Types as {@link #fisherMerge}. */
    public void fisherMax(TensorList fisher, TensorList newFisher) {
        run(() -> EwcLibrary.ewc_fisher_max(buffers.exec, fisher.open(), newFisher.open()));
    }

    /**
     * θ* ← D = F(θ*−θ), the first half of an anchor merge in place; all f32. Between the halves the Fisher of θ is added to
     * F; then {@link #anchorRestore} leaves the mean of both anchors by their Fishers.
     *
     * @return ½ Σ D²/F; what {@link #anchorRestore} returns, taken from it, is the constant of the merged penalty
     */
    public double anchorDisplace(TensorList anchor, TensorList theta, TensorList fisher) {
        run(() -> EwcLibrary.ewc_anchor_workspace(buffers.exec, theta.open(), buffers.needed));
        run(() -> EwcLibrary.ewc_anchor_displace(
                buffers.exec,
                anchor.open(),
                theta.open(),
                fisher.open(),
                buffers.result(),
                buffers.workspace(),
                buffers.workspaceBytes()));
        return buffers.readResult();
    }

    /**
     * θ* ← θ + D/F, θ where F is 0: the second half of {@link #anchorDisplace}, which left D in θ*.
     *
     * @return ½ Σ D²/F
     */
    public double anchorRestore(TensorList anchor, TensorList theta, TensorList fisher) {
        run(() -> EwcLibrary.ewc_anchor_workspace(buffers.exec, theta.open(), buffers.needed));
        run(() -> EwcLibrary.ewc_anchor_restore(
                buffers.exec,
                anchor.open(),
                theta.open(),
                fisher.open(),
                buffers.result(),
                buffers.workspace(),
                buffers.workspaceBytes()));
        return buffers.readResult();
    }

    /**
     * Two penalties as one: F ← F + F_new, and the mean of θ* and θ by their Fishers, which is left in F_new's place for
     * {@link #convert} to bring into θ*. θ and F_new f32, F f32 or bf16, θ* of any type.
     *
     * @return the constant of the merged penalty, ½ Σ F F_new/(F + F_new) (θ*−θ)²
     */
    public double anchorMerge(TensorList anchor, TensorList theta, TensorList fisher, TensorList newFisher) {
        run(() -> EwcLibrary.ewc_anchor_workspace(buffers.exec, theta.open(), buffers.needed));
        run(() -> EwcLibrary.ewc_anchor_merge(
                buffers.exec,
                anchor.open(),
                theta.open(),
                fisher.open(),
                newFisher.open(),
                buffers.result(),
                buffers.workspace(),
                buffers.workspaceBytes()));
        return buffers.readResult();
    }

    /** ‖g‖, the 2-norm over all tensors. */
    public double norm(TensorList gradient) {
        norm(gradient, null, null, null, null, null, buffers.result());
        return Math.sqrt(buffers.readResult());
    }

    /** As {@link #norm(TensorList)}, but leaves it in a slot's place for it, so that a device need not be waited for. */
    public void norm(TensorList gradient, StepSlots slots, int slot) {
        norm(gradient, null, null, null, null, null, slots.normInPlace(slot));
    }

    /** ‖g + λF(θ−θ*)‖, the 2-norm over all tensors; nothing is written. */
    public double totalNorm(
            TensorList gradient, TensorList theta, TensorList anchor, TensorList fisher, double lambda) {
        norm(gradient, theta, anchor, fisher, buffers.lambda(lambda), null, buffers.result());
        return Math.sqrt(buffers.readResult());
    }

    private void norm(
            TensorList gradient,
            TensorList theta,
            TensorList anchor,
            TensorList fisher,
            DoublePointer lambda,
            DoublePointer segmentLambda,
            DoublePointer normSquared) {
        run(() -> EwcLibrary.ewc_norm_workspace(buffers.exec, gradient.open(), buffers.needed));
        run(() -> EwcLibrary.ewc_norm(
                buffers.exec,
                gradient.open(),
                orNull(theta),
                orNull(anchor),
                orNull(fisher),
                lambda,
                segmentLambda,
                normSquared,
                buffers.workspace(),
                buffers.workspaceBytes()));
    }

    /**
     * One AdamW step with the penalty folded in, in one pass: g′ = gradientScale·g + penaltyScale·λF(θ−θ*), decay of θ,
     * moments, update. The gradient is left as it came.
     *
     * @see #adamwStep(TensorList, TensorList, TensorList, TensorList, TensorList, TensorList, AdamWOptions, AdamWStep,
     *     StepOutputs)
     */
    public StepStatistics adamwStep(
            TensorList theta,
            TensorList firstMoment,
            TensorList secondMoment,
            TensorList gradient,
            TensorList fisher,
            TensorList anchor,
            AdamWOptions options,
            AdamWStep step) {
        return adamwStep(theta, firstMoment, secondMoment, gradient, fisher, anchor, options, step, StepOutputs.NONE);
    }

    /**
     * One AdamW step with the penalty folded in, in one pass: g′ = gradientScale·g + penaltyScale·λF(θ−θ*), decay of θ,
     * moments, update; or with {@link AdamWOptions#proximal} g′ = gradientScale·g, and a pull towards θ* behind the update.
     *
     * @param fisher null, with anchor: plain AdamW
     * @param anchor θ*; null, with fisher: plain AdamW
     * @param outputs what else is written on the way
     * @return what was reduced on the way, at θ before the step
     */
    public StepStatistics adamwStep(
            TensorList theta,
            TensorList firstMoment,
            TensorList secondMoment,
            TensorList gradient,
            TensorList fisher,
            TensorList anchor,
            AdamWOptions options,
            AdamWStep step,
            StepOutputs outputs) {
        adamwStep(
                theta,
                firstMoment,
                secondMoment,
                gradient,
                fisher,
                anchor,
                options,
                step,
                StepGuard.NONE,
                outputs,
                ownSlot,
                0);
        ownSlot.read();
        return ownSlot.statistics(0);
    }

    /**
     * As {@link #adamwStep(TensorList, TensorList, TensorList, TensorList, TensorList, TensorList, AdamWOptions, AdamWStep,
     * StepOutputs)}, but leaves what was reduced in a slot, so that a device need not be waited for; clipped, or left out
     * where its norm is not finite, as the guard says.
     *
     * @param step its count is that of all steps so far, those left out ({@link StepSlots#skipped}) included
     * @param guard what is decided from the norm first, by one pass more; {@link StepGuard#NONE} for none
     * @param slot of {@code slots}; not written since their last read
     */
    public void adamwStep(
            TensorList theta,
            TensorList firstMoment,
            TensorList secondMoment,
            TensorList gradient,
            TensorList fisher,
            TensorList anchor,
            AdamWOptions options,
            AdamWStep step,
            StepGuard guard,
            StepOutputs outputs,
            StepSlots slots,
            int slot) {
        slots.put(slot, step);
        buffers.set(options, theta.size(), orNull(outputs.thetaCopy()));
        if (guard.needsNorm()) {
            boolean total = guard.ofTotal() && fisher != null;
            norm(
                    gradient,
                    total ? theta : null,
                    total ? anchor : null,
                    total ? fisher : null,
                    total ? slots.lambdaInPlace(slot) : null,
                    total ? buffers.segmentLambda() : null,
                    slots.normInPlace(slot));
            int flags = (guard.ofTotal() ? EwcLibrary.CLIP_TOTAL : 0)
                    | (guard.skipNonfinite() ? EwcLibrary.SKIP_NONFINITE : 0);
            run(() -> EwcLibrary.ewc_adamw_prepare(
                    buffers.exec,
                    slots.normInPlace(slot),
                    guard.clipNorm(),
                    flags,
                    slots.skippedInPlace(),
                    slots.values(slot)));
        }
        run(() -> EwcLibrary.ewc_adamw_step_workspace(buffers.exec, theta.open(), buffers.needed));
        int stepFlags = flags(outputs.zeroGradient()) | (options.proximal() ? EwcLibrary.PROXIMAL : 0);
        run(() -> EwcLibrary.ewc_adamw_step(
                buffers.exec,
                theta.open(),
                firstMoment.open(),
                secondMoment.open(),
                gradient.open(),
                orNull(fisher),
                orNull(anchor),
                buffers.options,
                slots.values(slot),
                stepFlags,
                slots.statisticsInPlace(slot),
                buffers.workspace(),
                buffers.workspaceBytes()));
    }

    /**
     * Σ over the rows of −log softmax(logits)[target], left in a slot's loss; where {@code gradient} is asked for, the logits
     * become its gradient times the slot's loss scale ({@link StepSlots#putLossScale}).
     *
     * @param logits address of rows × columns elements, row-major, where the verbs run
     * @param type of the logits: f32, f16 or bf16
     * @param targets address of an int64 per row, each from 0, below columns, where the verbs run
     * @param add whether the slot's loss is added to, or begins anew
     * @param slot of {@code slots}; not written since their last read
     */
    public void crossEntropy(
            long logits,
            ElementType type,
            long rows,
            long columns,
            long targets,
            boolean gradient,
            boolean add,
            StepSlots slots,
            int slot) {
        run(() -> EwcLibrary.ewc_cross_entropy_workspace(buffers.exec, rows, buffers.needed));
        int flags = (gradient ? EwcLibrary.LOGITS_TO_GRADIENT : 0) | (add ? EwcLibrary.ADD_LOSS : 0);
        run(() -> EwcLibrary.ewc_cross_entropy(
                buffers.exec,
                NativeMemory.at(logits),
                type.code(),
                rows,
                columns,
                new LongPointer(NativeMemory.at(targets)),
                gradient ? slots.lossScaleInPlace(slot) : null,
                flags,
                slots.lossInPlace(slot),
                buffers.workspace(),
                buffers.workspaceBytes()));
    }

    /**
     * As {@link #crossEntropy(long, ElementType, long, long, long, boolean, boolean, StepSlots, int)}, read at once.
     *
     * @param scale multiplies the gradient, not the loss; 1 ÷ scored positions, say, for that of a mean
     * @return Σ −ln softmax(logits)[target], in nats
     * @throws KernelArgumentException where a size, an address or a target is none that the verb takes; nothing was written
     */
    public double crossEntropy(
            long logits, ElementType type, long rows, long columns, long targets, double scale, boolean gradient) {
        ownSlot.putLossScale(0, scale);
        crossEntropy(logits, type, rows, columns, targets, gradient, false, ownSlot, 0);
        ownSlot.read();
        return ownSlot.loss(0);
    }

    /**
     * y = x weightᵀ of few rows, without a copy of the weight: from some 32 to 64 rows on a general product is the faster.
     * On the host only. All matrices f32, row-major, contiguous.
     *
     * @param x address of rows × in
     * @param weight address of out × in
     * @param y address of rows × out
     */
    public void linear(long x, long weight, long rows, long out, long in, long y) {
        run(() -> EwcLibrary.ewc_linear(buffers.exec, x, weight, rows, out, in, y));
    }

    /**
     * The gradients of {@link #linear}: that of x = gradient · weight, and that of the weight = gradientᵀ · x.
     *
     * @param gradient address of that of y, rows × out
     * @param add whether to the weight's gradient is added, or it is written
     * @param xGradient address of rows × in
     * @param weightGradient address of out × in; 0: not formed
     */
    public void linearBackward(
            long gradient,
            long x,
            long weight,
            long rows,
            long out,
            long in,
            boolean add,
            long xGradient,
            long weightGradient) {
        run(() -> EwcLibrary.ewc_linear_backward_workspace(buffers.exec, rows, out, in, buffers.needed));
        run(() -> EwcLibrary.ewc_linear_backward(
                buffers.exec,
                gradient,
                x,
                weight,
                rows,
                out,
                in,
                add ? EwcLibrary.ADD_WEIGHT_GRADIENT : 0,
                xGradient,
                weightGradient,
                buffers.workspace(),
                buffers.workspaceBytes()));
    }

    @Override
    public void close() {
        resource.close();
    }

    private static int flags(boolean zeroGradient) {
        return zeroGradient ? EwcLibrary.ZERO_GRADIENT : 0;
    }

    private static ewc_list orNull(TensorList list) {
        return list == null ? null : list.open();
    }

    private interface Verb {
        int call();
    }

    private void run(Verb verb) {
        resource.acquire();
        try {
            buffers.followStream();
            KernelStatus.check(verb.call());
        } finally {
            resource.release();
        }
    }
}
