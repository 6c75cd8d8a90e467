package org.ewc4j.model;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * Which rows of an embedding each example looks up: a slot for each pair of example and id. The gradient of an example
 * with respect to a row is the sum over the positions of its slot; what an example looks up twice is added before it is
 * squared.
 *
 * @param positions real positions, row · columns + column, without padding and without ids whose gradient is dropped
 * @param slots the slot of each position
 * @param ids the id of each slot
 * @param offsets of length rows + 1: the slots of example n are {@code offsets[n]} to {@code offsets[n + 1] − 1}
 */
record TokenSlots(long[] positions, long[] slots, long[] ids, int[] offsets) {
    /**
     * @param looked rows × columns ids, row-major, left-padded
     * @param lengths real positions per row
     * @param paddingIndex an id whose gradient is dropped, wherever it stands; −1 for none
     */
    static TokenSlots of(long[] looked, int[] lengths, long paddingIndex) {
        int rows = lengths.length;
        int columns = looked.length / rows;
        long[] positions = new long[looked.length];
        long[] slots = new long[looked.length];
        long[] ids = new long[looked.length];
        int[] offsets = new int[rows + 1];
        int count = 0;
        int slotCount = 0;
        for (int row = 0; row < rows; row++) {
            Map<Long, Integer> slotOfId = new HashMap<>();
            for (int column = columns - lengths[row]; column < columns; column++) {
                long id = looked[row * columns + column];
                if (id == paddingIndex) {
                    continue;
                }
                Integer slot = slotOfId.get(id);
                if (slot == null) {
                    slot = slotCount++;
                    slotOfId.put(id, slot);
                    ids[slot] = id;
                }
                positions[count] = (long) row * columns + column;
                slots[count++] = slot;
            }
            offsets[row + 1] = slotCount;
        }
        return new TokenSlots(
                Arrays.copyOf(positions, count), Arrays.copyOf(slots, count), Arrays.copyOf(ids, slotCount), offsets);
    }

    int count() {
        return ids.length;
    }
}
