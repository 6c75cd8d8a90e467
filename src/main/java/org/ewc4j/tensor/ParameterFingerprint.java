package org.ewc4j.tensor;

/**
 * SHA-256 of parameters, in lower-case hexadecimal, and of what is left of them when they are saved in 16 bit: so that a
 * checkpoint is known for what it is a copy of.
 *
 * @param fp32 of the values as they are
 * @param fp16 of the values rounded to fp16; empty where it is not known
 * @param bf16 of the values rounded to bf16; empty where it is not known
 */
public record ParameterFingerprint(String fp32, String fp16, String bf16) {
    /** Of parameters in fp32. */
    public static ParameterFingerprint of(Arena parameters) {
        return new ParameterFingerprint(
                parameters.fingerprint(),
                parameters.fingerprint(StoredType.F16),
                parameters.fingerprint(StoredType.BF16));
    }

    /** Whether both are of the same parameters, of which one or both may have been saved in 16 bit. */
    public boolean isOfSame(ParameterFingerprint other) {
        return fp32.equals(other.fp32)
                || !fp16.isEmpty() && fp16.equals(other.fp16)
                || !bf16.isEmpty() && bf16.equals(other.bf16);
    }
}
