/**
 * Causal language models: GPT-NeoX, GPT-2 and LLaMA as libtorch modules over parameters that lie in our arenas.
 *
 * <p>Owns: config.json and which of its keys are understood, the forward pass, loss, greedy generation with its cache, random
 * initialisation, and checkpoint directories in and out.
 *
 * <p>Does not own: the buffers ({@code tensor}), text and token ids ({@code data}), the optimizer step ({@code train}).
 *
 * <p>May call: {@code config}, {@code task}, {@code data}, {@code tensor}, {@code kernel}, {@code error}; JavaCPP and
 * libtorch.
 */
package org.ewc4j.model;
