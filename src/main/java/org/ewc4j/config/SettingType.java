package org.ewc4j.config;

import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.ewc4j.error.Quoted;

/**
 * What a setting takes: how its text is read, what is refused, how it is written and described. A value is refused with
 * "expected …, got …", which the reader sets behind file, line and key.
 */
sealed interface SettingType {
    /** Completes "expected …". */
    String expected();

    /** The value of a YAML scalar, or empty if the text is not of this type. Ranges are {@link #accepts}' business. */
    Optional<Object> parse(YamlScalar scalar);

    /** Whether a value of the right Java type is within its range. */
    default boolean accepts(Object value) {
        return true;
    }

    /** A YAML scalar as it stands in the file. */
    record YamlScalar(String text, boolean plain) {}

    /** A whole number from {@code min} to {@code max}; a {@code long} in Java. */
    record Whole(long min, long max) implements SettingType {
        @Override
        public String expected() {
            if (min == Long.MIN_VALUE) {
                return "a whole number";
            }
            return max >= Integer.MAX_VALUE
                    ? "a whole number of at least " + min
                    : "a whole number from " + min + " to " + max;
        }

        @Override
        public Optional<Object> parse(YamlScalar scalar) {
            if (!scalar.plain() || !scalar.text().matches("[-+]?[0-9][0-9_]*")) {
                return Optional.empty();
            }
            try {
                return Optional.of(Long.parseLong(scalar.text().replace("_", "")));
            } catch (NumberFormatException e) {
                return Optional.empty(); // more digits than a long holds
            }
        }

        @Override
        public boolean accepts(Object value) {
            return (long) value >= min && (long) value <= max;
        }
    }

    /** A finite number between two bounds, each of them itself only if it is included. */
    record Real(double min, boolean minIncluded, double max, boolean maxIncluded) implements SettingType {
        static Real atLeast(double min) {
            return new Real(min, true, Double.POSITIVE_INFINITY, false);
        }

        static Real above(double min) {
            return new Real(min, false, Double.POSITIVE_INFINITY, false);
        }

        @Override
        public String expected() {
            String lower = "a number " + (minIncluded ? "of at least " : "above ") + plain(min);
            return Double.isInfinite(max)
                    ? lower
                    : lower + (maxIncluded ? " and at most " : " and below ") + plain(max);
        }

        private static String plain(double bound) {
            return bound == Math.rint(bound) ? Long.toString((long) bound) : Double.toString(bound);
        }

        @Override
        public Optional<Object> parse(YamlScalar scalar) {
            String number = "[-+]?([0-9][0-9_]*(\\.[0-9_]*)?|\\.[0-9][0-9_]*)([eE][-+]?[0-9]+)?";
            if (!scalar.plain() || !scalar.text().matches(number)) {
                return Optional.empty();
            }
            return Optional.of(Double.parseDouble(scalar.text().replace("_", "")));
        }

        @Override
        public boolean accepts(Object value) {
            double number = (double) value;
            return Double.isFinite(number)
                    && (minIncluded ? number >= min : number > min)
                    && (maxIncluded ? number <= max : number < max);
        }
    }

    /** {@code true} or {@code false}. */
    record Truth() implements SettingType {
        @Override
        public String expected() {
            return "true or false";
        }

        @Override
        public Optional<Object> parse(YamlScalar scalar) {
            return scalar.plain() && scalar.text().matches("true|false|True|False")
                    ? Optional.of(scalar.text().equalsIgnoreCase("true"))
                    : Optional.empty();
        }
    }

    /** Any text; a bare number counts as its text. */
    record Text(String what) implements SettingType {
        @Override
        public String expected() {
            return what;
        }

        @Override
        public Optional<Object> parse(YamlScalar scalar) {
            return scalar.text().isEmpty() ? Optional.empty() : Optional.of(scalar.text());
        }
    }

    /** A {@link DeviceSetting}. */
    record DeviceName() implements SettingType {
        @Override
        public String expected() {
            return DeviceSetting.EXPECTED;
        }

        @Override
        public Optional<Object> parse(YamlScalar scalar) {
            return DeviceSetting.parse(scalar.text()).map(device -> device);
        }
    }

    /** A path, relative to the folder of the configuration file. */
    record Location(String what) implements SettingType {
        @Override
        public String expected() {
            return what;
        }

        @Override
        public Optional<Object> parse(YamlScalar scalar) {
            return scalar.text().isBlank() || scalar.text().indexOf('\0') >= 0
                    ? Optional.empty()
                    : Optional.of(scalar.text());
        }
    }

    /**
     * One of some names.
     *
     * @param values what each name stands for, in the order of the documentation
     * @param reason why nothing else is taken; empty where the list of names says enough
     */
    record Choice(Map<String, Object> values, String reason) implements SettingType {
        /** The constants of an enum, named in lower case with hyphens. */
        static Choice of(Class<? extends Enum<?>> type) {
            Map<String, Object> values = new LinkedHashMap<>();
            for (Enum<?> constant : type.getEnumConstants()) {
                values.put(constant.name().toLowerCase(Locale.ROOT).replace('_', '-'), constant);
            }
            return new Choice(values, "");
        }

        String nameOf(Object value) {
            return values.entrySet().stream()
                    .filter(entry -> entry.getValue().equals(value))
                    .map(Map.Entry::getKey)
                    .findFirst()
                    .orElseThrow();
        }

        @Override
        public String expected() {
            String names = values.size() == 1
                    ? values.keySet().iterator().next()
                    : "one of " + String.join(", ", values.keySet());
            return reason.isEmpty() ? names : names + " (" + reason + ")";
        }

        @Override
        public Optional<Object> parse(YamlScalar scalar) {
            return Optional.ofNullable(values.get(scalar.text()));
        }
    }

    /** A list of at least one name of a choice, none twice; a set in Java. */
    record Choices(Choice choice) implements SettingType {
        @Override
        public String expected() {
            return "a list of at least one of "
                    + String.join(", ", choice.values().keySet());
        }

        @Override
        public Optional<Object> parse(YamlScalar scalar) {
            return Optional.empty();
        }

        Optional<Object> parse(List<YamlScalar> scalars) {
            Set<Object> values = new LinkedHashSet<>();
            for (YamlScalar scalar : scalars) {
                Optional<Object> value = choice.parse(scalar);
                if (value.isEmpty() || !values.add(value.get())) {
                    return Optional.empty();
                }
            }
            return Optional.of(values);
        }

        @Override
        public boolean accepts(Object value) {
            return !((Set<?>) value).isEmpty();
        }
    }

    /** The list of files per task, which the reader reads itself. */
    record TaskFilesList() implements SettingType {
        @Override
        public String expected() {
            return "a list of {name, train, test} or {name, text, test_text}";
        }

        @Override
        public Optional<Object> parse(YamlScalar scalar) {
            return Optional.empty();
        }
    }

    /** "got …" for a value in Java, as {@link #accepts} refused it. */
    static String shown(Object value) {
        return value instanceof String text ? Quoted.of(text) : String.valueOf(value);
    }
}
