package org.ewc4j.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class CurveTest {
    @Test
    void downsamplingKeepsSpikesTheirPlacesAndTheOrder() {
        double[] y = new double[10_001];
        y[4321] = 9;
        y[7777] = -3;
        Curve curve = new Curve(IntStream.range(0, y.length).asDoubleStream().toArray(), y).downsample(200);

        assertThat(curve.size()).isEqualTo(200);
        assertThat(curve.x()).isSorted();
        assertThat(curve.max()).isEqualTo(9);
        for (int k = 0; k < curve.size(); k++) {
            assertThat(curve.y()[k]).isEqualTo(y[(int) curve.x()[k]]);
        }
        assertThat(curve.y()).contains(9, -3);
    }

    @Test
    void aShortCurveIsLeftAlone() {
        Curve curve = new Curve(new double[] {0, 1}, new double[] {5, Double.NaN});

        assertThat(curve.downsample(2)).isSameAs(curve);
    }

    @Test
    void aPointThatIsNotFiniteDoesNotHideItsNeighbours() {
        double[] y = {Double.NaN, 1, 2, 3, Double.NaN, Double.NaN, Double.NaN, Double.NaN};
        Curve curve = new Curve(IntStream.range(0, 8).asDoubleStream().toArray(), y).downsample(4);

        assertThat(curve.y()).containsExactly(1, 3, Double.NaN, Double.NaN);
    }

    @Test
    void runningMeanDoesNotReachOverTheStartOfATask() {
        Curve curve = new Curve(new double[] {0, 1, 2, 3, 4}, new double[] {1, 3, 5, 10, 20});

        assertThat(curve.runningMean(2, new int[] {0, 3}).y())
                .containsExactly(new double[] {1, 2, 4, 10, 15}, within(1e-12));
    }
}
