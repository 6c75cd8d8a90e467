package org.ewc4j.config;

/**
 * Key {@code text}: how plain text is read, that of tasks and that of {@code ewc.protect}. A value out of its range is an
 * {@code InvalidInputException} that names the key.
 *
 * @param field of a JSON Lines row that holds a document
 * @param testShare share of a text's packed rows, the last ones, that is held out to be scored where no test text is given
 */
public record TextConfig(String field, double testShare) {
    public TextConfig {
        Settings.require("text.field", field);
        Settings.require("text.test_share", testShare);
    }

    /** Field {@code text}, a tenth. */
    public static TextConfig defaults() {
        return SettingValues.defaults().text();
    }
}
