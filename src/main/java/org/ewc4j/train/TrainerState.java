package org.ewc4j.train;

/**
 * What a {@link Trainer} must know to go on, besides its moments.
 *
 * @param steps optimizer steps so far, over all tasks, those included whose update was left out
 * @param skipped how many of them were left out
 * @param skippedInARow how many of the last ones, one after the other
 * @param microBatchRows the most rows of a micro-batch that there is memory for, as far as is known; {@link Integer#MAX_VALUE}
 *     where it was never short
 */
public record TrainerState(long steps, long skipped, int skippedInARow, int microBatchRows) {}
