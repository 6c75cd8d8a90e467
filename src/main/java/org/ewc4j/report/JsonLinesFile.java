package org.ewc4j.report;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.ewc4j.error.RunFailedException;
import org.ewc4j.tensor.AtomicFile;

/**
 * A file of one JSON object per line that grows during a run. Rows go in blocks to a hidden partial file beside it;
 * {@link #publish} copies that to a fresh file and renames it into place, so the visible file never ends in half a row,
 * whenever the process dies. Not for use by several threads.
 */
final class JsonLinesFile implements AutoCloseable {
    private static final int BLOCK_BYTES = 1 << 16;

    private final Path target;
    private final Path partial;
    private final FileChannel channel;
    private final ByteArrayOutputStream block = new ByteArrayOutputStream();
    private boolean changed = true;
    private boolean closed;

    /** Opens the partial file of {@code target}, whose folder must exist; the target appears when published. */
    JsonLinesFile(Path target) {
        this.target = target;
        this.partial = target.resolveSibling("." + target.getFileName() + ".partial");
        try {
            this.channel = FileChannel.open(
                    partial,
                    StandardOpenOption.CREATE,
                    StandardOpenOption.TRUNCATE_EXISTING,
                    StandardOpenOption.READ,
                    StandardOpenOption.WRITE);
        } catch (IOException e) {
            throw cannotWrite(e);
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
            long size = channel.size();
            for (long done = 0; done < size; ) {
                done += channel.transferTo(done, size - done, out);
            }
        });
        changed = false;
    }

    private void flush() {
        try {
            ByteBuffer bytes = ByteBuffer.wrap(block.toByteArray());
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
            block.reset();
        } catch (IOException e) {
            throw cannotWrite(e);
        }
    }

    private RunFailedException cannotWrite(IOException e) {
        String reason = e instanceof FileSystemException fs && fs.getReason() != null ? fs.getReason() : e.getMessage();
        return new RunFailedException(target + ": cannot be written: " + reason, e);
    }

    /** Publishes what was not yet and removes the partial file. Does nothing the second time. */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        try (channel) {
            publish();
        } catch (IOException e) {
            throw cannotWrite(e);
        } finally {
            deletePartial();
        }
    }

    private void deletePartial() {
        try {
            Files.deleteIfExists(partial);
        } catch (IOException e) {
            // It is hidden and known as ours: the next run with overwrite removes it.
        }
    }
}
