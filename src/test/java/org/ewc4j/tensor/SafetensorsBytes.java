package org.ewc4j.tensor;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;

/** safetensors files put together byte by byte, without the code under test, so that they can be wrong too. */
public final class SafetensorsBytes {
    /** A tensor as it lies in a file. */
    public record Stored(String dtype, long[] shape, byte[] bytes) {}

    private SafetensorsBytes() {}

    /** Values around zero, the same for the same seed. */
    public static Stored floats(long seed, long... shape) {
        Random random = new Random(seed);
        ByteBuffer bytes = ByteBuffer.allocate(4 * elements(shape)).order(ByteOrder.LITTLE_ENDIAN);
        while (bytes.hasRemaining()) {
            bytes.putFloat((float) (0.3 * random.nextGaussian()));
        }
        return new Stored("F32", shape, bytes.array());
    }

    /** The same value throughout. */
    public static Stored filled(float value, long... shape) {
        float[] values = new float[elements(shape)];
        Arrays.fill(values, value);
        return floats(values, shape);
    }

    /** These values. */
    public static Stored floats(float[] values, long... shape) {
        ByteBuffer bytes = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asFloatBuffer().put(values);
        return new Stored("F32", shape, bytes.array());
    }

    /** The leading half of each value's bits, which is the value in bf16, rounded towards zero. */
    public static Stored truncatedToBf16(Stored stored) {
        ByteBuffer from = ByteBuffer.wrap(stored.bytes()).order(ByteOrder.LITTLE_ENDIAN);
        ByteBuffer to = ByteBuffer.allocate(stored.bytes().length / 2).order(ByteOrder.LITTLE_ENDIAN);
        while (from.hasRemaining()) {
            to.putShort((short) (from.getInt() >>> 16));
        }
        return new Stored("BF16", stored.shape(), to.array());
    }

    /** Zeros of any dtype. */
    public static Stored zeros(String dtype, int bytesPerElement, long... shape) {
        return new Stored(dtype, shape, new byte[bytesPerElement * elements(shape)]);
    }

    private static int elements(long[] shape) {
        return Math.toIntExact(Arrays.stream(shape).reduce(1, Math::multiplyExact));
    }

    /** A sound file. */
    public static void write(Path file, Map<String, Stored> tensors) {
        StringBuilder header = new StringBuilder("{\"__metadata__\":{\"format\":\"pt\"}");
        int position = 0;
        for (Map.Entry<String, Stored> tensor : tensors.entrySet()) {
            Stored stored = tensor.getValue();
            String shape =
                    Arrays.stream(stored.shape()).mapToObj(Long::toString).collect(Collectors.joining(","));
            int end = position + stored.bytes().length;
            header.append(String.format(
                    ",\"%s\":{\"dtype\":\"%s\",\"shape\":[%s],\"data_offsets\":[%d,%d]}",
                    tensor.getKey(), stored.dtype(), shape, position, end));
            position = end;
        }
        ByteBuffer body = ByteBuffer.allocate(position);
        tensors.values().forEach(stored -> body.put(stored.bytes()));
        write(file, header.append('}').toString(), body.array());
    }

    /** Any header before any body. */
    public static void write(Path file, String header, byte[] body) {
        byte[] text = header.getBytes(StandardCharsets.UTF_8);
        write(file, text.length, text, body);
    }

    /** Any header that claims any length. */
    public static void write(Path file, long claimedLength, byte[] header, byte[] body) {
        ByteBuffer all = ByteBuffer.allocate(8 + header.length + body.length).order(ByteOrder.LITTLE_ENDIAN);
        try {
            Files.write(file, all.putLong(claimedLength).put(header).put(body).array());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
