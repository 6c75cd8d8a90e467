package org.ewc4j.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Map;
import org.ewc4j.config.RunConfig;
import org.ewc4j.error.InvalidInputException;
import org.junit.jupiter.api.Test;

class PromptTemplateTest {
    @Test
    void rendersTheDefault() {
        assertThat(PromptTemplate.parse(RunConfig.DEFAULT_PROMPT).render("Who {x}?"))
                .isEqualTo("Question: Who {x}?\n Short Answer:");
    }

    @Test
    void rendersFieldsAndBraces() {
        PromptTemplate template = PromptTemplate.parse("{{{context}}}: {question}{question}{a b}");
        assertThat(template.fields()).containsExactlyInAnyOrder("a b", "context", "question");
        assertThat(template.render("q", Map.of("context", "c", "question", "not this", "a b", "!")::get))
                .isEqualTo("{c}: qq!");
        assertThatThrownBy(() -> template.render("q"))
                .hasMessage("prompt: the template \"{{{context}}}: {question}{question}{a b}\" names {context}, "
                        + "but only a question was given");
    }

    @Test
    void refusesWhatIsNoTemplate() {
        assertRefused("Hello", "has no {field}, so every prompt would be the same; put {question} in it");
        assertRefused("Hello {{question}}", "has no {field}, so every prompt would be the same; put {question} in it");
        assertRefused("{question", "has a { without a field name and } behind it; write {{ for a brace");
        assertRefused("{}", "has a { without a field name and } behind it; write {{ for a brace");
        assertRefused("{a{b}", "has a { without a field name and } behind it; write {{ for a brace");
        assertRefused("a } b", "has a } without a {; write }} for a brace");
    }

    private static void assertRefused(String template, String why) {
        assertThatThrownBy(() -> PromptTemplate.parse(template))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage("prompt: the template \"" + template + "\" " + why);
    }
}
