package org.ewc4j.train;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class LossSpikesTest {
    private static List<Integer> warned(double... losses) {
        LossSpikes spikes = new LossSpikes();
        List<Integer> at = new ArrayList<>();
        for (int i = 0; i < losses.length; i++) {
            if (spikes.next(losses[i]).isPresent()) {
                at.add(i);
            }
        }
        return at;
    }

    private static double[] level(double level, int count, double... then) {
        double[] losses = new double[count + then.length];
        for (int i = 0; i < count; i++) {
            losses[i] = level * (1 + 0.1 * (i % 3));
        }
        System.arraycopy(then, 0, losses, count, then.length);
        return losses;
    }

    @Test
    void aLeapIsToldOfOnce() {
        assertThat(warned(level(2, 30, 9, 12, 8, 2.1, 2, 9))).containsExactly(30, 35);
    }

    @Test
    void neitherNoiseNorASmallLossNorTheBeginIsALeap() {
        assertThat(warned(level(2, 80, 5, 5.5))).isEmpty();
        assertThat(warned(level(0.001, 80, 0.1, 0.4))).isEmpty();
        assertThat(warned(level(2, 10, 50))).isEmpty();
    }

    @Test
    void theMedianIsThatOfTheLastSteps() {
        LossSpikes spikes = new LossSpikes();
        for (double loss : level(9, 100)) {
            spikes.next(loss);
        }
        for (double loss : level(1, 64)) {
            spikes.next(loss);
        }
        assertThat(spikes.next(6)).hasValueCloseTo(1.1, org.assertj.core.data.Offset.offset(0.11));
    }
}
