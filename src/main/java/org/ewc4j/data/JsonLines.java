package org.ewc4j.data;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.cfg.JsonNodeFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.function.Consumer;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.JsonFile;
import org.ewc4j.error.Quoted;

/**
 * Reads JSON Lines row by row, of task files and of what a run wrote: UTF-8, one object a line, blank lines skipped, lines
 * ended by LF or CR LF, a byte order mark allowed. A line longer than 16 MiB is refused rather than held. Stateless.
 */
public final class JsonLines {
    static final int MAX_LINE_BYTES = 16 << 20;

    /** Shared by every reader of task data: no key twice, and numbers with the digits that they are written with. */
    static final ObjectReader STRICT = JsonMapper.builder()
            .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
            .disable(JsonNodeFeature.STRIP_TRAILING_BIGDECIMAL_ZEROES)
            .enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION)
            .build()
            .reader();

    /** Said of an exponent that BigDecimal does not take, which Jackson lets through as it comes. */
    static final String BEYOND_NUMBERS = "holds a number whose exponent is beyond 32 bits; write it as a text";

    private static final int BUFFER_BYTES = 1 << 16;

    private static final ObjectReader ONE_VALUE = STRICT.with(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

    private JsonLines() {}

    /**
     * Gives every row to {@code consumer}, in order.
     *
     * @throws InvalidInputException naming file and line, where it cannot be read or a line is none
     */
    public static void forEach(Path file, Consumer<Row> consumer) {
        try (InputStream in = new BufferedInputStream(open(file), BUFFER_BYTES)) {
            // One for all lines: a file may have nothing but empty ones, and each would cost a thousand times its byte.
            ByteArrayOutputStream line = new ByteArrayOutputStream(256);
            for (long number = 1; readLine(in, line, file, number); number++) {
                if (line.size() > 0) {
                    accept(line.toByteArray(), file, number, consumer);
                }
            }
        } catch (IOException e) {
            throw new InvalidInputException(file + ": cannot be read: " + e.getMessage(), e);
        }
    }

    private static void accept(byte[] line, Path file, long number, Consumer<Row> consumer) {
        String text = decode(line, file, number);
        if (number == 1 && text.startsWith("\uFEFF")) {
            text = text.substring(1);
        }
        if (!text.isBlank()) {
            consumer.accept(parse(text, file + ":" + number));
        }
    }

    static InputStream open(Path file) throws IOException {
        if (Files.isDirectory(file)) {
            throw new InvalidInputException(file + ": is a folder, expected a file");
        }
        try {
            return Files.newInputStream(file);
        } catch (NoSuchFileException e) {
            throw new InvalidInputException(file + ": no such file, though the configuration names it", e);
        }
    }

    /** Reads a line without its end; false where there is none. */
    private static boolean readLine(InputStream in, ByteArrayOutputStream line, Path file, long number)
            throws IOException {
        line.reset();
        for (int b = in.read(); b != '\n'; b = in.read()) {
            if (b < 0) {
                return line.size() > 0;
            }
            if (line.size() == MAX_LINE_BYTES) {
                throw new InvalidInputException(file + ":" + number + ": the line is longer than "
                        + (MAX_LINE_BYTES >> 20) + " MiB; expected JSON Lines, one object a line");
            }
            line.write(b);
        }
        return true;
    }

    private static String decode(byte[] line, Path file, long number) {
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(line))
                    .toString();
        } catch (CharacterCodingException e) {
            throw new InvalidInputException(file + ":" + number + ": is not UTF-8; save the file as UTF-8", e);
        }
    }

    private static Row parse(String text, String location) {
        JsonNode row;
        try {
            row = ONE_VALUE.readTree(text);
        } catch (JsonProcessingException e) {
            throw new InvalidInputException(location + ": malformed JSON: " + JsonFile.reason(e), e);
        } catch (NumberFormatException e) {
            throw new InvalidInputException(location + ": " + BEYOND_NUMBERS, e);
        }
        if (!(row instanceof ObjectNode)) {
            throw new InvalidInputException(location + ": expected a JSON object, got " + Quoted.of(text.strip()));
        }
        return new Row(location, (ObjectNode) row);
    }
}
