package org.ewc4j.kernel;

import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.SizeTPointer;
import org.ewc4j.kernel.EwcLibrary.ewc_adamw_options;
import org.ewc4j.kernel.EwcLibrary.ewc_exec;
import org.ewc4j.kernel.EwcLibrary.ewc_list;
import org.ewc4j.kernel.EwcLibrary.ewc_matrix;

/**
 * The structs of a call, its small numbers and the workspace of one {@link Kernels}, apart from it so that the cleaner
 * can free them after it is gone. The structs lie on the host, the numbers and the workspace where the verbs run.
 */
final class CallBuffers {
    private static final long LAMBDA = 0;
    private static final long RESULT = Double.BYTES;

    final ewc_exec exec;
    final ewc_adamw_options options;
    final SizeTPointer needed;
    private final KernelMemory memory;
    private final Pointer structs;
    private final KernelMemory.Buffer numbers;
    private KernelMemory.Buffer workspace;
    private long workspaceBytes;
    private Pointer segmentValues; // learning rates, then decays, then factors of lambda
    private DoublePointer segmentLambda; // of the options last set; null: none
    private int segmentCapacity;
    private final ewc_matrix left;
    private final ewc_matrix right;
    private LongPointer offsets; // of examples; null before the first

    CallBuffers(KernelMemory memory, int threads) {
        this.memory = memory;
        long matricesAt = (long) ewc_exec.BYTES + ewc_adamw_options.BYTES;
        long neededAt = matricesAt + 2 * ewc_matrix.BYTES;
        structs = NativeMemory.allocate(neededAt + Long.BYTES);
        exec = new ewc_exec(structs);
        options = new ewc_adamw_options(structs.getPointer(ewc_exec.BYTES));
        left = new ewc_matrix(structs.getPointer(matricesAt));
        right = new ewc_matrix(structs.getPointer(matricesAt + ewc_matrix.BYTES));
        needed = new SizeTPointer(structs.getPointer(neededAt));
        exec.device(memory.device());
        exec.threads(threads);
        numbers = memory.allocate(2L * Double.BYTES);
    }

    /** Puts the next verb on the stream that the memory's owner uses now; the host has none. */
    void followStream() {
        if (memory.device() >= 0) {
            exec.stream(NativeMemory.at(memory.stream()));
        }
    }

    /** At least {@code needed} bytes where the verbs run; grows on the first call of a size, then never again. */
    Pointer workspace() {
        if (needed.get() > workspaceBytes) {
            KernelMemory.Buffer larger = memory.allocate(needed.get());
            if (workspace != null) {
                workspace.close();
            }
            workspace = larger;
            workspaceBytes = needed.get();
        }
        return workspace == null ? null : NativeMemory.at(workspace.address());
    }

    long workspaceBytes() {
        return workspaceBytes;
    }

    /** λ where the verbs read it. */
    DoublePointer lambda(double value) {
        new DoublePointer(NativeMemory.at(numbers.hostAddress() + LAMBDA)).put(value);
        numbers.upload(LAMBDA, Double.BYTES);
        return new DoublePointer(NativeMemory.at(numbers.address() + LAMBDA));
    }

    /** Where a verb leaves its one number. */
    DoublePointer result() {
        return new DoublePointer(NativeMemory.at(numbers.address() + RESULT));
    }

    /** What the last verb left there; waits for it. */
    double readResult() {
        numbers.download();
        return new DoublePointer(NativeMemory.at(numbers.hostAddress() + RESULT)).get();
    }

    ewc_matrix left(Matrix given) {
        return set(left, given);
    }

    /** Null for null, which stands for a column of ones. */
    ewc_matrix right(Matrix given) {
        return given == null ? null : set(right, given);
    }

    private static ewc_matrix set(ewc_matrix matrix, Matrix given) {
        matrix.data(given.address());
        matrix.columns(given.columns());
        matrix.stride(given.stride());
        matrix.dtype(given.type().code());
        return matrix;
    }

    /** Always on the host; grows on the first call of a size, then never again. */
    LongPointer offsets(long[] given) {
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
        requireOneEach("segmentLambda", given.segmentLambda(), segments);
        if (segments > segmentCapacity) {
            Pointer larger = NativeMemory.allocate(3L * Double.BYTES * segments);
            if (segmentValues != null) {
                NativeMemory.free(segmentValues);
            }
            segmentValues = larger;
            segmentCapacity = segments;
        }
        options.segment_learning_rate(segmentValues(rates, 0));
        options.segment_weight_decay(segmentValues(decays, segmentCapacity));
        segmentLambda = segmentValues(given.segmentLambda(), 2L * segmentCapacity);
        options.segment_lambda(segmentLambda);
        options.theta_copy(thetaCopy);
        options.struct_size(ewc_adamw_options.BYTES);
        options.beta1(given.beta1());
        options.beta2(given.beta2());
        options.epsilon(given.epsilon());
        options.weight_decay(given.weightDecay());
    }

    /** The factors of λ of the options last set, on the host; null for none. */
    DoublePointer segmentLambda() {
        return segmentLambda;
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

    void free() {
        NativeMemory.free(structs);
        numbers.close();
        if (workspace != null) {
            workspace.close();
        }
        if (segmentValues != null) {
            NativeMemory.free(segmentValues);
        }
        if (offsets != null) {
            NativeMemory.free(offsets);
        }
    }
}
