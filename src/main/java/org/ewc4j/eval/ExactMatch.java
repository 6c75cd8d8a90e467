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
        return text.strip().toLowerCase(Locale.ROOT);
    }
}
