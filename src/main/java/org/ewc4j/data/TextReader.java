package org.ewc4j.data;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.ewc4j.error.InvalidInputException;

/**
 * Reads plain text: a file whose name ends in {@code .jsonl} holds a document a line, any other file is one document as it
 * stands. Stateless.
 */
public final class TextReader {
    /** What a tokenizer takes at once; more belongs into documents. */
    private static final int MAX_BYTES = 64 << 20;

    private TextReader() {}

    /**
     * The documents of a file, in order; those of white space alone are left out.
     *
     * @param field of a JSON Lines row that holds the document
     * @throws InvalidInputException where the file cannot be read, is not UTF-8 or holds no text
     */
    public static List<String> documents(Path file, String field) {
        List<String> documents = new ArrayList<>();
        if (isJsonLines(file)) {
            JsonLines.forEach(file, row -> documents.add(row.text(field)));
        } else {
            documents.add(whole(file));
        }
        documents.removeIf(String::isBlank);
        if (documents.isEmpty()) {
            throw new InvalidInputException(file + ": holds no text; expected plain text, or JSON Lines with the field "
                    + field + " where the name ends in .jsonl");
        }
        return documents;
    }

    /** Whether a file is read as a document a line. */
    public static boolean isJsonLines(Path file) {
        return file.getFileName().toString().toLowerCase(Locale.ROOT).endsWith(".jsonl");
    }

    private static String whole(Path file) {
        try (InputStream in = JsonLines.open(file)) {
            byte[] bytes = in.readNBytes(MAX_BYTES + 1);
            if (bytes.length > MAX_BYTES) {
                throw new InvalidInputException(file + ": is larger than " + (MAX_BYTES >> 20)
                        + " MiB, too much for one document; make it JSON Lines, a document a line");
            }
            String text = StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes))
                    .toString();
            return text.startsWith("\uFEFF") ? text.substring(1) : text;
        } catch (CharacterCodingException e) {
            throw new InvalidInputException(file + ": is not UTF-8; save the file as UTF-8", e);
        } catch (IOException e) {
            throw new InvalidInputException(file + ": cannot be read: " + e.getMessage(), e);
        }
    }
}
