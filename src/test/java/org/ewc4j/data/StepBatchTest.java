package org.ewc4j.data;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class StepBatchTest {
    /** Rows of 3 to 9 tokens, of which the last 1 to 3 are the answer. */
    private static final List<TokenizedRow> ROWS = IntStream.range(0, 7)
            .mapToObj(i -> new TokenizedRow(
                    IntStream.range(0, 3 + i * 5 % 7).map(k -> 10 * i + k).toArray(), 2 + i * 5 % 7 - i % 2))
            .toList();

    @Test
    void microBatchesThatWereHalvedAreThoseOfASmallerBatchSize() {
        for (int rows : new int[] {1, 2, 3}) {
            StepBatch whole = new StepBatch(4, BatchLoader.inFileOrder(ROWS, 7, 99, 12));
            StepBatch parts = whole.inMicroBatchesOf(rows);
            List<Batch> expected = BatchLoader.inFileOrder(ROWS, rows, 99, 12);

            assertThat(parts.microBatches()).hasSameSizeAs(expected);
            for (int i = 0; i < expected.size(); i++) {
                assertThat(parts.microBatches().get(i))
                        .usingRecursiveComparison()
                        .isEqualTo(expected.get(i));
            }
            assertThat(parts.epoch()).isEqualTo(4);
            assertThat(parts.scoredPositions()).isEqualTo(whole.scoredPositions());
            assertThat(parts.tokens()).isEqualTo(whole.tokens());
            assertThat(parts.largestMicroBatch()).isEqualTo(rows);
        }
    }

    @Test
    void smallEnoughTheyStayAsTheyAre() {
        StepBatch step = new StepBatch(0, BatchLoader.inFileOrder(ROWS, 3, 99, 12));
        assertThat(step.inMicroBatchesOf(3)).isSameAs(step);
    }
}
