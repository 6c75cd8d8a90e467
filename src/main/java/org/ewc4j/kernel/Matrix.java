package org.ewc4j.kernel;

/**
 * Where a row-major matrix lies that a verb reads, one row a position of a batch: the inputs of a layer, or the gradient of
 * the loss with respect to its outputs. Only an address: the caller keeps the memory alive during the call.
 *
 * @param type f32 or bf16
 * @param address of the first element, aligned to it; anything where there are no elements
 * @param columns elements of a row, 0 or more
 * @param stride elements from one row to the next, {@code columns} or more
 */
public record Matrix(ElementType type, long address, long columns, long stride) {
    /** A matrix whose rows follow each other without a gap. */
    public static Matrix contiguous(ElementType type, long address, long columns) {
        return new Matrix(type, address, columns, columns);
    }
}
