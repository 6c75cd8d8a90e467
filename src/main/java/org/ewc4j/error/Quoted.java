package org.ewc4j.error;

/** Someone else's text inside a message of one line. */
public final class Quoted {
    private static final int MAX_CODE_POINTS = 80;
    /** Of a whole message as it is shown: paths and names in it come from files, which can hold what they like. */
    private static final int MAX_LINE_CHARACTERS = 2000;

    private static final String CUT = "...";

    private Quoted() {}

    /** {@code text} in double quotes, control characters escaped, cut after 80 characters. */
    public static String of(String text) {
        StringBuilder quoted = new StringBuilder("\"");
        text.codePoints().limit(MAX_CODE_POINTS).forEach(c -> append(quoted, c));
        if (text.codePointCount(0, text.length()) > MAX_CODE_POINTS) {
            quoted.append(CUT);
        }
        return quoted.append('"').toString();
    }

    /**
     * {@code text} as one line: control characters escaped, which a terminal could take for commands; at most 2,000 characters
     * then, the last three of them dots where something was cut.
     */
    public static String line(String text) {
        if (text == null
                || text.length() <= MAX_LINE_CHARACTERS && text.codePoints().noneMatch(Quoted::mustBeEscaped)) {
            return text;
        }
        StringBuilder line = new StringBuilder();
        int whole = 0; // what leaves room for the dots, no escape cut
        for (int i = 0; i < text.length() && line.length() <= MAX_LINE_CHARACTERS; ) {
            int codePoint = text.codePointAt(i);
            appendPlain(line, codePoint);
            i += Character.charCount(codePoint);
            whole = line.length() <= MAX_LINE_CHARACTERS - CUT.length() ? line.length() : whole;
        }
        if (line.length() > MAX_LINE_CHARACTERS) {
            line.setLength(whole);
            line.append(CUT);
        }
        return line.toString();
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
