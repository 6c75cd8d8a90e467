package org.ewc4j.checkpoint;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.regex.Pattern;
import org.ewc4j.tensor.Checksum;

/** Makes the checksums of a checkpoint right again that was changed, so that what lies behind them is reached. */
public final class CheckpointSeal {
    private static final Pattern CRC = Pattern.compile("(\"crc32c\"\\s*:\\s*\")[^\"]*\"");

    private CheckpointSeal() {}

    /** A state.json with the checksum of its content; as it was where it is not JSON. */
    public static byte[] sealed(byte[] state) {
        JsonNode content;
        try {
            content = StateFolder.JSON.readTree(state).path("content");
        } catch (IOException e) {
            return state;
        }
        String crc = Checksum.of(StateFolder.compact(content)).crc32c();
        // The first is that of the content. Every byte is a character here, and stays one.
        String text = new String(state, StandardCharsets.ISO_8859_1);
        return CRC.matcher(text).replaceFirst("$1" + crc + "\"").getBytes(StandardCharsets.ISO_8859_1);
    }

    /** A state.json with the checksum of a file's new content. */
    public static byte[] sealed(byte[] state, String arena, byte[] file) {
        try {
            JsonNode root = StateFolder.JSON.readTree(state);
            Checksum checksum = Checksum.of(file);
            ((ObjectNode) root.path("content").path("arenas").path(arena))
                    .put("bytes", checksum.bytes())
                    .put("crc32c", checksum.crc32c());
            return sealed(StateFolder.JSON.writeValueAsBytes(root));
        } catch (IOException e) {
            throw new AssertionError("the valid state is JSON", e);
        }
    }
}
