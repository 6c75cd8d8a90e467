package org.ewc4j.error;

/** Someone else's text inside a message of one line. */
public final class Quoted {
    private static final int MAX_CODE_POINTS = 80;

    private Quoted() {}

    /** {@code text} in double quotes, control characters escaped, cut after 80 characters. */
    public static String of(String text) {
        StringBuilder quoted = new StringBuilder("\"");
        text.codePoints().limit(MAX_CODE_POINTS).forEach(c -> append(quoted, c));
        if (text.codePointCount(0, text.length()) > MAX_CODE_POINTS) {
            quoted.append("...");
        }
        return quoted.append('"').toString();
    }

    private static void append(StringBuilder quoted, int codePoint) {
        switch (codePoint) {
            case '"' -> quoted.append("\\\"");
            case '\n' -> quoted.append("\\n");
            case '\t' -> quoted.append("\\t");
            case '\r' -> quoted.append("\\r");
            default -> {
                if (Character.isISOControl(codePoint) || codePoint == '\u2028' || codePoint == '\u2029') {
                    quoted.append(String.format("\\u%04x", codePoint));
                } else {
                    quoted.appendCodePoint(codePoint);
                }
            }
        }
    }
}
