package org.ewc4j.fisher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.ewc4j.data.Batch;
import org.ewc4j.data.BatchLoader;
import org.ewc4j.data.RowLimit;
import org.ewc4j.data.StepBatch;
import org.ewc4j.data.TokenizedRow;
import org.ewc4j.error.RunFailedException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A pass over more rows than there is memory for at once counts every row once. What is accumulated here is how often it was. */
class FisherPassTest {
    private static final int ROWS = 23;
    private static final int BATCH = 8;

    private final RowLimit memory = new RowLimit();
    private final TreeMap<Integer, Integer> fisher = new TreeMap<>();
    private final List<Integer> told = new ArrayList<>();

    private static List<StepBatch> batches() {
        List<TokenizedRow> rows = new ArrayList<>();
        for (int i = 0; i < ROWS; i++) {
            rows.add(new TokenizedRow(new int[] {1, 2, 3}, 1));
        }
        return BatchLoader.inFileOrder(rows, BATCH, 0, 4).stream()
                .map(batch -> new StepBatch(0, List.of(batch)))
                .toList();
    }

    private void add(Batch batch) {
        Arrays.stream(batch.examples()).forEach(row -> fisher.merge(row, 1, Integer::sum));
    }

    private static void requireMemory(Batch batch, int most) {
        if (batch.rows() > most) {
            throw new IllegalStateException("[enforce fail] DefaultCPUAllocator: can't allocate memory");
        }
    }

    /** Adds a batch when all of it was read, as the batch Fisher does. */
    private Consumer<StepBatch> atOnce(int most) {
        return batch -> {
            batch.microBatches().forEach(part -> requireMemory(part, most));
            batch.microBatches().forEach(this::add);
        };
    }

    /** Adds a part of a micro-batch before it knows whether there is memory for all, as the example Fisher does. */
    private Consumer<StepBatch> onTheWay(int most) {
        return batch -> batch.microBatches().forEach(part -> {
            add(part);
            requireMemory(part, most);
        });
    }

    private FisherReading beginAnew(FisherReading held) {
        fisher.clear();
        return FisherReading.NONE;
    }

    /** The loss of every row is 1, so that what was read tells how many losses it must have counted. */
    private void pass(int done, UnaryOperator<FisherReading> takeBack, Consumer<StepBatch> read) {
        FisherPass.forEach(
                batches(),
                new FisherReading(done, done),
                memory,
                reading -> {
                    assertThat(reading.tokenLosses()).isEqualTo(reading.examples());
                    told.add(reading.examples());
                },
                takeBack,
                batch -> {
                    read.accept(batch);
                    return batch.examples();
                });
    }

    private void assertEveryRowOnce(int from) {
        TreeMap<Integer, Integer> expected = new TreeMap<>();
        for (int row = from; row < ROWS; row++) {
            expected.put(row, 1);
        }
        assertThat(fisher).isEqualTo(expected);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 5, 7, 8})
    void aBatchThatIsAddedWholeIsReadInParts(int most) {
        pass(0, held -> held, atOnce(most));
        assertEveryRowOnce(0);
        assertThat(told).containsExactly(8, 16, 23);
        assertThat(memory.rows()).isEqualTo(most == 8 ? Integer.MAX_VALUE : most >= 4 ? 4 : most >= 2 ? 2 : 1);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 5, 7, 8})
    void whatIsAddedOnTheWayBeginsAnew(int most) {
        pass(0, this::beginAnew, onTheWay(most));
        assertEveryRowOnce(0);
        assertThat(told).endsWith(8, 16, 23);
    }

    /** As where other programs take the memory meanwhile. */
    @Test
    void aBatchFarBehindTheFirstFails() {
        int[] read = {0};
        pass(0, this::beginAnew, batch -> onTheWay(++read[0] < 3 ? BATCH : 3).accept(batch));
        assertEveryRowOnce(0);
        assertThat(told).containsExactly(8, 16, 8, 16, 23);
    }

    @Test
    void aPassThatWentOnTakesBackWhatWasReadBeforeToo() {
        for (int row = 0; row < BATCH; row++) {
            fisher.put(row, 1);
        }
        pass(BATCH, this::beginAnew, onTheWay(4));
        assertEveryRowOnce(0);
    }

    @Test
    void aPassThatWentOnKeepsWhatWasReadBeforeWhereABatchIsAddedWhole() {
        pass(BATCH, held -> held, atOnce(4));
        assertEveryRowOnce(BATCH);
        assertThat(told).containsExactly(16, 23);
    }

    @Test
    void noMemoryForASingleRowEndsThePass() {
        assertThatThrownBy(() -> pass(0, held -> held, atOnce(0)))
                .isInstanceOf(RunFailedException.class)
                .hasMessage("there is no memory for the Fisher pass with a single row; a smaller training.max_length"
                        + " needs less");
        assertThat(fisher).isEmpty();
    }

    @Test
    void anotherFailureIsNotTriedAgain() {
        IllegalStateException failure = new IllegalStateException("broken");
        assertThatThrownBy(() -> pass(0, held -> held, batch -> {
                    throw failure;
                }))
                .isSameAs(failure);
        assertThat(memory.rows()).isEqualTo(Integer.MAX_VALUE);
    }

    /** Whoever is told of progress is not part of what is tried again. */
    @Test
    void aListenerWithoutMemoryIsNotTriedAgain() {
        OutOfMemoryError failure = new OutOfMemoryError("Physical memory usage is too high");
        assertThatThrownBy(() -> FisherPass.forEach(
                        batches(),
                        FisherReading.NONE,
                        memory,
                        reading -> {
                            throw failure;
                        },
                        held -> held,
                        batch -> 0))
                .isSameAs(failure);
    }
}
