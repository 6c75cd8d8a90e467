package org.ewc4j.consolidation;

import org.ewc4j.config.EwcConfig;
import org.ewc4j.kernel.ElementType;

/**
 * In which types F and θ* are kept: 8 bytes a parameter together in fp32, 4 with F in bf16 and θ* in 16 bit (and 4 bytes
 * for each 256 parameters where θ* is int16).
 *
 * @param fisher {@link ElementType#F32} or {@link ElementType#BF16}
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
                },
                switch (ewc.anchorType()) {
                    case FP32 -> ElementType.F32;
                    case FP16 -> ElementType.F16;
                    case INT16 -> ElementType.I16_BLOCK256;
                    case BF16 -> ElementType.BF16;
                });
    }

    /** Of both together, without the steps of an int16 anchor. */
    public int bytesPerParameter() {
        return fisher.bytes() + anchor.bytes();
    }

    public StateTypes {
        if (fisher != ElementType.F32 && fisher != ElementType.BF16) {
            throw new IllegalArgumentException("a Fisher is kept in F32 or BF16, not in " + fisher);
        }
    }
}
