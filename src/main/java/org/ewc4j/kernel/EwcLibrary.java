package org.ewc4j.kernel;

import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.SizeTPointer;
import org.bytedeco.javacpp.annotation.Cast;
import org.bytedeco.javacpp.annotation.Const;
import org.bytedeco.javacpp.annotation.MemberGetter;
import org.bytedeco.javacpp.annotation.MemberSetter;
import org.bytedeco.javacpp.annotation.NoException;
import org.bytedeco.javacpp.annotation.Platform;
import org.bytedeco.javacpp.annotation.Properties;

/**
 * ewc.h, verb by verb, for JavaCPP to make the JNI glue from. Names and order are the header's. {@link NativeLibrary}
 * loads it; nothing else of the project may.
 *
 * <p>The preload takes libgomp from the PyTorch presets' jar, the file that libtorch loads, so that our threads and
 * libtorch's are one pool, and machines without an installed libgomp work. The extension finds it in the jar of the CUDA
 * build too.
 */
@Properties({
    @Platform(
            value = "linux-x86_64",
            include = "ewc/ewc.h",
            link = "ewc",
            preload = "gomp@.1",
            preloadresource = "/org/bytedeco/pytorch/",
            library = "jniewc"),
    // Counts when libraries are loaded and not when the glue is made.
    @Platform(value = "linux-x86_64", extension = "-gpu")
})
@NoException
final class EwcLibrary {
    private EwcLibrary() {}

    static final int ABI_VERSION = 1;
    static final int ZERO_GRADIENT = 1;
    static final int LOGITS_TO_GRADIENT = 2;
    static final int ADD_LOSS = 4;
    static final int ADD_WEIGHT_GRADIENT = 64;
    static final int CLIP_TOTAL = 8;
    static final int SKIP_NONFINITE = 16;
    static final int PROXIMAL = 32;

    /** The structs lie in memory of {@link NativeMemory}, so these classes only give an address a shape. */
    @NoException
    static final class ewc_exec extends Pointer {
        static final int BYTES = 16;

        ewc_exec(Pointer address) {
            super(address);
        }

        @MemberSetter
        native void device(int device);

        @MemberSetter
        native void threads(int threads);

        @MemberSetter
        native void stream(Pointer stream);
    }

    @NoException
    static final class ewc_list extends Pointer {
        static final int BYTES = 32;

        ewc_list(Pointer address) {
            super(address);
        }

        @MemberSetter
        native void count(@Cast("int64_t") long count);

        @MemberSetter
        native void numel(@Cast("const int64_t*") LongPointer numel);

        @MemberSetter
        native void data(@Cast("void* const*") LongPointer data);

        @MemberSetter
        native void dtype(@Cast("ewc_dtype") int dtype);
    }

    @NoException
    static final class ewc_matrix extends Pointer {
        static final int BYTES = 32;

        ewc_matrix(Pointer address) {
            super(address);
        }

        @MemberSetter
        native void data(@Cast("const void*") long address);

        @MemberSetter
        native void columns(@Cast("int64_t") long columns);

        @MemberSetter
        native void stride(@Cast("int64_t") long stride);

        @MemberSetter
        native void dtype(@Cast("ewc_dtype") int dtype);
    }

    @NoException
    static final class ewc_adamw_options extends Pointer {
        static final int BYTES = 72;

        ewc_adamw_options(Pointer address) {
            super(address);
        }

        @MemberSetter
        native void struct_size(@Cast("size_t") long bytes);

        @MemberSetter
        native void beta1(double beta1);

        @MemberSetter
        native void beta2(double beta2);

        @MemberSetter
        native void epsilon(double epsilon);

        @MemberSetter
        native void weight_decay(double weightDecay);

        @MemberSetter
        native void segment_learning_rate(@Const DoublePointer factors);

        @MemberSetter
        native void segment_weight_decay(@Const DoublePointer decays);

        @MemberSetter
        native void theta_copy(@Const ewc_list copy);

        @MemberSetter
        native void segment_lambda(@Const DoublePointer factors);
    }

    @NoException
    static final class ewc_adamw_values extends Pointer {
        static final int BYTES = 40;

        ewc_adamw_values(Pointer address) {
            super(address);
        }

        @MemberSetter
        native void step(@Cast("int64_t") long step);

        @MemberSetter
        native void learning_rate(double learningRate);

        @MemberSetter
        native void lambda(double lambda);

        @MemberSetter
        native void gradient_scale(double scale);

        @MemberSetter
        native void penalty_scale(double scale);
    }

    @NoException
    static final class ewc_adamw_statistics extends Pointer {
        static final int BYTES = 24;

        ewc_adamw_statistics(Pointer address) {
            super(address);
        }

        @MemberGetter
        native double penalty();

        @MemberGetter
        native double gradient_norm_squared();

        @MemberGetter
        native double displacement_norm_squared();
    }

    static native @Cast("const char*") BytePointer ewc_last_error();

    static native int ewc_abi_version();

    static native @Cast("const char*") BytePointer ewc_host_instruction_set();

    static native int ewc_cuda_device_count(IntPointer count);

    static native void ewc_range_push(String name);

    static native void ewc_range_pop();

    static native int ewc_profiler_start(int device);

    static native int ewc_profiler_stop(int device);

    static native @Cast("int64_t") long ewc_segment_bytes(@Cast("ewc_dtype") int dtype, @Cast("int64_t") long numel);

    static native int ewc_convert(@Const ewc_exec exec, @Const ewc_list destination, @Const ewc_list source);

    static native int ewc_fisher_accumulate(
            @Const ewc_exec exec,
            @Const ewc_list fisher,
            @Const ewc_list gradient,
            double weight,
            @Cast("uint32_t") int flags);

    static native int ewc_fisher_accumulate_linear_workspace(
            @Const ewc_exec exec,
            @Const ewc_matrix left,
            @Const ewc_matrix right,
            @Cast("const int64_t*") LongPointer offsets,
            @Cast("int64_t") long examples,
            SizeTPointer bytes);

    static native int ewc_fisher_accumulate_linear(
            @Const ewc_exec exec,
            @Cast("float*") long fisher,
            @Const ewc_matrix left,
            @Const ewc_matrix right,
            @Cast("const int64_t*") LongPointer offsets,
            @Cast("int64_t") long examples,
            double weight,
            Pointer workspace,
            @Cast("size_t") long workspaceBytes);

    static native int ewc_fisher_merge(
            @Const ewc_exec exec, @Const ewc_list fisher, @Const ewc_list newFisher, double retain, double weight);

    static native int ewc_fisher_max(@Const ewc_exec exec, @Const ewc_list fisher, @Const ewc_list newFisher);

    static native int ewc_anchor_workspace(@Const ewc_exec exec, @Const ewc_list theta, SizeTPointer bytes);

    static native int ewc_anchor_displace(
            @Const ewc_exec exec,
            @Const ewc_list anchor,
            @Const ewc_list theta,
            @Const ewc_list fisher,
            DoublePointer energy,
            Pointer workspace,
            @Cast("size_t") long workspaceBytes);

    static native int ewc_anchor_restore(
            @Const ewc_exec exec,
            @Const ewc_list anchor,
            @Const ewc_list theta,
            @Const ewc_list fisher,
            DoublePointer energy,
            Pointer workspace,
            @Cast("size_t") long workspaceBytes);

    static native int ewc_anchor_merge(
            @Const ewc_exec exec,
            @Const ewc_list anchor,
            @Const ewc_list theta,
            @Const ewc_list fisher,
            @Const ewc_list newFisher,
            DoublePointer energy,
            Pointer workspace,
            @Cast("size_t") long workspaceBytes);

    static native int ewc_penalty_workspace(@Const ewc_exec exec, @Const ewc_list theta, SizeTPointer bytes);

    static native int ewc_penalty(
            @Const ewc_exec exec,
            @Const ewc_list theta,
            @Const ewc_list anchor,
            @Const ewc_list fisher,
            @Const ewc_list gradient,
            @Const DoublePointer lambda,
            @Const DoublePointer segmentLambda,
            DoublePointer penalty,
            Pointer workspace,
            @Cast("size_t") long workspaceBytes);

    static native int ewc_norm_workspace(@Const ewc_exec exec, @Const ewc_list gradient, SizeTPointer bytes);

    static native int ewc_norm(
            @Const ewc_exec exec,
            @Const ewc_list gradient,
            @Const ewc_list theta,
            @Const ewc_list anchor,
            @Const ewc_list fisher,
            @Const DoublePointer lambda,
            @Const DoublePointer segmentLambda,
            DoublePointer normSquared,
            Pointer workspace,
            @Cast("size_t") long workspaceBytes);

    static native int ewc_adamw_step_workspace(@Const ewc_exec exec, @Const ewc_list theta, SizeTPointer bytes);

    static native int ewc_adamw_step(
            @Const ewc_exec exec,
            @Const ewc_list theta,
            @Const ewc_list firstMoment,
            @Const ewc_list secondMoment,
            @Const ewc_list gradient,
            @Const ewc_list fisher,
            @Const ewc_list anchor,
            @Const ewc_adamw_options options,
            @Const ewc_adamw_values values,
            @Cast("uint32_t") int flags,
            ewc_adamw_statistics statistics,
            Pointer workspace,
            @Cast("size_t") long workspaceBytes);

    static native int ewc_adamw_prepare(
            @Const ewc_exec exec,
            @Const DoublePointer normSquared,
            double clipNorm,
            @Cast("uint32_t") int flags,
            @Cast("int64_t*") LongPointer skipped,
            ewc_adamw_values values);

    static native int ewc_cross_entropy_workspace(@Const ewc_exec exec, @Cast("int64_t") long rows, SizeTPointer bytes);

    static native int ewc_cross_entropy(
            @Const ewc_exec exec,
            Pointer logits,
            @Cast("ewc_dtype") int dtype,
            @Cast("int64_t") long rows,
            @Cast("int64_t") long columns,
            @Cast("const int64_t*") LongPointer targets,
            @Const DoublePointer scale,
            @Cast("uint32_t") int flags,
            DoublePointer loss,
            Pointer workspace,
            @Cast("size_t") long workspaceBytes);

    static native int ewc_linear(
            @Const ewc_exec exec,
            @Cast("const float*") long x,
            @Cast("const float*") long weight,
            @Cast("int64_t") long rows,
            @Cast("int64_t") long out,
            @Cast("int64_t") long in,
            @Cast("float*") long y);

    static native int ewc_linear_backward_workspace(
            @Const ewc_exec exec,
            @Cast("int64_t") long rows,
            @Cast("int64_t") long out,
            @Cast("int64_t") long in,
            SizeTPointer bytes);

    static native int ewc_linear_backward(
            @Const ewc_exec exec,
            @Cast("const float*") long gradient,
            @Cast("const float*") long x,
            @Cast("const float*") long weight,
            @Cast("int64_t") long rows,
            @Cast("int64_t") long out,
            @Cast("int64_t") long in,
            @Cast("uint32_t") int flags,
            @Cast("float*") long xGradient,
            @Cast("float*") long weightGradient,
            Pointer workspace,
            @Cast("size_t") long workspaceBytes);
}
