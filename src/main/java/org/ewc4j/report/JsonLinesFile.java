package org.ewc4j.report;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.zip.CRC32C;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.tensor.AtomicFile;
import org.ewc4j.tensor.Checksum;
import org.ewc4j.tensor.UninterruptedWork;

/**
 * A file of one JSON object per line that grows during a run. Rows go in blocks to a hidden partial file beside it;
 * {@link #publish} copies that to a fresh file and renames it into place, {@link #close} renames the partial file itself, so the
 * visible file never ends in half a row, whenever the process dies. Not for use by several threads.
 */
final class JsonLinesFile implements AutoCloseable {
    private static final int BLOCK_BYTES = 1 << 16;

    private final Path target;
    private final Path partial;
    private final FileChannel channel;
    private final ByteArrayOutputStream block = new ByteArrayOutputStream();
    private final CRC32C crc = new CRC32C(); // of what is in the channel
    private long written;
    private boolean changed = true;
    private boolean closed;

    /** Opens the partial file of {@code target}, whose folder must exist; the target appears when published. */
    JsonLinesFile(Path target) {
        this(target, new Checksum(0, ""));
    }

    /**
     * Goes on behind the rows that were there at a {@link #mark}; later ones are dropped.
     *
     * @throws InvalidInputException where they are not there any more
     */
    JsonLinesFile(Path target, Checksum mark) {
        this.target = target;
        this.partial = partial(target);
        Path source = mark.bytes() == 0 ? partial : requireRows(target, mark);
        try {
            this.channel = UninterruptedWork.call(() -> openBehind(source, mark));
        } catch (UncheckedIOException e) {
            throw AtomicFile.cannotWrite(target, e.getCause());
        }
    }

    private static Path partial(Path target) {
        return target.resolveSibling("." + target.getFileName() + ".partial");
    }

    /**
     * The file that begins with the rows that were there at a {@link #mark}: the partial one, or after a run that was closed
     * in order the visible one.
     *
     * @throws InvalidInputException where neither does
     */
    static Path requireRows(Path target, Checksum mark) {
        for (Path file : List.of(partial(target), target)) {
            if (mark.bytes() == 0
                    || Files.isRegularFile(file)
                            && Checksum.of(file, mark.bytes()).equals(mark)) {
                return file;
            }
        }
        throw new InvalidInputException(target + ": does not begin with the " + mark.bytes()
                + " bytes of rows that were written when it was saved");
    }

    /** Removes the partial file of a run that was killed when it had published all. */
    static void removePartial(Path target) {
        try {
            Files.deleteIfExists(partial(target));
        } catch (IOException e) {
            throw AtomicFile.cannotWrite(target, e);
        }
    }

    private FileChannel openBehind(Path source, Checksum mark) {
        try {
            if (!source.equals(partial)) {
                Files.copy(source, partial, StandardCopyOption.REPLACE_EXISTING);
            }
            FileChannel open = FileChannel.open(
                    partial, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
            open.truncate(mark.bytes());
            ByteBuffer window = ByteBuffer.allocate(BLOCK_BYTES);
            while (open.read(window) >= 0) {
                crc.update(window.flip());
                window.clear();
            }
            written = mark.bytes();
            return open;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** What was appended so far, to go on behind; it survives the process when {@link #force} was called. */
    Checksum mark() {
        flush();
        return Checksum.of(written, crc);
    }

    /** Forces to the disk what was there at the last {@link #mark}; may be called from another thread. */
    void force() {
        try {
            channel.force(false);
        } catch (IOException e) {
            throw AtomicFile.cannotWrite(target, e);
        }
    }

    void append(ObjectNode row) {
        try {
            // By way of a string: unlike the UTF-8 generator it takes an unpaired surrogate, which a question may hold.
            block.writeBytes(RunJson.MAPPER.writeValueAsString(row).getBytes(StandardCharsets.UTF_8));
            block.write('\n');
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a row of " + target + " is not JSON", e);
        }
        changed = true;
        if (block.size() >= BLOCK_BYTES) {
            flush();
        }
    }

    /** Makes every row appended so far visible in the target. */
    void publish() {
        if (!changed) {
            return;
        }
        flush();
        AtomicFile.write(target, out -> {
            for (long done = 0; done < written; ) {
                done += channel.transferTo(done, written - done, out);
            }
        });
        changed = false;
    }

    private void flush() {
        if (block.size() == 0) {
            return;
        }
        byte[] rows = block.toByteArray();
        UninterruptedWork.run(() -> {
            try {
                // By position: a write that failed half way is written over by the next.
                ByteBuffer bytes = ByteBuffer.wrap(rows);
                while (bytes.hasRemaining()) {
                    channel.write(bytes, written + bytes.position());
                }
            } catch (IOException e) {
                throw AtomicFile.cannotWrite(target, e);
            }
        });
        crc.update(rows);
        written += rows.length;
        block.reset();
    }

    /**
     * Makes the partial file the target, with every row that could be written: also on a full disk, as that takes no room. Does
     * nothing the second time.
     */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        try {
            flush();
        } finally {
            UninterruptedWork.run(this::becomeTarget);
        }
    }

    private void becomeTarget() {
        try (channel) {
            channel.truncate(written); // a row that was written half
            channel.force(false);
            Files.move(partial, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            throw AtomicFile.cannotWrite(target, e);
        }
    }
}
