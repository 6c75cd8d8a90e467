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
import java.util.Map;
import java.util.TreeMap;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.ewc4j.error.RunFailedException;
import org.ewc4j.tensor.ParameterLayout.Parameter;

/** Writes parameters of an arena as a safetensors file, in fp32, fp16 or bf16, converted chunk by chunk. */
public final class SafetensorsWriter {
    private static final int CHUNK_ELEMENTS = 4 << 20;

    private SafetensorsWriter() {}

    /**
     * Writes some of an arena's parameters, in the order of their names.
     *
     * @param target the file; its folder must exist
     * @param parameters which ones
     * @throws RunFailedException where the file cannot be written, or a finite value does not fit fp16
     */
    public static void write(Path target, Arena arena, List<Parameter> parameters, StoredType type) {
        Map<String, Parameter> byName = new TreeMap<>();
        parameters.forEach(parameter -> byName.put(parameter.name(), parameter));
        byte[] header = header(byName, type);
        AtomicFile.write(target, channel -> {
            ByteBuffer prefix = ByteBuffer.allocate(Long.BYTES + header.length).order(ByteOrder.LITTLE_ENDIAN);
            writeFully(channel, prefix.putLong(header.length).put(header).flip());
            for (Parameter parameter : byName.values()) {
                write(target, channel, arena, parameter, type);
            }
        });
    }

    private static byte[] header(Map<String, Parameter> byName, StoredType type) {
        JsonMapper json = new JsonMapper();
        ObjectNode root = json.createObjectNode();
        root.putObject("__metadata__").put("format", "pt");
        long position = 0;
        for (Parameter parameter : byName.values()) {
            ObjectNode entry = root.putObject(parameter.name());
            entry.put("dtype", type.name());
            ArrayNode shape = entry.putArray("shape");
            parameter.shape().forEach(shape::add);
            long end = position + parameter.elements() * type.bytes();
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

    private static void write(Path target, FileChannel channel, Arena arena, Parameter parameter, StoredType type)
            throws IOException {
        for (long from = 0; from < parameter.elements(); from += CHUNK_ELEMENTS) {
            long count = Math.min(CHUNK_ELEMENTS, parameter.elements() - from);
            try (PointerScope scope = new PointerScope();
                    NoGradGuard guard = new NoGradGuard()) {
                Tensor chunk = arena.floats(parameter, from, count);
                Tensor stored = chunk.to(type.scalarType()).cpu();
                if (type == StoredType.F16
                        && !torch.isfinite(stored).all().item_bool()
                        && torch.isfinite(chunk).all().item_bool()) {
                    throw new RunFailedException(
                            target + ": tensor '" + parameter.name()
                                    + "' has values beyond 65504, which float16 cannot hold; set save.dtype to float32 or bfloat16");
                }
                writeFully(channel, WeightReader.memory(stored.data_ptr().address(), count * type.bytes()));
            }
        }
    }

    private static void writeFully(FileChannel channel, ByteBuffer buffer) throws IOException {
        while (buffer.hasRemaining()) {
            channel.write(buffer);
        }
    }
}
