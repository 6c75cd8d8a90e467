package org.ewc4j.eval;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import java.util.OptionalDouble;
import org.ewc4j.config.EvaluationConfig.Split;
import org.junit.jupiter.api.Test;

class ContinualMetricsTest {
    private static final double NOT = Double.NaN;
    private static final double EPS = 1e-12;

    @Test
    void metricsOfThreeTasksComputedByHand() {
        ContinualMetrics metrics = metrics(new double[][] {
            {90, NOT, NOT},
            {60, 80, NOT},
            {70, 50, 100},
        });

        assertClose(metrics.average(), (70 + 50 + 100) / 3.0);
        assertClose(metrics.averageIncremental(), (90 + 70 + 220 / 3.0) / 3.0);
        // task 0: max(90, 60, 70) − 70 = 20; task 1: max(80, 50) − 50 = 30
        assertClose(metrics.forgetting(), 25);
        assertClose(metrics.backwardTransfer(), ((70 - 90) + (50 - 80)) / 2.0);
    }

    @Test
    void forgettingIsZeroAndTransferPositiveWhereOldTasksImprove() {
        ContinualMetrics metrics = metrics(new double[][] {{40, NOT}, {60, 90}});

        assertThat(metrics.forgetting()).hasValue(0.0);
        assertThat(metrics.backwardTransfer()).hasValue(20.0);
    }

    @Test
    void entriesAboveTheDiagonalDoNotEnter() {
        double[][] seen = {{90, NOT, NOT}, {60, 80, NOT}, {70, 50, 100}};
        double[][] all = {{90, 99, 98}, {60, 80, 97}, {70, 50, 100}};

        assertThat(metrics(all)).isEqualTo(metrics(seen));
    }

    @Test
    void oneTaskHasNeitherForgettingNorTransfer() {
        ContinualMetrics metrics = metrics(new double[][] {{75}});

        assertThat(metrics.average()).hasValue(75.0);
        assertThat(metrics.averageIncremental()).hasValue(75.0);
        assertThat(metrics.forgetting()).isEmpty();
        assertThat(metrics.backwardTransfer()).isEmpty();
    }

    @Test
    void scoredAtTheEndOnlyLeavesTheAverageAlone() {
        ContinualMetrics metrics = metrics(new double[][] {{NOT, NOT}, {50, 70}});

        assertThat(metrics.average()).hasValue(60.0);
        assertThat(metrics.averageIncremental()).isEmpty();
        assertThat(metrics.forgetting()).isEmpty();
        assertThat(metrics.backwardTransfer()).isEmpty();
    }

    @Test
    void oneMissingEntryEmptiesOnlyWhatNeedsIt() {
        // R[1][0] is part of the incremental average and of the maximum, not of the last row or the diagonal.
        ContinualMetrics metrics = metrics(new double[][] {{90, NOT, NOT}, {NOT, 80, NOT}, {70, 50, 100}});

        assertThat(metrics.average()).isPresent();
        assertThat(metrics.averageIncremental()).isEmpty();
        assertThat(metrics.forgetting()).isEmpty();
        assertThat(metrics.backwardTransfer()).hasValue(-25.0);
    }

    @Test
    void aRunThatIsNotOverHasNoFinalMetrics() {
        ContinualMetrics metrics = metrics(new double[][] {{90, NOT}, {NOT, NOT}});

        assertThat(metrics).isEqualTo(metrics(new double[][] {{NOT, NOT}, {NOT, NOT}}));
        assertThat(metrics.average()).isEmpty();
    }

    @Test
    void aTaskOfTextDoesNotEnterExactMatch() {
        ContinualMetrics mixed = metrics(
                new double[][] {{NOT, NOT, NOT, NOT}, {NOT, 90, NOT, NOT}, {NOT, 80, NOT, NOT}, {NOT, 70, NOT, 50}});

        assertThat(mixed.average()).hasValue(60.0);
        // After tasks 1, 2 and 3; after task 0 there was nothing to score.
        assertClose(mixed.averageIncremental(), (90 + 80 + 60) / 3.0);
        assertThat(mixed.forgetting()).hasValue(20.0);
        assertThat(mixed.backwardTransfer()).hasValue(-20.0);
    }

    @Test
    void perplexityIsOfTextAlone() {
        AccuracyMatrix accuracy = AccuracyMatrix.ofRows(new double[][] {{NOT, NOT}, {NOT, 90}});
        AccuracyMatrix loss = AccuracyMatrix.ofRows(new double[][] {{1, NOT}, {2, 3}});

        AccuracyMatrix perplexity = loss.perplexityOfText(accuracy);

        assertThat(perplexity.get(1, 0)).hasValue(Math.exp(2));
        assertThat(perplexity.get(0, 1)).isEmpty();
        assertThat(perplexity.get(1, 1)).isEmpty();
    }

    @Test
    void averageOverSeenTasks() {
        AccuracyMatrix matrix = AccuracyMatrix.ofRows(new double[][] {{90, 10}, {60, 80}});

        assertThat(ContinualMetrics.averageSeen(matrix, 0)).hasValue(90.0);
        assertThat(ContinualMetrics.averageSeen(matrix, 1)).hasValue(70.0);
    }

    @Test
    void matrixTakesOnlyItsSplitAndKeepsAccuracyAndLossApart() {
        List<TaskScore> scores = List.of(
                new TaskScore(0, 0, "a", Split.TRAIN, 90, 0.5, List.of()),
                new TaskScore(0, 0, "a", Split.TEST, 30, 2.5, List.of()),
                new TaskScore(1, 0, "a", Split.TRAIN, 60, Double.NaN, List.of()));

        AccuracyMatrix train = AccuracyMatrix.ofExactMatch(2, scores, Split.TRAIN);
        assertThat(train.get(0, 0)).hasValue(90.0);
        assertThat(train.get(1, 0)).hasValue(60.0);
        assertThat(train.get(1, 1)).isEmpty();
        assertThat(AccuracyMatrix.ofExactMatch(2, scores, Split.TEST).get(0, 0)).hasValue(30.0);
        AccuracyMatrix loss = AccuracyMatrix.ofTokenLoss(2, scores, Split.TRAIN);
        assertThat(loss.get(0, 0)).hasValue(0.5);
        assertThat(loss.get(1, 0)).as("a loss that is not a number").isEmpty();
        assertThat(AccuracyMatrix.ofExactMatch(2, List.of(), Split.TEST).isEmpty())
                .isTrue();
        assertThat(train.isEmpty()).isFalse();
    }

    @Test
    void rowsMustBeSquareAndAreCopied() {
        assertThatThrownBy(() -> AccuracyMatrix.ofRows(new double[][] {{1, 2}}))
                .isInstanceOf(IllegalArgumentException.class);
        double[][] rows = {{1}};
        AccuracyMatrix matrix = AccuracyMatrix.ofRows(rows);
        rows[0][0] = 2;
        assertThat(matrix.get(0, 0)).hasValue(1.0);
    }

    private static ContinualMetrics metrics(double[][] rows) {
        return ContinualMetrics.of(AccuracyMatrix.ofRows(rows));
    }

    private static void assertClose(OptionalDouble actual, double expected) {
        assertThat(actual).isPresent();
        assertThat(actual.getAsDouble()).isCloseTo(expected, within(EPS));
    }
}
