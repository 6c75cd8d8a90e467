package org.ewc4j.tensor;

import static org.ewc4j.tensor.Torch.keep;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.ewc4j.error.RunFailedException;

/** Makes tensors whose memory is a file: {@link ArenaPlace.Mapped} says why it is one without a name. */
final class MappedMemory {
    private static final int CHUNK_BYTES = 1 << 20; // the buffer stays until a garbage collection

    private MappedMemory() {}

    /**
     * A tensor of zeros over a new file, on the disk to the last byte: a page that finds no room when the system writes it
     * would end the JVM. The caller releases it ({@link Torch#release}), which frees the file.
     *
     * @throws RunFailedException where the file cannot be written, with a full disk among the reasons, or not be mapped
     */
    static Tensor zeros(Path folder, long elements, ScalarType type) {
        Path file;
        try {
            file = Files.createTempFile(folder, ".ewc4j-", ".map");
        } catch (IOException e) {
            throw failed(folder, "made", e);
        }
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            Tensor mapped = map(file, elements, type);
            try {
                Files.delete(file);
                writeZeros(channel, mapped.nbytes());
                return mapped;
            } catch (IOException | RuntimeException e) {
                Torch.release(mapped);
                throw e;
            }
        } catch (IOException | UncheckedIOException e) {
            deleteQuietly(file);
            throw failed(folder, "written", e);
        } catch (RuntimeException e) {
            deleteQuietly(file);
            throw failed(folder, "mapped", e);
        }
    }

    /** Makes the file as long as the tensor. */
    private static Tensor map(Path file, long elements, ScalarType type) {
        try (PointerScope scope = new PointerScope()) {
            BoolOptional shared = new BoolOptional(true); // what is written reaches the file
            return keep(torch.from_file(file.toString(), shared, new LongOptional(elements), Device.CPU.options(type)));
        }
    }

    /** A file is made long without taking its blocks; writing takes them, and says where there are none. */
    private static void writeZeros(FileChannel channel, long bytes) {
        UninterruptedWork.run(() -> {
            ByteBuffer zeros = ByteBuffer.allocateDirect((int) Math.min(CHUNK_BYTES, bytes));
            try {
                for (long left = bytes; left > 0; ) {
                    zeros.clear().limit((int) Math.min(CHUNK_BYTES, left));
                    left -= channel.write(zeros);
                }
                channel.force(false);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
    }

    private static RunFailedException failed(Path folder, String what, Exception e) {
        Throwable reason = e instanceof UncheckedIOException ? e.getCause() : e;
        String first = String.valueOf(reason.getMessage()).lines().findFirst().orElse("");
        return new RunFailedException("a file to map in " + folder + " cannot be " + what + ": " + first, e);
    }

    private static void deleteQuietly(Path file) {
        try {
            Files.deleteIfExists(file);
        } catch (IOException e) {
            // The failure that brought us here is the one to report.
        }
    }
}
