/**
 * Owns: the way from task files to batches: readers, prompt template, tokenizer, rows of token ids, shuffling, and the
 * threads that prepare batches ahead.
 *
 * <p>Does not own: tensors; a batch is plain arrays.
 *
 * <p>May call: config, task, error.
 */
package org.ewc4j.data;
