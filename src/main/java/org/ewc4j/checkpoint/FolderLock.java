package org.ewc4j.checkpoint;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.tensor.AtomicFile;
import org.ewc4j.tensor.UninterruptedWork;

/**
 * Keeps a second process, or a second learner of this one, out of an output folder: a lock of the operating system's on the
 * file {@code .lock} in it, which ends with the process however that ends. {@link #close} removes the file, and the folders
 * that were made for it, where nothing else came into them.
 */
public final class FolderLock implements AutoCloseable {
    /** The file's name. */
    public static final String FILE = ".lock";

    /** Folders that this process has locked: closing any channel on a file gives up all locks of the process on it. */
    private static final Set<Path> HELD = new HashSet<>();

    /**
     * Channels on files that another class loader of this process has locked: closed, they would take its lock along. Each
     * is closed by the next who asks for its folder when that lock has ended.
     */
    private static final Map<Path, FileChannel> LEFT_OPEN = new HashMap<>();

    private final Path file;
    private final FileChannel channel;
    private final List<Path> made;
    private boolean closed;

    private FolderLock(Path file, FileChannel channel, List<Path> made) {
        this.file = file;
        this.channel = channel;
        this.made = made;
    }

    /**
     * Locks a folder, which is made where it is not there.
     *
     * @throws InvalidInputException where another process or learner has it
     * @throws org.ewc4j.error.RunFailedException where it cannot be made
     */
    public static FolderLock of(Path folder) {
        return UninterruptedWork.call(() -> {
            List<Path> made = AtomicFile.createFolders(folder);
            try {
                return of(folder, made);
            } catch (IOException e) {
                removeEmpty(made);
                throw new InvalidInputException("output " + folder + " cannot be locked: " + e.getMessage(), e);
            }
        });
    }

    private static FolderLock of(Path folder, List<Path> made) throws IOException {
        Path file = folder.toRealPath().resolve(FILE);
        synchronized (HELD) {
            if (HELD.contains(file) || isLeftOpen(file)) {
                throw inUse(folder, "another learner of this process");
            }
            FileChannel channel = locked(folder, file);
            HELD.add(file);
            return new FolderLock(file, channel, made);
        }
    }

    /** Whether another class loader has it still. */
    private static boolean isLeftOpen(Path file) throws IOException {
        FileChannel left = LEFT_OPEN.get(file);
        if (left == null) {
            return false;
        }
        try {
            left.tryLock();
        } catch (OverlappingFileLockException e) {
            return true;
        }
        LEFT_OPEN.remove(file);
        left.close();
        return false;
    }

    /**
     * That nobody has locked a folder; where it does not exist, nobody has.
     *
     * @throws InvalidInputException where somebody has
     */
    public static void requireFree(Path folder) {
        if (Files.isRegularFile(folder.resolve(FILE))) {
            of(folder).close();
        }
    }

    /** Whoever had it removed the file, maybe between our opening and locking: then the one now in its place is tried. */
    private static FileChannel locked(Path folder, Path file) throws IOException {
        while (true) {
            FileChannel channel = null;
            try {
                touch(file);
                Object before = fileKey(file);
                channel = FileChannel.open(file, StandardOpenOption.WRITE);
                FileLock lock = channel.tryLock();
                if (lock == null) {
                    throw inUse(folder, "another process");
                }
                Object after = fileKey(file);
                if (after != null && after.equals(before)) {
                    FileChannel taken = channel;
                    channel = null;
                    return taken;
                }
            } catch (OverlappingFileLockException e) {
                LEFT_OPEN.put(file, channel);
                channel = null;
                throw inUse(folder, "another learner of this process");
            } catch (NoSuchFileException e) {
                // Removed between two of our calls; try again, unless the folder is gone as well.
                if (!Files.isDirectory(file.getParent())) {
                    throw e;
                }
            } finally {
                if (channel != null) {
                    channel.close();
                }
            }
        }
    }

    private static void touch(Path file) throws IOException {
        try {
            Files.createFile(file);
        } catch (FileAlreadyExistsException e) {
            // As good.
        }
    }

    private static Object fileKey(Path file) throws IOException {
        try {
            return Files.readAttributes(file, BasicFileAttributes.class).fileKey();
        } catch (NoSuchFileException e) {
            return null;
        }
    }

    private static InvalidInputException inUse(Path folder, String who) {
        return new InvalidInputException("output " + folder + " is in use by " + who
                + ", which is still running; wait for it to end, or give another folder by --output");
    }

    /** Gives the folder back. Does nothing the second time. */
    @Override
    public void close() {
        UninterruptedWork.run(() -> {
            synchronized (HELD) {
                if (closed) {
                    return;
                }
                closed = true;
                try (channel) {
                    Files.deleteIfExists(file);
                } catch (IOException e) {
                    // A lock file without a lock keeps nobody out.
                } finally {
                    HELD.remove(file);
                }
                removeEmpty(made);
            }
        });
    }

    private static void removeEmpty(List<Path> folders) {
        try {
            for (int i = folders.size() - 1; i >= 0; i--) {
                Files.delete(folders.get(i));
            }
        } catch (IOException e) {
            // Something is in it, as after every run that began.
        }
    }
}
