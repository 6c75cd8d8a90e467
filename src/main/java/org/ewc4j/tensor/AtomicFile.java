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
 * Writes a file beside its place, forces it to the disk, renames it and forces the folder: whoever looks finds the old file
 * or the new one, never a half, after a power failure too. The temporary file is removed when writing fails. An interrupt
 * of the calling thread does not break it.
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
        UninterruptedWork.run(() -> writeHere(target, content));
    }

    private static void writeHere(Path target, Content content) {
        Path beside = target.resolveSibling("." + target.getFileName() + ".tmp");
        try {
            try (FileChannel channel = create(beside)) {
                content.writeTo(channel);
                channel.force(true);
            }
            Files.move(beside, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            forceFolder(target.toAbsolutePath().getParent());
        } catch (IOException e) {
            deleteQuietly(beside);
            throw cannotWrite(target, e);
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

    /** A new or emptied file. */
    static FileChannel create(Path file) throws IOException {
        return FileChannel.open(
                file, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE);
    }

    /** Makes renames, additions and removals in a folder survive a power failure. */
    public static void forceFolder(Path folder) throws IOException {
        try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
            channel.force(true);
        }
    }

    /** One line that names the file, and why. */
    public static RunFailedException cannotWrite(Path target, IOException e) {
        String reason = e instanceof FileSystemException fs && fs.getReason() != null ? fs.getReason() : e.getMessage();
        return new RunFailedException(target + ": cannot be written: " + reason, e);
    }

    private static void deleteQuietly(Path path) {
        try {
            Files.deleteIfExists(path);
        } catch (IOException e) {
            // The failure that brought us here is the one to report.
        }
    }
}
