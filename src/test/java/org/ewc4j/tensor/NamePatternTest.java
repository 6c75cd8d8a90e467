package org.ewc4j.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.ewc4j.error.InvalidInputException;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class NamePatternTest {
    private static final ParameterLayout LAYOUT = layout("embed.weight", "layers.0.w", "layers.1.w", "head.weight");

    private static ParameterLayout layout(String... names) {
        Map<String, long[]> shapes = new LinkedHashMap<>();
        Arrays.stream(names).forEach(name -> shapes.put(name, new long[] {2, names.length}));
        return ParameterLayout.of(shapes);
    }

    private static List<NamePattern> patterns(String... texts) {
        return Arrays.stream(texts).map(NamePattern::new).toList();
    }

    @ParameterizedTest
    @CsvSource({
        "*, layers.0.w, true",
        "layers.0.w, layers.0.w, true",
        "layers.0.w, layers.0.ww, false",
        "layers.0, layers.0.w, false",
        "layers.*, layers.10.attention.w, true",
        "*.w, layers.0.w, true",
        "*.w, layers.0.w.bias, false",
        "layers.?.w, layers.1.w, true",
        "layers.?.w, layers.11.w, false",
        "l*s.*w, layers.0.w, true",
        "layers.0.w*, layers.0.w, true",
        "layersX0.w, layers.0.w, false",
        "*a*b, aab, true",
        "*a*b, aba, false",
    })
    void aStarIsAnyCharactersAndTheRestItself(String pattern, String name, boolean matches) {
        assertThat(new NamePattern(pattern).matches(name)).isEqualTo(matches);
    }

    @Test
    void noPatternTakesLong() {
        NamePattern pattern = new NamePattern("*a".repeat(2000) + "b");
        Assertions.assertTimeout(
                Duration.ofSeconds(5),
                () -> assertThat(pattern.matches("a".repeat(5000))).isFalse());
    }

    @Test
    void whatIsFrozenIsNotAmongTheTrained() {
        TrainedParameters trained = TrainedParameters.without(patterns("embed.*", "*.1.*"), LAYOUT);
        assertThat(trained.parameters())
                .extracting(ParameterLayout.Parameter::name)
                .containsExactly("layers.0.w", "head.weight");
        assertThat(trained.indices()).containsExactly(1, 3);
        assertThat(trained.isAll()).isFalse();
        assertThat(trained.elements()).isEqualTo(16);
        assertThat(trained.contains("embed.weight")).isFalse();
        assertThat(TrainedParameters.without(List.of(), LAYOUT).isAll()).isTrue();
    }

    @Test
    void theFirstPatternThatMatchesCounts() {
        TrainedParameters trained = TrainedParameters.without(patterns("head.*"), LAYOUT);
        double[] factors = trained.byPattern("ewc.groups", patterns("layers.0.*", "layers.*"), new double[] {0.5, 3});
        assertThat(factors).containsExactly(1, 0.5, 3);
        assertThat(trained.byPattern("ewc.groups", List.of(), new double[0])).isNull();
    }

    @Test
    void aPatternThatMatchesNothingIsNamed() {
        assertThatThrownBy(() -> TrainedParameters.without(patterns("embed.*", "head.bias"), LAYOUT))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage("training.freeze: \"head.bias\" matches no parameter of the model; names are those of"
                        + " model.safetensors, such as layers.1.w, and * stands for any characters");
        assertThatThrownBy(
                        () -> TrainedParameters.all(LAYOUT).byPattern("ewc.groups", patterns("h.*"), new double[] {1}))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageStartingWith("ewc.groups: \"h.*\" matches no parameter of the model");
        assertThatThrownBy(() -> TrainedParameters.without(patterns("*"), LAYOUT))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage(
                        "training.freeze: its patterns match every parameter, so that nothing is trained; leave some out");
    }
}
