package org.ewc4j.data;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class ReplayMemoryTest {
    private static final List<TokenizedRow> OWN = rows(900, 2);

    /** Rows that are told apart by their first id. */
    private static List<TokenizedRow> rows(int first, int count) {
        return IntStream.range(first, first + count)
                .mapToObj(id -> new TokenizedRow(new int[] {id, 1}, 1))
                .toList();
    }

    private static List<Integer> joined(ReplayMemory memory) {
        return memory.join(OWN).stream().map(row -> row.ids()[0]).toList();
    }

    private static ReplayMemory memory(int perTask, long seed) {
        ReplayMemory memory = new ReplayMemory(perTask, seed);
        memory.remember(0, rows(0, 50));
        memory.remember(1, rows(100, 50));
        return memory;
    }

    @Test
    void keepsSoManyRowsOfEachTaskBehindTheOwn() {
        List<Integer> rows = joined(memory(5, 7));

        assertThat(rows).hasSize(2 + 5 + 5).doesNotHaveDuplicates().startsWith(900, 901);
        assertThat(rows.subList(2, 7)).isSorted().allMatch(id -> id < 50);
        assertThat(rows.subList(7, 12)).isSorted().allMatch(id -> id >= 100);
        assertThat(rows.subList(2, 7))
                .as("each task has a draw of its own")
                .isNotEqualTo(rows.subList(7, 12).stream().map(id -> id - 100).toList());
    }

    @Test
    void whatIsKeptIsAFunctionOfTheSeed() {
        assertThat(joined(memory(5, 7))).isEqualTo(joined(memory(5, 7))).isNotEqualTo(joined(memory(5, 8)));
    }

    @Test
    void aSmallTaskIsKeptWholeAndNoneWithoutReplay() {
        ReplayMemory memory = new ReplayMemory(10, 0);
        memory.remember(0, rows(0, 3));

        assertThat(joined(memory)).containsExactly(900, 901, 0, 1, 2);
        assertThat(ReplayMemory.kept(3, 10)).isEqualTo(3);
        assertThat(joined(memory(0, 0))).containsExactly(900, 901);
    }
}
