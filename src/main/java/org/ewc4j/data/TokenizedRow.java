package org.ewc4j.data;

/**
 * A training row as token ids, already cut to its maximum length, without padding.
 *
 * @param ids prompt, answer and end-of-sequence; or a piece of packed text
 * @param promptLength how many leading ids belong to the prompt (their labels are −100); at least 1, and 1 for text, whose
 *     first token has none before it that could predict it
 */
public record TokenizedRow(int[] ids, int promptLength) {}
