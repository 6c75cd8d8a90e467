package org.ewc4j.tensor;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.zip.CRC32C;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.kernel.ElementType;
import org.ewc4j.tensor.ParameterLayout.Parameter;
import org.ewc4j.tensor.SafetensorsFile.Entry;

/**
 * An arena on disk bit for bit, in whatever type it is kept: a safetensors file with a tensor for each parameter, in layout
 * order; levels with a step for each block ({@link ElementType#I16_BLOCK256}, {@link ElementType#U8_BLOCK256}) as plain bytes
 * (U8), as {@code ewc.h} lays them out.
 */
public final class ArenaFile {
    private static final int CHUNK_BYTES = 16 << 20;

    private ArenaFile() {}

    /**
     * Writes a file and forces it to the disk. Not beside its place and renamed: for a folder that is not visible yet.
     *
     * @param arena on the CPU
     * @return of the file
     * @throws IOException where it cannot be written
     */
    public static Checksum write(Path target, Arena arena) throws IOException {
        CRC32C crc = new CRC32C();
        try (FileChannel channel = AtomicFile.create(target)) {
            byte[] header = header(arena);
            ByteBuffer prefix = ByteBuffer.allocate(Long.BYTES + header.length).order(ByteOrder.LITTLE_ENDIAN);
            long bytes = append(
                    channel, crc, prefix.putLong(header.length).put(header).flip());
            for (Parameter parameter : arena.layout().parameters()) {
                long size = arena.type().bytes(parameter.elements());
                for (long from = 0; from < size; from += CHUNK_BYTES) {
                    long count = Math.min(CHUNK_BYTES, size - from);
                    bytes += append(channel, crc, WeightReader.memory(arena.hostAddress(parameter) + from, count));
                }
            }
            channel.force(true);
            return Checksum.of(bytes, crc);
        }
    }

    private static long append(FileChannel channel, CRC32C crc, ByteBuffer bytes) throws IOException {
        long count = bytes.remaining();
        crc.update(bytes.duplicate());
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
        return count;
    }

    private static StoredType stored(ElementType type) {
        return switch (type) {
            case F32 -> StoredType.F32;
            case F16 -> StoredType.F16;
            case BF16 -> StoredType.BF16;
            case I16_BLOCK256, U8_BLOCK256 -> StoredType.U8;
        };
    }

    /** Extents of a parameter in the file. */
    private static List<Long> shape(Parameter parameter, ElementType type) {
        return stored(type) == StoredType.U8 ? List.of(type.bytes(parameter.elements())) : parameter.shape();
    }

    private static byte[] header(Arena arena) {
        JsonMapper json = new JsonMapper();
        ObjectNode root = json.createObjectNode();
        long position = 0;
        for (Parameter parameter : arena.layout().parameters()) {
            ObjectNode entry = root.putObject(parameter.name());
            entry.put("dtype", stored(arena.type()).name());
            ArrayNode shape = entry.putArray("shape");
            shape(parameter, arena.type()).forEach(shape::add);
            long end = position + arena.type().bytes(parameter.elements());
            entry.putArray("data_offsets").add(position).add(end);
            position = end;
        }
        try {
            String text = json.writeValueAsString(root);
            // The format pads the header with spaces, so that the tensors begin at a multiple of eight bytes.
            int utf8 = text.getBytes(StandardCharsets.UTF_8).length;
            return (text + " ".repeat((8 - utf8 % 8) % 8)).getBytes(StandardCharsets.UTF_8);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    /**
     * Reads a file that {@link #write} wrote of an arena of this layout and type.
     *
     * @param arena wherever it lies
     * @throws InvalidInputException where the file is of another layout or type, or cannot be read
     */
    public static void read(Path file, Arena arena) {
        try (SafetensorsFile stored = SafetensorsFile.open(file)) {
            if (arena.device().isCuda()) {
                try (Arena here = new Arena(arena.layout(), arena.type(), Device.CPU)) {
                    fill(stored, here);
                    arena.copyBits(here);
                }
            } else {
                fill(stored, arena);
            }
        }
    }

    private static void fill(SafetensorsFile stored, Arena arena) {
        List<Parameter> parameters = arena.layout().parameters();
        for (Parameter parameter : parameters) {
            Entry entry = stored.entries().get(parameter.name());
            List<Long> expected = shape(parameter, arena.type());
            if (entry == null
                    || entry.type() != stored(arena.type())
                    || !entry.shape().equals(expected)) {
                throw new InvalidInputException(stored.path() + ": tensor '" + parameter.name() + "': expected "
                        + stored(arena.type()) + " " + expected + ", found "
                        + (entry == null ? "none" : entry.type() + " " + entry.shape()));
            }
            long size = entry.end() - entry.begin();
            for (long from = 0; from < size; from += CHUNK_BYTES) {
                long count = Math.min(CHUNK_BYTES, size - from);
                ByteBuffer place = WeightReader.memory(arena.hostAddress(parameter) + from, count);
                stored.read(entry, from / entry.type().bytes(), place);
            }
        }
        if (stored.entries().size() != parameters.size()) {
            throw new InvalidInputException(
                    stored.path() + ": has " + stored.entries().size() + " tensors, expected " + parameters.size());
        }
    }
}
