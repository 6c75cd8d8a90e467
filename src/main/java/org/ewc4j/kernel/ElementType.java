package org.ewc4j.kernel;

/** What a list's elements are; the values are those of {@code ewc_dtype} in ewc.h. */
public enum ElementType {
    /** IEEE 754 single precision. */
    F32(4),
    /** IEEE 754 half precision. */
    F16(2),
    /** bfloat16: the upper half of a single. */
    BF16(2);

    private final int bytes;

    ElementType(int bytes) {
        this.bytes = bytes;
    }

    /** Size of one element in bytes. */
    public int bytes() {
        return bytes;
    }

    int code() {
        return ordinal();
    }
}
