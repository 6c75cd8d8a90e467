package org.ewc4j.tensor;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.tensor.ParameterLayout.Parameter;

/** SHA-256 of files and of layouts, in lower-case hexadecimal: what tells whether two things that belong together do. */
public final class Fingerprint {
    private static final int WINDOW_BYTES = 1 << 20;

    private Fingerprint() {}

    /**
     * Of a file's bytes.
     *
     * @throws InvalidInputException where it cannot be read
     */
    public static String of(Path file) {
        return UninterruptedWork.call(() -> ofHere(file));
    }

    private static String ofHere(Path file) {
        MessageDigest digest = digest();
        ByteBuffer window = ByteBuffer.allocateDirect(WINDOW_BYTES);
        try (FileChannel channel = FileChannel.open(file)) {
            while (channel.read(window) >= 0) {
                digest.update(window.flip());
                window.clear();
            }
        } catch (IOException e) {
            throw new InvalidInputException(file + ": cannot be read: " + e.getMessage(), e);
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    /** Of the names and shapes of a layout, whatever their order: a line {@code name [extent, …]} each, sorted by name. */
    public static String of(ParameterLayout layout) {
        Map<String, Parameter> byName = new TreeMap<>();
        layout.parameters().forEach(parameter -> byName.put(parameter.name(), parameter));
        String lines = byName.values().stream()
                .map(parameter -> parameter.name() + " " + parameter.shape() + "\n")
                .collect(Collectors.joining());
        return HexFormat.of().formatHex(digest().digest(lines.getBytes(StandardCharsets.UTF_8)));
    }

    private static MessageDigest digest() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }
}
