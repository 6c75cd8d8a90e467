package org.ewc4j;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import org.ewc4j.data.Batch;
import org.junit.jupiter.api.Assumptions;

/** The reference trajectories beside the project, where they are there; tests that need them are skipped elsewhere. */
public final class Golden {
    /** Threads of every test of this suite that starts libtorch: one number holds for a process. */
    public static final int THREADS = 2;

    private Golden() {}

    /** A path of the shared folder beside the project; the test is skipped where it is not there. */
    public static Path shared(String path) {
        Path found = Path.of("..", "shared").resolve(path);
        Assumptions.assumeTrue(Files.exists(found), found + " is not beside this checkout");
        return found.toAbsolutePath().normalize();
    }

    public static JsonNode json(Path file) {
        try {
            return new JsonMapper().readTree(Files.readAllBytes(file));
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    /** An F32 tensor of a safetensors file, read without the code under test. */
    public static float[] floats(Path file, String name) {
        ByteBuffer bytes = tensor(file, name);
        float[] values = new float[bytes.remaining() / Float.BYTES];
        bytes.asFloatBuffer().get(values);
        return values;
    }

    /** An I64 tensor of a safetensors file, read without the code under test. */
    public static long[] longs(Path file, String name) {
        ByteBuffer bytes = tensor(file, name);
        long[] values = new long[bytes.remaining() / Long.BYTES];
        bytes.asLongBuffer().get(values);
        return values;
    }

    /** All F32 tensors of a safetensors file by name. */
    public static Map<String, float[]> allFloats(Path file) {
        Map<String, float[]> tensors = new TreeMap<>();
        header(file).fieldNames().forEachRemaining(name -> {
            if (!name.equals("__metadata__")) {
                tensors.put(name, floats(file, name));
            }
        });
        return tensors;
    }

    /** The bytes of all tensors of a safetensors file by name. */
    public static Map<String, ByteBuffer> allBytes(Path file) {
        Map<String, ByteBuffer> tensors = new TreeMap<>();
        header(file).fieldNames().forEachRemaining(name -> {
            if (!name.equals("__metadata__")) {
                tensors.put(name, tensor(file, name));
            }
        });
        return tensors;
    }

    private static JsonNode header(Path file) {
        try {
            ByteBuffer all = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
            return new JsonMapper().readTree(all.array(), 8, (int) all.getLong(0));
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private static ByteBuffer tensor(Path file, String name) {
        try {
            ByteBuffer all = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
            JsonNode offsets = header(file).get(name).get("data_offsets");
            int start = 8 + (int) all.getLong(0);
            return all.slice(
                            start + offsets.get(0).asInt(),
                            offsets.get(1).asInt() - offsets.get(0).asInt())
                    .order(ByteOrder.LITTLE_ENDIAN);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    /** The left-padded batch of a golden {@code forward.safetensors}. */
    public static Batch forwardBatch(Path file, int rows, int columns) {
        long[] mask = longs(file, "attention_mask");
        long[] labels = longs(file, "labels");
        int[] lengths = new int[rows];
        int scored = 0;
        for (int row = 0; row < rows; row++) {
            for (int column = 0; column < columns; column++) {
                lengths[row] += (int) mask[row * columns + column];
                scored += column > 0 && labels[row * columns + column] >= 0 ? 1 : 0;
            }
        }
        return new Batch(rows, columns, longs(file, "input_ids"), labels, lengths, new int[rows], 0, scored);
    }
}
