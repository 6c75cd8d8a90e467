package org.ewc4j.config;

import java.util.Collection;
import java.util.Comparator;
import java.util.Optional;

/** The known key that a misspelt one most likely means. */
final class NearestKey {
    private static final int MAX_LENGTH = 100;

    private NearestKey() {}

    /** The candidate with the least edit distance; of equals the first. Empty only without candidates. */
    static Optional<String> to(String key, Collection<String> candidates) {
        return candidates.stream().min(Comparator.comparingInt(candidate -> distance(key, candidate)));
    }

    /**
     * Levenshtein's distance by two rows of its table. Of a text much longer than any key its beginning stands for all: it
     * comes out of a file, and the table's size is the product of both lengths.
     */
    static int distance(String given, String b) {
        String a = given.length() <= MAX_LENGTH ? given : given.substring(0, MAX_LENGTH);
        int[] previous = new int[b.length() + 1];
        for (int j = 0; j <= b.length(); j++) {
            previous[j] = j;
        }
        for (int i = 1; i <= a.length(); i++) {
            int[] current = new int[b.length() + 1];
            current[0] = i;
            for (int j = 1; j <= b.length(); j++) {
                int substituted = previous[j - 1] + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
                current[j] = Math.min(substituted, 1 + Math.min(previous[j], current[j - 1]));
            }
            previous = current;
        }
        return previous[b.length()];
    }
}
