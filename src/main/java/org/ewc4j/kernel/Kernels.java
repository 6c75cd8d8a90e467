package org.ewc4j.kernel;

import java.util.Objects;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.SizeTPointer;
import org.ewc4j.kernel.EwcLibrary.ewc_adamw_options;
import org.ewc4j.kernel.EwcLibrary.ewc_adamw_statistics;
import org.ewc4j.kernel.EwcLibrary.ewc_adamw_values;
import org.ewc4j.kernel.EwcLibrary.ewc_exec;
import org.ewc4j.kernel.EwcLibrary.ewc_list;
import org.ewc4j.kernel.EwcLibrary.ewc_matrix;

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
    private final Memory memory;
    private final NativeResource resource;

    private Kernels(int threads) {
        memory = new Memory();
        resource = new NativeResource(this, "Kernels", memory::free);
        memory.exec.device(-1);
        memory.exec.threads(threads);
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
        return new Kernels(threads);
    }

    /** destination ← source, from any type to any: a Fisher to bf16, or θ to the 16 bits of an anchor. */
    public void convert(TensorList destination, TensorList source) {
        run(() -> EwcLibrary.ewc_convert(memory.exec, destination.open(), source.open()));
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
                memory.exec, fisher.open(), gradient.open(), weight, flags(zeroGradient)));
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
        long examples = offsets.length - 1;
        run(() -> EwcLibrary.ewc_fisher_accumulate_linear_workspace(
                memory.exec,
                memory.set(memory.left, left),
                memory.set(memory.right, right),
                memory.offsets(offsets),
                examples,
                memory.needed));
        run(() -> EwcLibrary.ewc_fisher_accumulate_linear(
                memory.exec,
                fisher,
                memory.left,
                right == null ? null : memory.right,
                memory.offsets,
                examples,
                weight,
                memory.workspace(),
                memory.workspaceBytes));
    }

    /** ½ Σ F (θ*−θ)². */
    public double penalty(TensorList theta, TensorList anchor, TensorList fisher) {
        run(() -> EwcLibrary.ewc_penalty_workspace(memory.exec, theta.open(), memory.needed));
        run(() -> EwcLibrary.ewc_penalty(
                memory.exec,
                theta.open(),
                anchor.open(),
                fisher.open(),
                null,
                null,
                memory.result,
                memory.workspace(),
                memory.workspaceBytes));
        return memory.result.get();
    }

    /** g ← g + λF(θ−θ*). */
    public void penaltyGradient(
            TensorList gradient, TensorList theta, TensorList anchor, TensorList fisher, double lambda) {
        run(() -> EwcLibrary.ewc_penalty_workspace(memory.exec, theta.open(), memory.needed));
        memory.lambda.put(lambda);
        run(() -> EwcLibrary.ewc_penalty(
                memory.exec,
                theta.open(),
                anchor.open(),
                fisher.open(),
                gradient.open(),
                memory.lambda,
                memory.result,
                memory.workspace(),
                memory.workspaceBytes));
    }

    /**
     * F ← retain·F + weight·F_new. F in bf16 and F_new in f32 is how a Fisher that was accumulated in f32 joins one that is
     * kept in bf16.
     *
     * @param newFisher null: F ← retain·F
     */
    public void fisherMerge(TensorList fisher, TensorList newFisher, double retain, double weight) {
        run(() -> EwcLibrary.ewc_fisher_merge(memory.exec, fisher.open(), orNull(newFisher), retain, weight));
    }

    /** ‖g‖, the 2-norm over all tensors. */
    public double norm(TensorList gradient) {
        run(() -> EwcLibrary.ewc_norm_workspace(memory.exec, gradient.open(), memory.needed));
        run(() -> EwcLibrary.ewc_norm(
                memory.exec,
                gradient.open(),
                null,
                null,
                null,
                null,
                memory.result,
                memory.workspace(),
                memory.workspaceBytes));
        return Math.sqrt(memory.result.get());
    }

    /** ‖g + λF(θ−θ*)‖, the 2-norm over all tensors; nothing is written. */
    public double totalNorm(
            TensorList gradient, TensorList theta, TensorList anchor, TensorList fisher, double lambda) {
        run(() -> EwcLibrary.ewc_norm_workspace(memory.exec, gradient.open(), memory.needed));
        memory.lambda.put(lambda);
        run(() -> EwcLibrary.ewc_norm(
                memory.exec,
                gradient.open(),
                theta.open(),
                anchor.open(),
                fisher.open(),
                memory.lambda,
                memory.result,
                memory.workspace(),
                memory.workspaceBytes));
        return Math.sqrt(memory.result.get());
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
     * moments, update.
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
        run(() -> EwcLibrary.ewc_adamw_step_workspace(memory.exec, theta.open(), memory.needed));
        memory.set(options, theta.size(), orNull(outputs.thetaCopy()));
        memory.set(step);
        run(() -> EwcLibrary.ewc_adamw_step(
                memory.exec,
                theta.open(),
                firstMoment.open(),
                secondMoment.open(),
                gradient.open(),
                orNull(fisher),
                orNull(anchor),
                memory.options,
                memory.values,
                flags(outputs.zeroGradient()),
                memory.statistics,
                memory.workspace(),
                memory.workspaceBytes));
        return new StepStatistics(
                memory.statistics.penalty(),
                Math.sqrt(memory.statistics.gradient_norm_squared()),
                Math.sqrt(memory.statistics.penalty_gradient_norm_squared()));
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
            KernelStatus.check(verb.call());
        } finally {
            resource.release();
        }
    }

    /** The structs of a call and the workspace, apart from Kernels so that the cleaner can free them after it is gone. */
    private static final class Memory {
        private final Pointer block;
        private final ewc_exec exec;
        private final ewc_adamw_options options;
        private final ewc_adamw_values values;
        private final ewc_adamw_statistics statistics;
        private final ewc_matrix left;
        private final ewc_matrix right;
        private final SizeTPointer needed;
        private final DoublePointer lambda;
        private final DoublePointer result;
        private Pointer workspace;
        private long workspaceBytes;
        private Pointer segmentValues; // learning rates, then decays
        private int segmentCapacity;
        private LongPointer offsets; // of examples; null before the first

        Memory() {
            long optionsAt = ewc_exec.BYTES;
            long valuesAt = optionsAt + ewc_adamw_options.BYTES;
            long statisticsAt = valuesAt + ewc_adamw_values.BYTES;
            long matricesAt = statisticsAt + ewc_adamw_statistics.BYTES;
            long scalarsAt = matricesAt + 2 * ewc_matrix.BYTES;
            block = NativeMemory.allocate(scalarsAt + 3 * Double.BYTES);
            exec = new ewc_exec(block);
            options = new ewc_adamw_options(block.getPointer(optionsAt));
            values = new ewc_adamw_values(block.getPointer(valuesAt));
            statistics = new ewc_adamw_statistics(block.getPointer(statisticsAt));
            left = new ewc_matrix(block.getPointer(matricesAt));
            right = new ewc_matrix(block.getPointer(matricesAt + ewc_matrix.BYTES));
            needed = new SizeTPointer(block.getPointer(scalarsAt));
            lambda = new DoublePointer(block.getPointer(scalarsAt + Double.BYTES));
            result = new DoublePointer(block.getPointer(scalarsAt + 2 * Double.BYTES));
        }

        /** At least {@code needed} bytes; grows on the first call of a size, then never again. */
        Pointer workspace() {
            if (needed.get() > workspaceBytes) {
                Pointer larger = NativeMemory.allocate(needed.get());
                if (workspace != null) {
                    NativeMemory.free(workspace);
                }
                workspace = larger;
                workspaceBytes = needed.get();
            }
            return workspace;
        }

        ewc_matrix set(ewc_matrix matrix, Matrix given) {
            if (given == null) {
                return null;
            }
            matrix.data(given.address());
            matrix.columns(given.columns());
            matrix.stride(given.stride());
            matrix.dtype(given.type().code());
            return matrix;
        }

        LongPointer offsets(long[] given) {
            if (given.length == 0) {
                throw new KernelArgumentException(
                        "Kernels.fisherAccumulateLinear: offsets: expected one more than examples, came none");
            }
            if (offsets == null || offsets.capacity() < given.length) {
                Pointer larger = NativeMemory.allocate((long) Long.BYTES * given.length);
                if (offsets != null) {
                    NativeMemory.free(offsets);
                }
                offsets = new LongPointer(larger).capacity(given.length);
            }
            return offsets.put(given, 0, given.length);
        }

        void set(AdamWOptions given, int segments, ewc_list thetaCopy) {
            double[] rates = given.segmentLearningRate();
            double[] decays = given.segmentWeightDecay();
            requireOneEach("segmentLearningRate", rates, segments);
            requireOneEach("segmentWeightDecay", decays, segments);
            if ((rates != null || decays != null) && segments > segmentCapacity) {
                Pointer larger = NativeMemory.allocate(2L * Double.BYTES * segments);
                if (segmentValues != null) {
                    NativeMemory.free(segmentValues);
                }
                segmentValues = larger;
                segmentCapacity = segments;
            }
            options.segment_learning_rate(segmentValues(rates, 0));
            options.segment_weight_decay(segmentValues(decays, segmentCapacity));
            options.theta_copy(thetaCopy);
            options.struct_size(ewc_adamw_options.BYTES);
            options.beta1(given.beta1());
            options.beta2(given.beta2());
            options.epsilon(given.epsilon());
            options.weight_decay(given.weightDecay());
        }

        private static void requireOneEach(String name, double[] values, int segments) {
            if (values != null && values.length != segments) {
                throw new KernelArgumentException("Kernels.adamwStep: options." + name
                        + ": expected one value for each tensor of theta (" + segments + "), came " + values.length);
            }
        }

        private DoublePointer segmentValues(double[] values, long from) {
            if (values == null) {
                return null;
            }
            DoublePointer at = new DoublePointer(segmentValues.getPointer(from * Double.BYTES)).capacity(values.length);
            return at.put(values, 0, values.length);
        }

        void set(AdamWStep given) {
            values.step(given.step());
            values.learning_rate(given.learningRate());
            values.lambda(given.lambda());
            values.gradient_scale(given.gradientScale());
            values.penalty_scale(given.penaltyScale());
        }

        void free() {
            NativeMemory.free(block);
            if (workspace != null) {
                NativeMemory.free(workspace);
            }
            if (segmentValues != null) {
                NativeMemory.free(segmentValues);
            }
            if (offsets != null) {
                NativeMemory.free(offsets);
            }
        }
    }
}
