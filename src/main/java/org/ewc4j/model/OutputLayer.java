package org.ewc4j.model;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorArrayRefOptional;
import org.bytedeco.pytorch.global.torch;
import org.ewc4j.kernel.ElementType;
import org.ewc4j.kernel.Kernels;
import org.ewc4j.kernel.ProfilerRange;
import org.ewc4j.kernel.StepSlots;

/**
 * The output embedding with the loss behind it. Logits are formed at scored positions only, the rest would be multiplied by
 * zero, and the softmax, its loss and its gradient are one native pass that leaves the gradient where the logits were:
 * autograd keeps neither. From there two products give the gradients of the embedding and of the hidden states.
 */
final class OutputLayer {
    /** Logits are formed for as many rows at once as fit, so that a large batch does not need a large vocabulary's worth of memory. */
    static final long LOGIT_BYTES = 256L << 20;

    private final Tensor weight;
    private final Kernels kernels;
    private final ElementType type;
    private final long rowsAtOnce;

    /** @param weight (vocabulary, hidden size), a leaf whose gradient is accumulated */
    OutputLayer(Tensor weight, Kernels kernels, ElementType type) {
        this.weight = weight;
        this.kernels = kernels;
        this.type = type;
        this.rowsAtOnce = Math.max(1, LOGIT_BYTES / (weight.size(0) * type.bytes()));
    }

    /**
     * Adds the gradient of (Σ token losses) ÷ {@code divisor} to those of the weight and of everything before it, and Σ token
     * losses to the slot's loss.
     *
     * @param hidden (rows, columns, hidden size), with its graph
     * @param first whether the slot's loss begins anew
     */
    void learn(Tensor hidden, StagedBatch batch, long divisor, StepSlots slots, int slot, boolean first) {
        Tensor scored = scored(hidden, batch);
        Tensor gradient;
        try (NoGradGuard guard = new NoGradGuard();
                ProfilerRange range = ProfilerRange.open("output layer")) {
            gradient = torch.empty_like(scored);
            slots.putLossScale(slot, 1.0 / divisor);
            forEachRun(batch, (from, count) -> {
                Tensor x = scored.detach().narrow(0, from, count);
                Tensor logits = torch.linear(x, weight);
                long targets = batch.targets().narrow(0, from, count).data_ptr().address();
                boolean adds = !first || from > 0;
                kernels.crossEntropy(
                        logits.data_ptr().address(), type, count, weight.size(0), targets, true, adds, slots, slot);
                accumulate(logits.t(), x);
                torch.mm_out(gradient.narrow(0, from, count), logits, weight);
            });
        }
        try (ProfilerRange range = ProfilerRange.open("backward")) {
            scored.backward(gradient, new BoolOptional(false), false, new TensorArrayRefOptional());
        }
    }

    /** Σ token losses into the slot's loss, which begins anew; no gradient. */
    void loss(Tensor hidden, StagedBatch batch, StepSlots slots, int slot) {
        Tensor scored = scored(hidden, batch);
        forEachRun(batch, (from, count) -> {
            Tensor logits = torch.linear(scored.narrow(0, from, count), weight);
            long targets = batch.targets().narrow(0, from, count).data_ptr().address();
            kernels.crossEntropy(
                    logits.data_ptr().address(), type, count, weight.size(0), targets, false, from > 0, slots, slot);
        });
    }

    /** The rows of {@code hidden} (rows, columns, hidden size) whose logits are formed, (scored positions, hidden size). */
    static Tensor scored(Tensor hidden, StagedBatch batch) {
        Tensor flat = hidden.reshape(-1, hidden.size(2));
        boolean all = batch.scoredPositions() == (long) batch.rows() * batch.columns();
        return all ? flat : torch.index_select(flat, 0, batch.scored());
    }

    private interface Run {
        void take(long from, long count);
    }

    private void forEachRun(StagedBatch batch, Run run) {
        long rows = batch.scoredPositions();
        for (long from = 0; from < rows || from == 0; from += rowsAtOnce) {
            try (PointerScope scope = new PointerScope()) {
                run.take(from, Math.min(rowsAtOnce, rows - from));
            }
        }
    }

    /** The weight's gradient += logits' gradientᵀ · x. */
    private void accumulate(Tensor logitGradient, Tensor x) {
        if (weight.grad().defined()) {
            weight.grad().addmm_(logitGradient, x);
        } else {
            weight.mutable_grad().put(torch.mm(logitGradient, x));
        }
    }
}
