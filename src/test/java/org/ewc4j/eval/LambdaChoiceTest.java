package org.ewc4j.eval;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Optional;
import org.ewc4j.error.RunFailedException;
import org.junit.jupiter.api.Test;

class LambdaChoiceTest {
    private static final double NONE = Double.NaN;

    /** Two tasks of which the first ends at {@code first} and the second at {@code second} per cent. */
    private static LambdaTrial trial(double lambda, double first, double second, double loss) {
        return new LambdaTrial(
                lambda,
                AccuracyMatrix.ofRows(new double[][] {{90, NONE}, {first, second}}),
                AccuracyMatrix.ofRows(new double[][] {{0.1, NONE}, {loss, loss + 1}}),
                1,
                Optional.empty());
    }

    private static LambdaTrial failed(double lambda) {
        return new LambdaTrial(
                lambda,
                AccuracyMatrix.ofRows(new double[][] {{90, NONE}, {NONE, NONE}}),
                AccuracyMatrix.ofRows(new double[][] {{0.1, NONE}, {NONE, NONE}}),
                NONE,
                Optional.of("lm_loss is NaN"));
    }

    private static double best(LambdaTrial... trials) {
        return LambdaChoice.of(List.of("a", "b"), "train", 10, List.of(trials))
                .best()
                .lambda();
    }

    @Test
    void theHighestAverageIsTaken() {
        assertThat(best(trial(0, 0, 90, 1), trial(100, 80, 80, 2), trial(1000, 90, 20, 0.5)))
                .isEqualTo(100);
    }

    @Test
    void averagesLessThanFivePointsApartAreToldApartByTheirLoss() {
        assertThat(best(trial(0, 0, 90, 1), trial(100, 80, 80, 2), trial(10, 72, 79, 1.5)))
                .isEqualTo(10);
        assertThat(best(trial(0, 0, 90, 1), trial(100, 80, 80, 2), trial(10, 70, 80, 1.5)))
                .as("5 points are enough")
                .isEqualTo(100);
        assertThat(best(trial(100, 80, 80, 2), trial(10, 80, 80, 2)))
                .as("equals: the smaller")
                .isEqualTo(10);
    }

    /** A λ that holds on to the questions and lets no text be learned is not the best. */
    @Test
    void whereOneTaskIsTextTheLossAloneCounts() {
        assertThat(best(trial(0, 0, NONE, 3), trial(100, 80, NONE, 1), trial(1e30, 90, NONE, 5)))
                .isEqualTo(100);
    }

    @Test
    void whatFailedIsNotTaken() {
        LambdaChoice choice = LambdaChoice.of(List.of("a", "b"), "train", 10, List.of(failed(1e9), trial(0, 0, 90, 1)));
        assertThat(choice.best().lambda()).isZero();
        assertThat(choice.trials()).extracting(LambdaTrial::lambda).containsExactly(0.0, 1e9);
        assertThatThrownBy(() -> best(failed(1), failed(2)))
                .isInstanceOf(RunFailedException.class)
                .hasMessage("every λ that was tried failed; with λ 1.0: lm_loss is NaN");
    }

    @Test
    void plasticityIsWhatWasLearnedAndForgettingWhatWasLost() {
        LambdaTrial trial = trial(100, 60, 70, 2);
        assertThat(trial.average()).hasValue(65);
        assertThat(trial.forgetting()).hasValue(30);
        assertThat(trial.plasticity()).hasValue(70);
        assertThat(trial.averageTokenLoss()).hasValue(2.5);
        assertThat(failed(1).plasticity()).isEmpty();
    }
}
