package org.ewc4j.kernel;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.bytedeco.javacpp.Loader;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps processes that start at once out of each other's way in the folder into which JavaCPP unpacks native libraries.
 *
 * <p>JavaCPP locks each file while it unpacks that one, but not what the dynamic linker reads: a library that is whole may be
 * mapped together with one beside it that another process has unpacked by half, which ends the process by SIGBUS
 * (bytedeco/javacpp issue 608). So unpacking and loading are one turn here, under a lock of the operating system's, which
 * ends with the process however that ends.
 */
public final class LibraryCache {
    private static final Logger LOG = LoggerFactory.getLogger(LibraryCache.class);
    private static final String FILE = ".ewc4j-lock";
    private static final int PAUSE_MS = 20;
    private static final int PATIENCE_MS = 10_000;

    private LibraryCache() {}

    /**
     * Runs what loads native libraries while no other process does through this method. Where the folder cannot be written it
     * is run all the same: nobody unpacks there either. An interrupt does not end the wait; the thread stays interrupted.
     */
    public static void alone(Runnable load) {
        try (FileChannel channel = open()) {
            if (channel != null) {
                await(channel); // given back as the channel is closed
            }
            load.run();
        } catch (IOException e) {
            // By closing a channel to which nothing was written.
            LOG.debug("the library cache's lock could not be closed: {}", e.getMessage());
        }
    }

    private static FileChannel open() {
        try {
            Path file = Loader.getCacheDir().toPath().resolve(FILE);
            return FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        } catch (IOException e) {
            LOG.debug("the library cache cannot be locked: {}", e.toString());
            return null;
        }
    }

    private static void await(FileChannel channel) {
        boolean interrupted = false;
        for (long waited = 0; !locked(channel); waited += PAUSE_MS) {
            if (waited == PATIENCE_MS) {
                LOG.warn("waiting for another process that unpacks or loads libtorch in the same folder");
            }
            try {
                Thread.sleep(PAUSE_MS);
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** True too where the file system knows no locks. */
    private static boolean locked(FileChannel channel) {
        try {
            FileLock lock = channel.tryLock();
            return lock != null;
        } catch (OverlappingFileLockException e) {
            return false; // another class loader of this process has it
        } catch (IOException e) {
            LOG.debug("the library cache cannot be locked: {}", e.toString());
            return true;
        }
    }
}
