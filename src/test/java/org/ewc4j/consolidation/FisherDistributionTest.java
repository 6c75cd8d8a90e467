package org.ewc4j.consolidation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FisherDistributionTest {
    @Test
    void quantilesAreThoseOfTheSortedValues() {
        Random random = new Random(1);
        float[] values = new float[20_000];
        for (int i = 0; i < values.length; i++) {
            values[i] = i % 10 == 0 ? 0 : (float) Math.exp(5 * random.nextGaussian() - 20);
        }
        FisherDistribution whole = new FisherDistribution();
        whole.add(FloatBuffer.wrap(values, 0, 7_000));
        FisherDistribution rest = new FisherDistribution();
        rest.add(FloatBuffer.wrap(values, 7_000, 13_000));
        whole.add(rest);

        float[] sorted = values.clone();
        Arrays.sort(sorted);
        for (double share : new double[] {0.05, 0.2, 0.5, 0.95, 0.999, 1}) {
            float expected = sorted[(int) Math.ceil(share * sorted.length) - 1];
            assertThat(whole.quantile(share)).as("quantile " + share).isEqualTo(expected, within(2e-3 * expected));
        }
        double sum = 0;
        for (float value : values) {
            sum += value;
        }
        assertThat(whole.elements()).isEqualTo(values.length);
        assertThat(whole.zeroShare()).isEqualTo(0.1);
        assertThat(whole.mean()).isEqualTo(sum / values.length, within(1e-12 * sum));
        assertThat(whole.largest()).isEqualTo(sorted[sorted.length - 1]);
    }

    @Test
    void nothingAndZerosHaveNoSize() {
        FisherDistribution distribution = new FisherDistribution();
        assertThat(distribution.mean()).isZero();
        distribution.add(FloatBuffer.wrap(new float[5]));
        assertThat(distribution.quantile(0.5)).isZero();
        assertThat(distribution.zeroShare()).isEqualTo(1);
        assertThat(distribution.largest()).isZero();
    }

    @ParameterizedTest
    @ValueSource(floats = {-1e-9f, Float.NaN, Float.POSITIVE_INFINITY})
    void whatNoFisherHasIsRefused(float value) {
        assertThatThrownBy(() -> new FisherDistribution().add(FloatBuffer.wrap(new float[] {value})))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
