package org.ewc4j.bench;

import org.ewc4j.kernel.AdamWOptions;
import org.ewc4j.kernel.AdamWStep;
import org.ewc4j.kernel.Kernels;
import org.ewc4j.kernel.StepGuard;
import org.ewc4j.kernel.StepOutputs;
import org.ewc4j.kernel.StepSlots;
import org.ewc4j.kernel.TensorList;
import org.ewc4j.tensor.Arena;

/** The optimizer's pass as the benchmarks time it; all arenas fp32 and the caller's. */
record OptimizerPass(
        Kernels kernels, Arena theta, Arena firstMoment, Arena secondMoment, Arena gradient, StepSlots slots) {
    private static final AdamWOptions OPTIONS = AdamWOptions.withWeightDecay(5e-4);
    private static final AdamWStep STEP = new AdamWStep(100, 1e-5, 1, 1, 1);

    /** One pass, with the penalty of a Fisher about an anchor; both null: without. */
    void run(TensorList fisher, TensorList anchor) {
        kernels.adamwStep(
                theta.list(),
                firstMoment.list(),
                secondMoment.list(),
                gradient.list(),
                fisher,
                anchor,
                OPTIONS,
                STEP,
                StepGuard.NONE,
                StepOutputs.NONE,
                slots,
                0);
    }
}
