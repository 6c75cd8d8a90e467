package org.ewc4j.eval;

import java.util.List;
import java.util.Locale;

/**
 * The score of a generated answer: right where it equals the expected one, both stripped and lower-cased, else wrong.
 * No partial credit, no removal of punctuation or articles.
 */
public final class ExactMatch {
    private ExactMatch() {}

    /** Whether the two agree after stripping white space at both ends and lower-casing, in no language's own rules. */
    public static boolean agrees(String expected, String generated) {
        return normalize(expected).equals(normalize(generated));
    }

    /**
     * The share of correct predictions in per cent.
     *
     * @throws IllegalArgumentException for an empty list: a split without questions has no score
     */
    public static double percent(List<Prediction> predictions) {
        if (predictions.isEmpty()) {
            throw new IllegalArgumentException("no predictions to score");
        }
        long correct = predictions.stream().filter(Prediction::correct).count();
        return 100.0 * correct / predictions.size();
    }

    private static String normalize(String text) {
        // Locale.ROOT: under a Turkish default locale "I" would not become "i".
        return strip(text).toLowerCase(Locale.ROOT);
    }

    /** Without white space at both ends, no-break spaces included, as Python's {@code strip} has it. */
    static String strip(String text) {
        int begin = 0;
        int end = text.length();
        while (begin < end && isSpace(text.charAt(begin))) {
            begin++;
        }
        while (end > begin && isSpace(text.charAt(end - 1))) {
            end--;
        }
        return text.substring(begin, end);
    }

    private static boolean isSpace(char c) {
        return Character.isWhitespace(c) || Character.isSpaceChar(c) || c == '\u0085';
    }
}
