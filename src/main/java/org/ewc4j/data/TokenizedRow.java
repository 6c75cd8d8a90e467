package org.ewc4j.data;

/**
 * A training row as token ids, already cut to its maximum length from the left, without padding.
 *
 * @param ids prompt, answer and end-of-sequence
 * @param promptLength how many leading ids belong to the prompt (their labels are −100); at least 1
 */
public record TokenizedRow(int[] ids, int promptLength) {}
