package org.ewc4j.train;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Optional;
import org.ewc4j.config.PenaltyOptions;
import org.ewc4j.config.TrainingConfig.Schedule;
import org.junit.jupiter.api.Test;

class PenaltyBalanceTest {
    /** Steps with these ratios of the penalty's gradient to the loss's, under λ 200. */
    private static PenaltyBalance balance(double... ratios) {
        PenaltyBalance balance = new PenaltyBalance();
        for (double ratio : ratios) {
            balance.add(step(2, 200, 2 * ratio / 200));
        }
        return balance;
    }

    private static StepMetrics step(double gradNorm, double lambda, double displacementNorm) {
        return new StepMetrics(1, "b", 0, 0, 1, 0, 1, gradNorm, lambda, displacementNorm, 1e-3, 1, 1);
    }

    @Test
    void aPenaltyInBalanceIsNotWarnedAbout() {
        assertThat(balance(0, 0.04, 0.06, 0.07, 0.08).median()).isEqualTo(0.06);
        assertThat(balance(0, 0.04, 0.06, 0.07, 0.08).warning("b", 200)).isEmpty();
        assertThat(balance(19, 19, 1000).warning("b", 200)).isEmpty();
        assertThat(balance().warning("b", 200)).isEmpty();
        assertThat(balance(0).warning("b", 200)).isEmpty(); // a task of one step, which begins at the anchor
    }

    @Test
    void aPenaltyThatDoesNothingComesWithALambdaToTry() {
        assertThat(balance(0, 0.02, 0.04, 9).warning("b", 200))
                .hasValue(
                        "task 'b': ‖λF(θ−θ*)‖ is 0.030 times ‖g‖ in the median step, outside of 0.05 to 20: EWC does nothing at λ"
                                + " 200; λ ÷ that ratio would weigh both alike: try ewc.lambda 6.7e+03, or let `ewc4j sweep` look. A λ"
                                + " fits one kind of Fisher, unit and batch size alone (docs/methods.md)");
    }

    @Test
    void aPenaltyThatLetsNothingBeLearnedToo() {
        Optional<String> warning = balance(0, 50, 50, 50).warning("b", 200);
        assertThat(warning.orElseThrow())
                .contains(
                        "is 50 times ‖g‖",
                        "outside of 0.05 to 20: nothing new is learned at λ 200",
                        "try ewc.lambda 4.0e+00");
    }

    @Test
    void parametersThatDoNotMoveGiveNoLambda() {
        assertThat(balance(0, 0, 0).warning("b", 200).orElseThrow())
                .contains("EWC does nothing", "the parameters did not move, or their Fisher is 0")
                .doesNotContain("try ewc.lambda");
    }

    @Test
    void stepsWithoutAPenaltyOrAnUpdateSayNothing() {
        PenaltyBalance balance = new PenaltyBalance();
        balance.add(step(1, 0, 0.1));
        balance.add(step(Double.NaN, 200, 0.1));
        balance.add(new StepMetrics(1, "b", 0, 0, 1, 0, 1, 1, 200, 5, 1e-3, 1, 1, true));
        assertThat(balance.median()).isNaN();
        balance.add(step(1, 200, 0.1));
        assertThat(balance.median()).isEqualTo(20);
    }

    @Test
    void theMedianOfManyIsTheMeanOfTheMiddleTwo() {
        StepMedian median = new StepMedian();
        assertThat(median.median()).isNaN();
        for (int i = 1000; i >= 1; i--) {
            median.add(i);
        }
        median.add(Double.POSITIVE_INFINITY);
        assertThat(median.median()).isEqualTo(500.5);
    }

    @Test
    void lambdaRisesOverItsShareOfTheTaskAndThenFollowsItsSchedule() {
        PenaltyOptions options =
                PenaltyOptions.defaults().withLambdaWarmup(0.25).withLambdaSchedule(Schedule.LINEAR);
        StepSchedule lambda = StepSchedule.ofLambda(8, options, 8);
        assertThat(lambda.at(0)).isEqualTo(4);
        assertThat(lambda.at(1)).isEqualTo(8);
        assertThat(lambda.at(2)).isEqualTo(8);
        assertThat(lambda.at(5)).isEqualTo(4);
        StepSchedule whole = StepSchedule.ofLambda(8, PenaltyOptions.defaults().withLambdaWarmup(1), 4);
        assertThat(new double[] {whole.at(0), whole.at(1), whole.at(2), whole.at(3)})
                .containsExactly(2, 4, 6, 8);
        StepSchedule constant = StepSchedule.ofLambda(8, PenaltyOptions.defaults(), 4);
        assertThat(new double[] {constant.at(0), constant.at(3)}).containsExactly(8, 8);
    }
}
