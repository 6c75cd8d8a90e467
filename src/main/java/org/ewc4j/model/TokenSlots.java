package org.ewc4j.model;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * Which rows of an embedding each example looks up: a slot for each pair of example and id. The gradient of an example
 * with respect to a row is the sum over the positions of its slot; what an example looks up twice is added before it is
 * squared.
 *
 * @param positions tokens, without those whose gradient is dropped
 * @param slots the slot of each position
 * @param ids the id of each slot
 * @param offsets of length rows + 1: the slots of example n are {@code offsets[n]} to {@code offsets[n + 1] − 1}
 */
record TokenSlots(long[] positions, long[] slots, long[] ids, int[] offsets) {
    /**
     * @param looked the id of each token
     * @param tokens of length rows + 1: those of example n are {@code tokens[n]} to {@code tokens[n + 1] − 1}
     * @param paddingIndex an id whose gradient is dropped, wherever it stands; −1 for none
     */
    static TokenSlots of(long[] looked, long[] tokens, long paddingIndex) {
        int rows = tokens.length - 1;
        long[] positions = new long[looked.length];
        long[] slots = new long[looked.length];
        long[] ids = new long[looked.length];
        int[] offsets = new int[rows + 1];
        int count = 0;
        int slotCount = 0;
        for (int row = 0; row < rows; row++) {
            Map<Long, Integer> slotOfId = new HashMap<>();
            for (int token = (int) tokens[row]; token < tokens[row + 1]; token++) {
                long id = looked[token];
                if (id == paddingIndex) {
                    continue;
                }
                Integer slot = slotOfId.get(id);
                if (slot == null) {
                    slot = slotCount++;
                    slotOfId.put(id, slot);
                    ids[slot] = id;
                }
                positions[count] = token;
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
