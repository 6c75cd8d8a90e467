package org.ewc4j.eval;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Locale;
import org.ewc4j.config.EvaluationConfig.Split;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ExactMatchTest {
    @ParameterizedTest
    @CsvSource(
            quoteCharacter = '"',
            value = {
                "Paris, Paris, true",
                "Paris, \"  paris\n\", true",
                "PARIS, paris, true",
                "Paris, Paris., false",
                "Paris, Paris France, false",
                "New York, New  York, false",
                "Paris, \"\", false",
                "ÅNGSTRÖM, ångström, true",
            })
    void agrees(String expected, String generated, boolean right) {
        assertThat(ExactMatch.agrees(expected, generated)).isEqualTo(right);
    }

    @Test
    void doesNotDependOnTheDefaultLocale() {
        Locale before = Locale.getDefault();
        try {
            Locale.setDefault(new Locale("tr", "TR"));
            assertThat(ExactMatch.agrees("IRIDIUM", "iridium")).isTrue();
        } finally {
            Locale.setDefault(before);
        }
    }

    @Test
    void percentOfCorrect() {
        assertThat(ExactMatch.percent(List.of(prediction(true), prediction(false), prediction(true), prediction(true))))
                .isEqualTo(75.0);
        assertThatThrownBy(() -> ExactMatch.percent(List.of())).isInstanceOf(IllegalArgumentException.class);
    }

    private static Prediction prediction(boolean correct) {
        return new Prediction(0, 0, "task", Split.TEST, "question", "expected", "generated", correct);
    }
}
