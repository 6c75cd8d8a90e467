package org.ewc4j.tensor;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import org.ewc4j.error.RunFailedException;

/**
 * Writes a file beside its place, forces it to the disk and renames it: whoever looks finds the old file or the new one,
 * never a half. The temporary file is removed when writing fails.
 */
public final class AtomicFile {
    /** What writes the content. */
    @FunctionalInterface
    public interface Content {
        void writeTo(FileChannel channel) throws IOException;
    }

    private AtomicFile() {}

    /**
     * Writes {@code target}, whose folder must exist.
     *
     * @throws RunFailedException naming the file, where it cannot be written (a full disk among the reasons)
     */
    public static void write(Path target, Content content) {
        Path beside = target.resolveSibling("." + target.getFileName() + ".tmp");
        try {
            try (FileChannel channel = FileChannel.open(
                    beside,
                    StandardOpenOption.CREATE,
                    StandardOpenOption.TRUNCATE_EXISTING,
                    StandardOpenOption.WRITE)) {
                content.writeTo(channel);
                channel.force(true);
            }
            Files.move(beside, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            deleteQuietly(beside);
            throw new RunFailedException(target + ": cannot be written: " + reason(e), e);
        } catch (RuntimeException e) {
            deleteQuietly(beside);
            throw e;
        }
    }

    /** Writes {@code target} with these bytes; otherwise as {@link #write(Path, Content)}. */
    public static void write(Path target, byte[] bytes) {
        write(target, channel -> {
            // A disk that fills up takes a part without an error; the next write tells.
            ByteBuffer rest = ByteBuffer.wrap(bytes);
            while (rest.hasRemaining()) {
                channel.write(rest);
            }
        });
    }

    private static String reason(IOException e) {
        return e instanceof FileSystemException fs && fs.getReason() != null ? fs.getReason() : e.getMessage();
    }

    private static void deleteQuietly(Path path) {
        try {
            Files.deleteIfExists(path);
        } catch (IOException e) {
            // The failure that brought us here is the one to report.
        }
    }
}
