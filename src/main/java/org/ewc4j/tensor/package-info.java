/**
 * Memory that holds parameters and their kin: layouts, arenas and the safetensors format.
 *
 * <p>Owns: where each named parameter lies in a flat buffer, the buffers themselves (parameters, gradients, moments, Fisher,
 * anchor) from allocation to close, and reading and writing of safetensors files.
 *
 * <p>Does not own: what a tensor means to a model ({@code model}), the arithmetic on it ({@code kernel}).
 *
 * <p>May call: {@code kernel}, {@code error}; JavaCPP and libtorch.
 */
package org.ewc4j.tensor;
