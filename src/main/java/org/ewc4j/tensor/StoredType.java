package org.ewc4j.tensor;

import java.util.Locale;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** A dtype of the safetensors format, with its size in bytes and, where weights may have it, libtorch's scalar type. */
public enum StoredType {
    F64(8, null),
    F32(4, ScalarType.Float),
    F16(2, ScalarType.Half),
    BF16(2, ScalarType.BFloat16),
    I64(8, null),
    I32(4, null),
    I16(2, null),
    I8(1, null),
    U64(8, null),
    U32(4, null),
    U16(2, null),
    U8(1, null),
    BOOL(1, null),
    F8_E4M3(1, null),
    F8_E5M2(1, null);

    private final int bytes;
    private final ScalarType weightType;

    StoredType(int bytes, ScalarType weightType) {
        this.bytes = bytes;
        this.weightType = weightType;
    }

    public int bytes() {
        return bytes;
    }

    /** Whether a trained weight may be stored so: fp32, fp16 or bf16. */
    public boolean isWeight() {
        return weightType != null;
    }

    /** The name that transformers writes in config.json: float32, float16 or bfloat16. */
    public String transformersName() {
        return switch (this) {
            case F32 -> "float32";
            case F16 -> "float16";
            case BF16 -> "bfloat16";
            default -> name().toLowerCase(Locale.ROOT);
        };
    }

    ScalarType scalarType() {
        if (weightType == null) {
            throw new IllegalStateException(name() + " is not a type of weights");
        }
        return weightType;
    }
}
