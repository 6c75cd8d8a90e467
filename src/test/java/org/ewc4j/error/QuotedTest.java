package org.ewc4j.error;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class QuotedTest {
    @Test
    void aLineIsOfAtMost2000CharactersAsItIsShown() {
        assertThat(Quoted.line("a".repeat(2000))).isEqualTo("a".repeat(2000));
        assertThat(Quoted.line("a".repeat(2001))).isEqualTo("a".repeat(1997) + "...");
        assertThat(Quoted.line("\u0001".repeat(2000)))
                .as("escapes count, and none is cut")
                .isEqualTo("\\u0001".repeat(332) + "...");
        assertThat(Quoted.line("\ud83d\ude00".repeat(1500)))
                .as("nor a pair")
                .isEqualTo("\ud83d\ude00".repeat(998) + "...");
        assertThat(Quoted.line("\n".repeat(1000))).isEqualTo("\\n".repeat(1000));
    }

    @Test
    void whatATerminalCouldObeyIsEscaped() {
        assertThat(Quoted.line("a\u001b[31m\nb")).isEqualTo("a\\u001b[31m\\nb");
        assertThat(Quoted.line(null)).isNull();
    }
}
