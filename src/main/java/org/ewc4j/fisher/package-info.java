/**
 * Estimates the diagonal of the Fisher information of a task that was just learned.
 *
 * <p>Owns: the pass over the task's training rows after its last epoch, and the kinds of estimate: how a batch's gradient
 * becomes a weighted square.
 *
 * <p>Does not own: how estimates of several tasks become one ({@code consolidation}), nor a buffer of its own: it adds into
 * the Fisher it is given.
 *
 * <p>May call: {@code model} and what lies below it.
 */
package org.ewc4j.fisher;
