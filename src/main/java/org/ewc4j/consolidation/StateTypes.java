package org.ewc4j.consolidation;

import org.ewc4j.config.EwcConfig;
import org.ewc4j.kernel.ElementType;

/**
 * In which types F and θ* are kept: 8 bytes a parameter together in fp32, 4 with F in bf16 and θ* in 16 bit, 3 with F in 8
 * bit (and 4 bytes for each 256 parameters where F is int8 or θ* int16).
 *
 * @param fisher {@link ElementType#F32}, {@link ElementType#BF16} or {@link ElementType#U8_BLOCK256}
 * @param anchor any type
 */
public record StateTypes(ElementType fisher, ElementType anchor) {
    /** Both in fp32. */
    public static final StateTypes FULL = new StateTypes(ElementType.F32, ElementType.F32);

    /** What a configuration names. */
    public static StateTypes of(EwcConfig ewc) {
        return new StateTypes(
                switch (ewc.fisherType()) {
                    case FP32 -> ElementType.F32;
                    case BF16 -> ElementType.BF16;
                    case INT8 -> ElementType.U8_BLOCK256;
                },
                switch (ewc.anchorType()) {
                    case FP32 -> ElementType.F32;
                    case FP16 -> ElementType.F16;
                    case INT16 -> ElementType.I16_BLOCK256;
                    case BF16 -> ElementType.BF16;
                });
    }

    /** Of both together, without the steps of blocks. */
    public int bytesPerParameter() {
        return fisher.bytes() + anchor.bytes();
    }

    public StateTypes {
        if (fisher != ElementType.F32 && fisher != ElementType.BF16 && fisher != ElementType.U8_BLOCK256) {
            throw new IllegalArgumentException("a Fisher is kept in F32, BF16 or U8_BLOCK256, not in " + fisher);
        }
    }
}
