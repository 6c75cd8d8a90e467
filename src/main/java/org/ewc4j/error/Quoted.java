package org.ewc4j.error;

/** Someone else's text inside a message of one line. */
public final class Quoted {
    private static final int MAX_CODE_POINTS = 80;
    /** Of a whole message: paths and names in it come from files, which can hold what they like. */
    private static final int MAX_LINE_CODE_POINTS = 2000;

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

    /** {@code text} as one line: control characters escaped, which a terminal could take for commands, cut after 2,000 characters. */
    public static String line(String text) {
        if (text == null
                || text.length() <= MAX_LINE_CODE_POINTS && text.codePoints().noneMatch(Quoted::mustBeEscaped)) {
            return text;
        }
        StringBuilder line = new StringBuilder();
        text.codePoints().limit(MAX_LINE_CODE_POINTS).forEach(c -> appendPlain(line, c));
        return text.codePointCount(0, text.length()) > MAX_LINE_CODE_POINTS
                ? line.append("...").toString()
                : line.toString();
    }

    private static boolean mustBeEscaped(int codePoint) {
        boolean halfOfAPair = codePoint >= Character.MIN_SURROGATE && codePoint <= Character.MAX_SURROGATE;
        return Character.isISOControl(codePoint) || codePoint == '\u2028' || codePoint == '\u2029' || halfOfAPair;
    }

    private static void append(StringBuilder quoted, int codePoint) {
        if (codePoint == '"') {
            quoted.append("\\\"");
        } else {
            appendPlain(quoted, codePoint);
        }
    }

    private static void appendPlain(StringBuilder quoted, int codePoint) {
        switch (codePoint) {
            case '\n' -> quoted.append("\\n");
            case '\t' -> quoted.append("\\t");
            case '\r' -> quoted.append("\\r");
            default -> {
                if (mustBeEscaped(codePoint)) {
                    quoted.append(String.format("\\u%04x", codePoint));
                } else {
                    quoted.appendCodePoint(codePoint);
                }
            }
        }
    }
}
