package org.ewc4j.tensor;

import java.util.List;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.Quoted;

/**
 * A pattern of parameter names, as they stand in {@code model.safetensors}: {@code *} stands for any characters, dots
 * included, {@code ?} for one; every other character for itself, and the whole name must match.
 *
 * @param text the pattern
 */
public record NamePattern(String text) {
    /** In time that grows with pattern times name, whatever the pattern. */
    public boolean matches(String name) {
        int at = 0;
        int next = 0;
        int star = -1; // behind the last star, and how far its run reached
        int reached = 0;
        while (next < name.length()) {
            if (at < text.length() && text.charAt(at) == '*') {
                star = ++at;
                reached = next;
            } else if (at < text.length() && (text.charAt(at) == '?' || text.charAt(at) == name.charAt(next))) {
                at++;
                next++;
            } else if (star >= 0) {
                at = star;
                next = ++reached;
            } else {
                return false;
            }
        }
        while (at < text.length() && text.charAt(at) == '*') {
            at++;
        }
        return at == text.length();
    }

    /**
     * @param key where the patterns stand
     * @throws InvalidInputException naming the first that matches no parameter
     */
    static void requireMatches(String key, List<NamePattern> patterns, ParameterLayout layout) {
        for (NamePattern pattern : patterns) {
            if (layout.parameters().stream().noneMatch(parameter -> pattern.matches(parameter.name()))) {
                throw new InvalidInputException(
                        key + ": " + Quoted.of(pattern.text) + " matches no parameter of the model; names are those of"
                                + " model.safetensors, such as "
                                + layout.parameters()
                                        .get(layout.parameters().size() / 2)
                                        .name() + ", and * stands for any characters");
            }
        }
    }

    @Override
    public String toString() {
        return text;
    }
}
