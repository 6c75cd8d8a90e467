package org.ewc4j.tensor;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.JsonFile;

/**
 * A safetensors file opened for reading: eight bytes of header length (little endian), a JSON header, then the tensors.
 *
 * <p>The whole header is checked before anything is read: its size (at most {@value #MAX_HEADER_BYTES} bytes, the
 * format's own limit), known dtypes, shapes whose product does not overflow, offsets that lie in the file, cover it
 * without gap or overlap and agree with dtype and shape. Every finding is an {@link InvalidInputException} that names
 * the file and the tensor. Format: the safetensors documentation, "Format".
 *
 * <p>Not safe for use by two threads at once; closed by whoever opened it.
 */
public final class SafetensorsFile implements AutoCloseable {
    static final int MAX_HEADER_BYTES = 100_000_000;
    /** The first eight bytes of what Git LFS leaves in place of a file: "version ". */
    private static final long GIT_LFS = 0x206E6F6973726576L;

    private static final int WINDOW_ELEMENTS = 1 << 20;
    private static final ObjectMapper JSON = JsonMapper.builder()
            .enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    /**
     * One tensor of the file.
     *
     * @param begin first byte, from the start of the file
     * @param end one past the last byte
     */
    public record Entry(String name, StoredType type, List<Long> shape, long begin, long end) {
        public long elements() {
            return (end - begin) / type.bytes();
        }
    }

    private final Path path;
    private final FileChannel channel;
    private final Map<String, Entry> entries;

    private SafetensorsFile(Path path, FileChannel channel, Map<String, Entry> entries) {
        this.path = path;
        this.channel = channel;
        this.entries = entries;
    }

    /** Opens and checks a file. */
    public static SafetensorsFile open(Path path) {
        FileChannel channel = null;
        try {
            if (!Files.isRegularFile(path)) {
                throw new InvalidInputException(path + ": no such file");
            }
            channel = FileChannel.open(path, StandardOpenOption.READ);
            SafetensorsFile file = new SafetensorsFile(path, channel, readHeader(path, channel));
            channel = null;
            return file;
        } catch (NoSuchFileException e) {
            throw new InvalidInputException(path + ": no such file", e);
        } catch (IOException e) {
            throw new InvalidInputException(path + ": cannot be read: " + e.getMessage(), e);
        } finally {
            closeQuietly(channel);
        }
    }

    private static void closeQuietly(FileChannel channel) {
        if (channel != null) {
            try {
                channel.close();
            } catch (IOException e) {
                // The failure that brought us here is the one to report.
            }
        }
    }

    private static Map<String, Entry> readHeader(Path path, FileChannel channel) throws IOException {
        long size = channel.size();
        if (size < Long.BYTES) {
            throw new InvalidInputException(path + ": not a safetensors file: " + size + " bytes, a header needs 8");
        }
        long length = readFully(path, channel, 0, Long.BYTES).getLong();
        if (length == GIT_LFS) {
            throw new InvalidInputException(path + ": is a pointer of Git LFS, which stands for the weights in a clone;"
                    + " get the file itself with git lfs pull");
        }
        if (length < 2 || length > MAX_HEADER_BYTES) {
            throw new InvalidInputException(path + ": header length " + Long.toUnsignedString(length)
                    + " is outside 2 to " + MAX_HEADER_BYTES + " bytes; the file is damaged or not safetensors");
        }
        if (Long.BYTES + length > size) {
            throw new InvalidInputException(path + ": truncated: the header needs " + length + " bytes, the file has "
                    + (size - Long.BYTES) + " behind its first 8");
        }
        byte[] bytes = new byte[(int) length];
        readFully(path, channel, Long.BYTES, (int) length).get(bytes);
        JsonNode header;
        try {
            header = JSON.readTree(bytes);
        } catch (JsonProcessingException e) {
            throw new InvalidInputException(path + ": the header is not valid JSON: " + JsonFile.reason(e), e);
        }
        if (!header.isObject()) {
            throw new InvalidInputException(path + ": the header is not a JSON object");
        }
        return entries(path, header, Long.BYTES + length, size);
    }

    private static Map<String, Entry> entries(Path path, JsonNode header, long bodyStart, long fileSize) {
        Map<String, Entry> entries = new LinkedHashMap<>();
        for (Map.Entry<String, JsonNode> field : header.properties()) {
            if (!field.getKey().equals("__metadata__")) {
                entries.put(field.getKey(), entry(path, field.getKey(), field.getValue(), bodyStart, fileSize));
            }
        }
        List<Entry> ordered = new ArrayList<>(entries.values());
        ordered.sort(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end));
        long position = bodyStart;
        for (Entry entry : ordered) {
            if (entry.begin() < position) {
                throw invalid(
                        path,
                        entry.name(),
                        "overlaps the tensor before it: data_offsets begin at " + (entry.begin() - bodyStart)
                                + ", expected " + (position - bodyStart));
            }
            if (entry.begin() > position) {
                throw invalid(
                        path,
                        entry.name(),
                        "leaves a gap of " + (entry.begin() - position)
                                + " bytes before it, which the format does not allow");
            }
            position = entry.end();
        }
        if (position != fileSize) {
            throw new InvalidInputException(path + ": " + (fileSize - position)
                    + " bytes behind the last tensor belong to none; the file is damaged");
        }
        return entries;
    }

    private static Entry entry(Path path, String name, JsonNode node, long bodyStart, long fileSize) {
        String dtype = node.path("dtype").asText("");
        StoredType type = Arrays.stream(StoredType.values())
                .filter(candidate -> candidate.name().equals(dtype))
                .findFirst()
                .orElseThrow(() -> invalid(path, name, "unknown dtype '" + dtype + "'"));
        JsonNode shapeNode = node.path("shape");
        if (!shapeNode.isArray()) {
            throw invalid(path, name, "has no shape");
        }
        List<Long> shape = new ArrayList<>();
        long elements = 1;
        try {
            for (JsonNode extent : shapeNode) {
                if (!extent.canConvertToExactIntegral() || !extent.canConvertToLong() || extent.asLong() < 0) {
                    throw invalid(path, name, "has a shape that is not made of whole numbers from 0: " + shapeNode);
                }
                shape.add(extent.asLong());
                elements = Math.multiplyExact(elements, extent.asLong());
            }
            elements = Math.multiplyExact(elements, (long) type.bytes());
        } catch (ArithmeticException e) {
            throw invalid(path, name, "has a shape whose size overflows: " + shapeNode);
        }
        JsonNode offsets = node.path("data_offsets");
        if (!offsets.isArray()
                || offsets.size() != 2
                || !offsets.get(0).canConvertToLong()
                || !offsets.get(1).canConvertToLong()
                || !offsets.get(0).isIntegralNumber()
                || !offsets.get(1).isIntegralNumber()) {
            throw invalid(path, name, "has no data_offsets of two whole numbers");
        }
        long begin = offsets.get(0).asLong();
        long end = offsets.get(1).asLong();
        long body = fileSize - bodyStart;
        if (begin < 0 || end < begin) {
            throw invalid(path, name, "has data_offsets " + offsets + " that run backwards");
        }
        if (end > body) {
            throw invalid(
                    path, name, "ends at byte " + end + " of a body of " + body + " bytes; the file is truncated");
        }
        if (end - begin != elements) {
            throw invalid(
                    path,
                    name,
                    "has " + (end - begin) + " bytes, but dtype " + dtype + " and shape " + shape + " need "
                            + elements);
        }
        return new Entry(name, type, List.copyOf(shape), bodyStart + begin, bodyStart + end);
    }

    private static InvalidInputException invalid(Path path, String tensor, String what) {
        return new InvalidInputException(path + ": tensor '" + tensor + "' " + what);
    }

    private static ByteBuffer readFully(Path path, FileChannel channel, long position, int length) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
        while (buffer.hasRemaining()) {
            if (channel.read(buffer, position + buffer.position()) < 0) {
                throw new InvalidInputException(
                        path + ": ends at byte " + (position + buffer.position()) + " while it is read");
            }
        }
        return buffer.flip();
    }

    public Path path() {
        return path;
    }

    /** The tensors by name, in the header's order. */
    public Map<String, Entry> entries() {
        return entries;
    }

    /**
     * Fills {@code target} with a tensor's bytes, straight from the file's pages.
     *
     * @param from first element to read
     */
    void read(Entry entry, long from, ByteBuffer target) {
        long position = entry.begin() + from * entry.type().bytes();
        try {
            while (target.hasRemaining()) {
                int count = channel.read(target, position);
                if (count < 0) {
                    throw new InvalidInputException(path + ": became shorter while it was read");
                }
                position += count;
            }
        } catch (IOException e) {
            throw new InvalidInputException(path + ": cannot be read: " + e.getMessage(), e);
        }
    }

    /**
     * Calls {@code values} with the elements of an F32 tensor, in order, in parts of at most a million.
     *
     * @throws InvalidInputException where the file cannot be read to the tensor's end
     */
    public void forEachFloat(Entry entry, Consumer<FloatBuffer> values) {
        if (entry.type() != StoredType.F32) {
            throw new IllegalArgumentException(entry.name() + " is " + entry.type() + ", not F32");
        }
        int most = (int) Math.min(WINDOW_ELEMENTS, entry.elements());
        ByteBuffer window = ByteBuffer.allocateDirect(most * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        for (long from = 0; from < entry.elements(); from += most) {
            long count = Math.min(most, entry.elements() - from);
            window.clear().limit((int) count * Float.BYTES);
            read(entry, from, window);
            values.accept(window.flip().asFloatBuffer());
        }
    }

    @Override
    public void close() {
        closeQuietly(channel);
    }
}
