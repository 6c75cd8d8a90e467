package org.ewc4j.kernel;

/** What a list's elements are; the values are those of {@code ewc_dtype} in ewc.h. */
public enum ElementType {
    /** IEEE 754 single precision. */
    F32(4),
    /** IEEE 754 half precision. */
    F16(2),
    /** bfloat16: the upper half of a single. */
    BF16(2),
    /**
     * Signed 16-bit levels, and behind them one f32 step for each 256 elements (ewc.h has the layout). For what is read
     * more often than written, such as θ*: off by at most half a step, the block's largest magnitude over 65,534.
     */
    I16_BLOCK256(2),
    /**
     * Unsigned 8-bit levels of the root, and behind them one f32 scale for each 256 elements (ewc.h has the layout). For what
     * is never negative and read more often than written, such as F: a root is off by at most 1/510 of the block's largest.
     */
    U8_BLOCK256(1);

    private final int bytes;

    ElementType(int bytes) {
        this.bytes = bytes;
    }

    /** Size of one element in bytes, without the steps of blocks. */
    public int bytes() {
        return bytes;
    }

    /**
     * Size of a tensor in bytes, the steps of blocks included.
     *
     * @param elementCount 0 or more
     * @throws KernelArgumentException where elementCount is negative or beyond what can be addressed
     */
    public long bytes(long elementCount) {
        NativeLibrary.load();
        long all = EwcLibrary.ewc_segment_bytes(code(), elementCount);
        if (all < 0) {
            throw new KernelArgumentException(
                    "ElementType.bytes: elementCount: expected 0 to 2^60 - 1, came " + elementCount);
        }
        return all;
    }

    /** Whether a step for each 256 elements lies behind them. */
    public boolean hasSteps() {
        return this == I16_BLOCK256 || this == U8_BLOCK256;
    }

    int code() {
        return ordinal();
    }
}
