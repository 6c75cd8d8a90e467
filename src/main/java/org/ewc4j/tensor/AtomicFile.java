package org.ewc4j.tensor;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import org.ewc4j.error.RunFailedException;

/**
 * Writes a file beside its place, forces it to the disk, renames it and forces the folder: whoever looks finds the old file
 * or the new one, never a half, after a power failure too. The temporary file is removed when writing fails. An interrupt
 * of the calling thread does not break it. Makes the folders for it as lastingly.
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

    /**
     * Makes a folder, and those above it that are missing, so that each is there after a power failure too.
     *
     * @return those made, the outermost first
     * @throws RunFailedException naming the folder, where it cannot be made
     */
    public static List<Path> createFolders(Path folder) {
        Deque<Path> missing = new ArrayDeque<>();
        for (Path at = folder.toAbsolutePath(); at != null && !Files.isDirectory(at); at = at.getParent()) {
            missing.push(at);
        }
        return UninterruptedWork.call(() -> {
            try {
                for (Path each : missing) {
                    Files.createDirectories(each);
                    forceEntries(each.getParent());
                }
                return List.copyOf(missing);
            } catch (IOException e) {
                throw new RunFailedException(folder + ": cannot be made: " + reason(e), e);
            }
        });
    }

    /** A folder above ours may be one that we may write to and not read; then the system alone decides when it is on the disk. */
    private static void forceEntries(Path folder) throws IOException {
        try {
            forceFolder(folder);
        } catch (AccessDeniedException e) {
            // The run itself is not hindered.
        }
    }

    /** Makes renames, additions and removals in a folder survive a power failure. */
    public static void forceFolder(Path folder) throws IOException {
        try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
            channel.force(true);
        }
    }

    /** One line that names the file, and why. */
    public static RunFailedException cannotWrite(Path target, IOException e) {
        return new RunFailedException(target + ": cannot be written: " + reason(e), e);
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
