package org.ewc4j.tensor;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.tensor.ParameterLayout.Parameter;
import org.ewc4j.tensor.SafetensorsFile.Entry;

/**
 * Brings stored weights (fp32, fp16, bf16) into an arena: into an fp32 arena on the CPU straight from the file's pages, so that
 * they are never held twice, elsewhere by way of a window of 16 MB.
 *
 * <p>Read into place and not mapped: the windows of a map stay in the process until a garbage collection, which would hold
 * the weights twice after all, and a mapped file that another process shortens ends the JVM, where a read ends in an error.
 */
public final class WeightReader {
    private static final int WINDOW_ELEMENTS = 4 << 20;

    private WeightReader() {}

    /** Copies one stored tensor over a parameter of the same number of elements. */
    public static void read(SafetensorsFile file, Entry entry, Arena arena, Parameter parameter) {
        if (!entry.type().isWeight()) {
            throw new InvalidInputException(file.path() + ": tensor '" + entry.name() + "' has dtype " + entry.type()
                    + "; weights are read as F32, F16 or BF16");
        }
        try (PointerScope scope = new PointerScope();
                NoGradGuard guard = new NoGradGuard()) {
            Tensor flat = arena.view(parameter).view(parameter.elements());
            BytePointer staging = entry.type() == StoredType.F32 && arena.isHostFloat()
                    ? null
                    : new BytePointer(Math.min(WINDOW_ELEMENTS, parameter.elements())
                            * entry.type().bytes());
            for (long from = 0; from < parameter.elements(); from += WINDOW_ELEMENTS) {
                long count = Math.min(WINDOW_ELEMENTS, parameter.elements() - from);
                if (staging == null) {
                    file.read(entry, from, memory(arena.address(parameter) + from * Float.BYTES, count * Float.BYTES));
                } else {
                    convert(file, entry, from, staging, flat.narrow(0, from, count));
                }
            }
        }
    }

    private static void convert(SafetensorsFile file, Entry entry, long from, BytePointer staging, Tensor target) {
        long count = target.numel();
        try (PointerScope scope = new PointerScope()) {
            file.read(
                    entry, from, memory(staging.address(), count * entry.type().bytes()));
            Tensor stored = torch.from_blob(
                    staging, new long[] {count}, new TensorOptions(entry.type().scalarType()));
            target.copy_(stored);
        }
    }

    /** Whether a stored tensor equals a parameter, value for value in fp32. */
    public static boolean equal(SafetensorsFile file, Entry entry, Arena arena, Parameter parameter) {
        try (PointerScope scope = new PointerScope();
                NoGradGuard guard = new NoGradGuard();
                Arena copy =
                        new Arena(ParameterLayout.of(java.util.Map.of(parameter.name(), parameter.shapeArray())))) {
            Parameter target = copy.layout().get(parameter.name());
            read(file, entry, copy, target);
            return torch.equal(copy.view(target), arena.view(parameter).cpu()); // of one device, or libtorch refuses
        }
    }

    /** Memory at an address as a little-endian buffer of at most 2 GiB; it does not own the memory. */
    static ByteBuffer memory(long firstByte, long bytes) {
        Pointer at = new Pointer() {
            {
                this.address = firstByte;
            }
        };
        return new BytePointer(at).capacity(bytes).asByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
    }
}
