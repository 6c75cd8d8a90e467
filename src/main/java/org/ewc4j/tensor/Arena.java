package org.ewc4j.tensor;

import static org.ewc4j.tensor.Torch.keep;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Locale;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.ewc4j.error.RunFailedException;
import org.ewc4j.jfr.FlightEvents;
import org.ewc4j.kernel.ElementType;
import org.ewc4j.kernel.TensorList;
import org.ewc4j.tensor.ParameterLayout.Parameter;

/**
 * One flat tensor that holds a value per parameter element: θ, a moment, F or θ*; in fp32 on the CPU, or in another type
 * or elsewhere ({@link ArenaPlace}).
 *
 * <p>The memory is a libtorch tensor; the native kernels see it as {@link #list()}, one segment per parameter. An arena
 * of a type with steps is bytes to libtorch and has no views. Owned by whoever made it and closed by them.
 * Not safe for use by two threads at once. What reads or writes pinned memory on the CPU waits for the kernels first.
 */
public final class Arena implements AutoCloseable {
    /** Elements that share a step where {@link ElementType#hasSteps}. */
    private static final int BLOCK = 256;

    /** Elements of which a copy is made at a time: what a cache holds. */
    private static final long COPIED_ELEMENTS = 1 << 16;

    /** The same on a device, which is waited for each time. */
    private static final long COPIED_ON_DEVICE = 1 << 23;

    private final ParameterLayout layout;
    private final ElementType type;
    private final ArenaPlace place;
    private final Tensor flat;
    private final TensorList list;
    private boolean closed;

    /** An fp32 arena of zeros on the CPU; see {@link #Arena(ParameterLayout, ElementType, Device)}. */
    public Arena(ParameterLayout layout) {
        this(layout, ElementType.F32, Device.CPU);
    }

    /** An arena of zeros in a device's memory; see {@link #Arena(ParameterLayout, ElementType, ArenaPlace)}. */
    public Arena(ParameterLayout layout, ElementType type, Device device) {
        this(layout, type, new ArenaPlace.OnDevice(device));
    }

    /**
     * An arena of zeros.
     *
     * @throws RunFailedException where there is not that much memory, or room on the disk, or the place cannot be used
     */
    public Arena(ParameterLayout layout, ElementType type, ArenaPlace place) {
        this.layout = layout;
        this.type = type;
        this.place = place;
        long[] offsets = new long[layout.parameters().size()];
        long[] counts = new long[offsets.length];
        long bytes = 0;
        for (int i = 0; i < offsets.length; i++) {
            Parameter parameter = layout.parameters().get(i);
            counts[i] = parameter.elements();
            offsets[i] = type.hasSteps() ? bytes : parameter.offset() * type.bytes();
            bytes = offsets[i] + aligned(type.bytes(counts[i]));
        }
        this.flat = zeros(type.hasSteps() ? bytes : layout.arenaElements(), bytes);
        long base = flat.data_ptr().address();
        for (int i = 0; i < offsets.length; i++) {
            offsets[i] += base;
        }
        this.list = TensorList.of(type, offsets, counts);
        FlightEvents.nativeAllocation("arena " + type, name(), bytes);
    }

    /** @param bytes for the message */
    private Tensor zeros(long elements, long bytes) {
        if (place instanceof ArenaPlace.Mapped mapped) {
            return MappedMemory.zeros(mapped.folder(), elements, scalarType(type));
        }
        try (PointerScope scope = new PointerScope()) {
            TensorOptions options = device().options(scalarType(type));
            if (place instanceof ArenaPlace.Pinned) {
                options = options.pinned_memory(new BoolOptional(true));
            }
            return keep(torch.zeros(new long[] {elements}, options));
        } catch (RuntimeException e) {
            if (!OutOfMemory.isMeantBy(e)) {
                throw new RunFailedException(
                        name() + " cannot be used: "
                                + e.getMessage().lines().findFirst().orElse(""),
                        e);
            }
            throw new RunFailedException(
                    String.format(
                            Locale.ROOT,
                            "there is no memory for %,d MB more on %s (%,d parameters of %d bytes)",
                            bytes / 1_000_000,
                            name(),
                            layout.elements(),
                            type.bytes()),
                    e);
        }
    }

    private String name() {
        if (place instanceof ArenaPlace.Pinned pinned) {
            return "pinned memory of " + pinned.device();
        }
        return place instanceof ArenaPlace.Mapped ? "a map" : device().toString();
    }

    /** Segments begin at multiples of 64 bytes. */
    private static long aligned(long bytes) {
        return (bytes + 63) / 64 * 64;
    }

    private static ScalarType scalarType(ElementType type) {
        return switch (type) {
            case F32 -> ScalarType.Float;
            case F16 -> ScalarType.Half;
            case BF16 -> ScalarType.BFloat16;
            case I16_BLOCK256, U8_BLOCK256 -> ScalarType.Byte;
        };
    }

    public ParameterLayout layout() {
        return layout;
    }

    public ElementType type() {
        return type;
    }

    /** In whose memory the bytes lie: the CPU's for pinned memory and maps. */
    public Device device() {
        return place instanceof ArenaPlace.OnDevice on ? on.device() : Device.CPU;
    }

    public ArenaPlace place() {
        return place;
    }

    /** Bytes that the arena takes, the gaps between parameters included. */
    public long bytes() {
        requireOpen();
        return flat.nbytes();
    }

    /** The segments, in layout order, as the kernels take them. Valid until close. */
    public TensorList list() {
        requireOpen();
        return list;
    }

    /** A view of one parameter in its own shape; shares the memory. The caller's pointer scope frees the wrapper. */
    public Tensor view(Parameter parameter) {
        requireTensors();
        return flat.narrow(0, parameter.offset(), parameter.elements()).view(parameter.shapeArray());
    }

    /** Address of a parameter's segment, as the kernels take it; on the device where the arena lies there. */
    public long segment(Parameter parameter) {
        requireTensors();
        return flat.data_ptr().address() + parameter.offset() * type.bytes();
    }

    /**
     * Address of the first byte of a parameter, for whoever writes it in place.
     *
     * @throws IllegalStateException unless the arena is fp32 on the CPU
     */
    long address(Parameter parameter) {
        requireSettled();
        if (!isHostFloat()) {
            throw new IllegalStateException("an arena of " + type + " on " + device() + " is not written in place");
        }
        return flat.data_ptr().address() + parameter.offset() * Float.BYTES;
    }

    /**
     * Address of the first byte of a parameter's segment, whatever the type.
     *
     * @throws IllegalStateException unless the arena is on the CPU
     */
    long hostAddress(Parameter parameter) {
        requireSettled();
        if (device().isCuda()) {
            throw new IllegalStateException("an arena on " + device() + " has no address on the host");
        }
        return list.address(layout.parameters().indexOf(parameter));
    }

    /** Whether this is plain fp32 in the memory of the machine. */
    boolean isHostFloat() {
        return type == ElementType.F32 && !device().isCuda();
    }

    /** Copies every element of another arena of the same layout, of whatever float type and on whatever device. */
    public void copyFrom(Arena other) {
        requireTensors();
        other.requireTensors();
        if (other.layout != layout) {
            throw new IllegalArgumentException("the arenas have different layouts");
        }
        try (PointerScope scope = new PointerScope();
                NoGradGuard guard = new NoGradGuard()) {
            flat.copy_(other.flat);
        }
    }

    /** Copies the very bits of another arena of the same layout and type, on whatever device. */
    public void copyBits(Arena other) {
        requireSettled();
        other.requireSettled();
        if (other.layout != layout || other.type != type) {
            throw new IllegalArgumentException("the arenas have different layouts or types");
        }
        try (PointerScope scope = new PointerScope();
                NoGradGuard guard = new NoGradGuard()) {
            flat.copy_(other.flat);
        }
    }

    /**
     * A copy on the CPU, bit for bit. Whoever asks for it closes it.
     *
     * @throws RunFailedException where there is not that much memory
     */
    public Arena hostCopy() {
        Arena copy = new Arena(layout, type, Device.CPU);
        try {
            copy.copyBits(this);
            return copy;
        } catch (RuntimeException e) {
            copy.close();
            throw e;
        }
    }

    /**
     * A copy of the bits, of the same layout and type, in the same kind of place. Whoever calls closes it.
     *
     * @throws RunFailedException where there is not that much memory
     */
    public Arena copy() {
        requireOpen();
        Arena made = new Arena(layout, type, place);
        made.copyBits(this);
        return made;
    }

    /**
     * Elements of one parameter as fp32 on the arena's device: a view where the arena is fp32, otherwise a copy. The
     * caller's pointer scope frees it.
     *
     * @param from first element, a multiple of 256
     * @param count how many
     */
    Tensor floats(Parameter parameter, long from, long count) {
        requireSettled();
        if (!type.hasSteps()) {
            return view(parameter)
                    .view(parameter.elements())
                    .narrow(0, from, count)
                    .to(ScalarType.Float);
        }
        // ewc.h has the layout: n levels, then from a multiple of 4 bytes on a step for each 256.
        long segment = list.address(layout.parameters().indexOf(parameter))
                - flat.data_ptr().address();
        long bytes = type.bytes();
        long steps = segment + (bytes * parameter.elements() + 3) / 4 * 4;
        long blocks = (count + BLOCK - 1) / BLOCK;
        Tensor levels = flat.narrow(0, segment + bytes * from, bytes * count);
        Tensor level = type == ElementType.U8_BLOCK256
                ? levels.to(ScalarType.Float).square()
                : levels.view(ScalarType.Short).to(ScalarType.Float);
        Tensor step = flat.narrow(0, steps + from / BLOCK * Float.BYTES, blocks * Float.BYTES)
                .view(ScalarType.Float);
        return level.mul(step.repeat_interleave(BLOCK).narrow(0, 0, count));
    }

    /** Sets every element. */
    public void fill(double value) {
        requireTensors();
        try (PointerScope scope = new PointerScope();
                NoGradGuard guard = new NoGradGuard()) {
            flat.fill_(new Scalar(value));
        }
    }

    /** Adds a number to every element of one parameter. */
    public void add(Parameter parameter, double value) {
        requireTensors();
        try (PointerScope scope = new PointerScope();
                NoGradGuard guard = new NoGradGuard()) {
            view(parameter).add_(new Scalar(value));
        }
    }

    /** Element i of a parameter becomes what element {@code order[i]} was. */
    public void reorder(Parameter parameter, long[] order) {
        requireTensors();
        try (PointerScope scope = new PointerScope();
                NoGradGuard guard = new NoGradGuard()) {
            Tensor elements = view(parameter).view(parameter.elements());
            elements.copy_(elements.index_select(0, device().longs(order)));
        }
    }

    /** The smallest element, 0 if there is none below it; NaN where an element is. */
    public double smallest() {
        requireTensors();
        try (PointerScope scope = new PointerScope();
                NoGradGuard guard = new NoGradGuard()) {
            return flat.min().item_float();
        }
    }

    /** Sets every element above a number to it; NaN stays. */
    public void clampTo(double largest) {
        requireTensors();
        try (PointerScope scope = new PointerScope();
                NoGradGuard guard = new NoGradGuard()) {
            flat.clamp_max_(new Scalar(largest));
        }
    }

    /** The sum over all parameters, without the gaps; added in double, so that what a small part has added to it shows. */
    public double sum() {
        requireTensors();
        long copied = device().isCuda() ? COPIED_ON_DEVICE : COPIED_ELEMENTS;
        double sum = 0;
        for (Parameter parameter : layout.parameters()) {
            for (long from = 0; from < parameter.elements(); from += copied) {
                long count = Math.min(copied, parameter.elements() - from);
                try (PointerScope scope = new PointerScope();
                        NoGradGuard guard = new NoGradGuard()) {
                    sum += flat.narrow(0, parameter.offset() + from, count)
                            .to(ScalarType.Double)
                            .sum()
                            .item_double();
                }
            }
        }
        return sum;
    }

    /** SHA-256 of the values, parameter by parameter in layout order, in lower-case hexadecimal; some seconds for billions. */
    public String fingerprint() {
        return fingerprint(scalarType(type), type.bytes());
    }

    /** As {@link #fingerprint()}, of the values as they would be saved in a type of weights. */
    public String fingerprint(StoredType saved) {
        return fingerprint(saved.scalarType(), saved.bytes());
    }

    private String fingerprint(ScalarType as, int bytes) {
        requireTensors();
        MessageDigest digest;
        try {
            digest = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
        for (Parameter parameter : layout.parameters()) {
            for (long from = 0; from < parameter.elements(); from += COPIED_ELEMENTS) {
                long count = Math.min(COPIED_ELEMENTS, parameter.elements() - from);
                try (PointerScope scope = new PointerScope()) {
                    Tensor part = flat.narrow(0, parameter.offset() + from, count)
                            .to(as)
                            .cpu();
                    digest.update(new BytePointer(part.data_ptr())
                            .capacity(count * bytes)
                            .asByteBuffer());
                }
            }
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    private void requireTensors() {
        requireSettled();
        if (type.hasSteps()) {
            throw new IllegalStateException("an arena of levels is converted by the kernels, not by libtorch");
        }
    }

    /** As {@link #requireOpen}, when what kernels do with pinned memory is done: libtorch does not know of it. */
    private void requireSettled() {
        requireOpen();
        if (place instanceof ArenaPlace.Pinned pinned) {
            Torch.synchronize(pinned.device());
        }
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException("this arena is closed");
        }
    }

    @Override
    public void close() {
        if (!closed) {
            try {
                requireSettled(); // libtorch gives pinned memory to the next who asks, kernels or not
            } finally {
                closed = true;
                list.close();
                Torch.release(flat);
            }
        }
    }
}
