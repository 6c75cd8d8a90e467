package org.ewc4j.report;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class HtmlTest {
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "0|0",
                "5000|5,000",
                "5.5e8|5.5e8",
                "0.00012|1.2e-4",
                "2.3456|2.346",
                "12.34|12.3",
                "123.4|123",
                "-1500|-1,500",
                "NaN|–",
                "0.5|0.5",
                "100|100",
                "1000000|1e6"
            })
    void numbers(double value, String text) {
        assertThat(Html.number(value)).isEqualTo(text);
    }

    @ParameterizedTest
    @CsvSource({"0.84, 0.8 s", "12.4, 12 s", "185, 3 min 05 s", "7620, 2 h 07 min", "59.7, 1 min 00 s", "NaN, –"})
    void durations(double seconds, String text) {
        assertThat(Html.duration(seconds)).isEqualTo(text);
    }

    @Test
    void escapesMarkupAndWhatXmlCannotHold() {
        assertThat(Html.escape("<a href=\"x\">'&\u0007\ud83d\ude00\udc00\uffff\n"))
                .isEqualTo("&lt;a href=&quot;x&quot;&gt;&#39;&amp;\ufffd\ud83d\ude00\ufffd\ufffd\n");
    }

    @Test
    void shortensByCharactersNotByHalves() {
        assertThat(Html.shorten("abcdef", 6)).isEqualTo("abcdef");
        assertThat(Html.shorten("abcdefg", 6)).isEqualTo("abcde…");
        assertThat(Html.shorten("\ud83d\ude00\ud83d\ude00\ud83d\ude00", 2)).isEqualTo("\ud83d\ude00…");
    }
}
