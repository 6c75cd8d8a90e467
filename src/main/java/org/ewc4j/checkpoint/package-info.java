/**
 * How the state of a training lies on disk, so that a killed one can go on.
 *
 * <p>Owns: the folder of a checkpoint with its checksums, the writing beside the training, which checkpoint is the newest
 * whole one and which are kept, the lock on an output folder.
 *
 * <p>Does not own: what the state is made of ({@code ContinualLearner}, {@code ContinualRun}), when it is saved.
 *
 * <p>May call: {@code tensor} and what lies below it.
 */
package org.ewc4j.checkpoint;
