package org.ewc4j.eval;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class TokenLossMetricsTest {
    private static final double NOT = Double.NaN;

    private static TokenLossMetrics metrics(double[][] rows) {
        return TokenLossMetrics.of(AccuracyMatrix.ofRows(rows));
    }

    @Test
    void averageLearnedAndForgotten() {
        TokenLossMetrics metrics = metrics(new double[][] {{1, 9, 9}, {0.5, 2, 9}, {2, 2.5, 4}});

        assertThat(metrics.average()).hasValue((2 + 2.5 + 4) / 3);
        assertThat(metrics.learned()).hasValue((1 + 2 + 4) / 3.0);
        // From the lowest since it was learned, not from the diagonal: 2 − 0.5 and 2.5 − 2.
        assertThat(metrics.forgetting()).hasValue((1.5 + 0.5) / 2);
    }

    @Test
    void whatWasNotScoredEmptiesWhatNeedsIt() {
        TokenLossMetrics onlyAtTheEnd = metrics(new double[][] {{NOT, NOT}, {2, 3}});
        assertThat(onlyAtTheEnd.average()).hasValue(2.5);
        assertThat(onlyAtTheEnd.learned()).isEmpty();
        assertThat(onlyAtTheEnd.forgetting()).isEmpty();

        TokenLossMetrics one = metrics(new double[][] {{2}});
        assertThat(one.learned()).hasValue(2);
        assertThat(one.forgetting()).isEmpty();
    }
}
