package org.ewc4j.error;

import com.fasterxml.jackson.core.JsonProcessingException;

/** Why something is no JSON, inside a message of one line. */
public final class JsonReason {
    private JsonReason() {}

    /** Jackson's reason in one line, with the column. */
    public static String of(JsonProcessingException e) {
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
