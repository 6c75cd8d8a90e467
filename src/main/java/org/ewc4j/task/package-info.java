/**
 * Owns: what a task is, and a sequence of them.
 *
 * <p>Does not own: where tasks come from, or their tokens.
 *
 * <p>May call: error.
 */
package org.ewc4j.task;
