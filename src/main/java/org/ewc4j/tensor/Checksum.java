package org.ewc4j.tensor;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.zip.CRC32C;
import org.ewc4j.error.InvalidInputException;

/**
 * Length and CRC-32C of a file: tells a whole one from one that was cut, changed or damaged, at the speed of memory. No
 * protection against someone who wants to deceive.
 *
 * @param bytes length
 * @param crc32c 8 hexadecimal digits in lower case
 */
public record Checksum(long bytes, String crc32c) {
    private static final int WINDOW_BYTES = 1 << 20;

    /**
     * Of a file's bytes.
     *
     * @throws InvalidInputException where it cannot be read
     */
    public static Checksum of(Path file) {
        return of(file, Long.MAX_VALUE);
    }

    /**
     * Of a file's first bytes, or of all where it has no more.
     *
     * @throws InvalidInputException where it cannot be read
     */
    public static Checksum of(Path file, long most) {
        return UninterruptedWork.call(() -> {
            CRC32C crc = new CRC32C();
            long read = 0;
            try (FileChannel channel = FileChannel.open(file)) {
                // One more than a small file has, so that its end is seen.
                ByteBuffer window = ByteBuffer.allocateDirect((int) Math.min(WINDOW_BYTES, channel.size() + 1));
                while (read < most) {
                    window.clear().limit((int) Math.min(window.capacity(), most - read));
                    int count = channel.read(window);
                    if (count < 0) {
                        break;
                    }
                    crc.update(window.flip());
                    read += count;
                }
            } catch (IOException e) {
                throw new InvalidInputException(file + ": cannot be read: " + e.getMessage(), e);
            }
            return of(read, crc);
        });
    }

    /** Of bytes in memory. */
    public static Checksum of(byte[] bytes) {
        CRC32C crc = new CRC32C();
        crc.update(bytes);
        return of(bytes.length, crc);
    }

    /** Of {@code bytes} bytes that a CRC was taken of. */
    public static Checksum of(long bytes, CRC32C crc) {
        return new Checksum(bytes, HexFormat.of().toHexDigits((int) crc.getValue()));
    }
}
