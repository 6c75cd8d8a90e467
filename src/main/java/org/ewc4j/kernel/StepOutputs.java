package org.ewc4j.kernel;

/**
 * What an AdamW step writes in its pass beside θ and the moments.
 *
 * @param zeroGradient whether the gradient is set to zero, ready for the next backward
 * @param thetaCopy receives θ after the step, in bf16 or f16; null: none
 */
public record StepOutputs(boolean zeroGradient, TensorList thetaCopy) {
    /** Nothing beside. */
    public static final StepOutputs NONE = new StepOutputs(false, null);
}
