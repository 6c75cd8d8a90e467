package org.ewc4j.error;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/** JSON from outside: read within bounds; what is none is refused in one line. */
public final class JsonFile {
    private JsonFile() {}

    /**
     * Reads a file that is one JSON object.
     *
     * @param json how it is read
     * @param most bytes that it may have
     * @param what it should be, for the refusal of one that has more
     * @throws InvalidInputException where it cannot be read, has more, or is no JSON object
     */
    public static ObjectNode readObject(ObjectMapper json, Path file, long most, String what) {
        try {
            if (Files.size(file) > most) {
                throw new InvalidInputException(file + ": larger than " + (most >> 20) + " MiB, not " + what);
            }
            if (!Files.isRegularFile(file)) {
                throw new InvalidInputException(
                        file + ": cannot be read: not a regular file"); // a pipe would be waited for
            }
            if (json.readTree(Files.readAllBytes(file)) instanceof ObjectNode object) {
                return object;
            }
            throw new InvalidInputException(file + ": expected a JSON object: is it " + what + "?");
        } catch (JsonProcessingException e) {
            int line = e.getLocation() == null ? 0 : e.getLocation().getLineNr();
            throw new InvalidInputException(file + ":" + line + ": not valid JSON: " + reason(e), e);
        } catch (NoSuchFileException e) {
            throw new InvalidInputException(file + ": is missing", e);
        } catch (IOException e) {
            throw new InvalidInputException(file + ": cannot be read: " + e.getMessage(), e);
        }
    }

    /** Jackson's reason in one line, with the column. */
    public static String reason(JsonProcessingException e) {
        String message = e.getOriginalMessage().lines().findFirst().orElse("not JSON");
        // Some reasons carry a location of their own, which names a StringReader rather than the file, or name Java's
        // settings.
        int location = message.indexOf(" (start marker at");
        String reason = message.startsWith("Trailing token")
                ? "something stands behind the value"
                : location < 0 ? message : message.substring(0, location);
        return e.getLocation() == null
                ? reason
                : reason + ", at column " + e.getLocation().getColumnNr();
    }
}
