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
import org.ewc4j.tensor.Torch;

/**
 * The output embedding with the loss behind it. Logits are formed at scored positions only, the rest would be multiplied by
 * zero, and the softmax, its loss and its gradient are one native pass that leaves the gradient where the logits were:
 * autograd keeps neither. From there two products give the gradients of the embedding and of the hidden states. The memory of
 * logits and of the embedding's gradient is kept from step to step, as asking the system for it takes as long as filling it.
 */
final class OutputLayer implements AutoCloseable {
    /** Logits are formed for as many rows at once as fit, so that a large batch does not need a large vocabulary's worth of memory. */
    static final long LOGIT_BYTES = 256L << 20;

    /** Of so many rows the products are ours on the CPU: libtorch's copies the weight first, which costs more than they do. */
    private static final long FEW_ROWS = 32;

    private final Tensor weight;
    private final Kernels kernels;
    private final ElementType type;
    private final long rowsAtOnce;
    private Tensor keptLogits; // (rows of the largest run yet, vocabulary)
    private Tensor keptGradient; // of the weight

    /** @param weight (vocabulary, hidden size), a leaf whose gradient is accumulated where it requires one */
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
     * @param scored hidden states of the scored positions, (scored positions, hidden size), with their graph
     * @param first whether the slot's loss begins anew
     */
    void learn(Tensor scored, StagedBatch batch, long divisor, StepSlots slots, int slot, boolean first) {
        Tensor gradient;
        try (NoGradGuard guard = new NoGradGuard();
                ProfilerRange range = ProfilerRange.open("output layer")) {
            Tensor hidden = scored.detach().contiguous();
            gradient = torch.empty_like(hidden);
            slots.putLossScale(slot, 1.0 / divisor);
            forEachRun(batch, (from, count) -> {
                Tensor x = hidden.narrow(0, from, count);
                Tensor logits = logits(x);
                long targets = address(batch.targets().narrow(0, from, count));
                boolean adds = !first || from > 0;
                kernels.crossEntropy(address(logits), type, count, weight.size(0), targets, true, adds, slots, slot);
                learn(logits, x, gradient.narrow(0, from, count));
            });
        }
        backward(scored, gradient);
    }

    /** Nothing goes back where all that lies before is frozen. */
    private static void backward(Tensor scored, Tensor gradient) {
        if (!scored.requires_grad()) {
            return;
        }
        try (ProfilerRange range = ProfilerRange.open("backward")) {
            scored.backward(gradient, new BoolOptional(false), false, new TensorArrayRefOptional());
        }
    }

    /**
     * Whether {@link #square} takes the batch: its logits fit at once, and the products are ours, so that the squares are to the
     * bit those of the gradient that {@link #learn} forms.
     */
    boolean squares(StagedBatch batch) {
        long rows = batch.scoredPositions();
        return rows <= rowsAtOnce && isFew(rows);
    }

    /**
     * As {@link #learn} for a step of one micro-batch, but without the weight's gradient: its square can be added to a Fisher
     * afterwards. Reads the loss first; where it is not finite, no gradient is formed.
     */
    WeightSquares square(Tensor scored, StagedBatch batch, StepSlots slots) {
        Tensor gradient;
        WeightSquares squares;
        try (NoGradGuard guard = new NoGradGuard();
                ProfilerRange range = ProfilerRange.open("output layer")) {
            Tensor x = scored.detach().contiguous();
            Tensor logits = logits(x);
            slots.putLossScale(0, 1.0 / batch.scoredPositions());
            kernels.crossEntropy(
                    address(logits),
                    type,
                    batch.scoredPositions(),
                    weight.size(0),
                    address(batch.targets()),
                    true,
                    false,
                    slots,
                    0);
            slots.read();
            if (!Double.isFinite(slots.loss(0))) {
                return new WeightSquares(slots.loss(0), null, null);
            }
            gradient = torch.empty_like(x);
            back(logits, x, gradient, null, false);
            squares = new WeightSquares(slots.loss(0), logits, x);
        }
        backward(scored, gradient);
        return squares;
    }

    /**
     * What {@link #square} left to be added: the gradient of the weight as the two factors that it is a product of. Valid until
     * the next logits are formed, within the pointer scope of the pass.
     */
    final class WeightSquares {
        private final double loss;
        private final Tensor logitGradient; // null where the loss is not finite
        private final Tensor x;

        /** Takes all the memory that adding needs. */
        private WeightSquares(double loss, Tensor logitGradient, Tensor x) {
            this.loss = loss;
            this.logitGradient = logitGradient;
            this.x = x;
            if (x != null) {
                kernels.takeLinearWorkspace(
                        ExampleSquares.matrix(logitGradient), ExampleSquares.matrix(x), new long[] {0, x.size(0)});
            }
        }

        /** Σ token losses, in nats. */
        double loss() {
            return loss;
        }

        /**
         * Adds the squares tile by tile, as those of a single example: the gradient is never formed.
         *
         * @param fisher address of the weight's (vocabulary, hidden size), fp32
         * @param factor of the squares
         */
        void addTo(long fisher, double factor) {
            kernels.fisherAccumulateLinear(
                    fisher,
                    ExampleSquares.matrix(logitGradient),
                    ExampleSquares.matrix(x),
                    new long[] {0, x.size(0)},
                    factor);
        }
    }

    /** Σ token losses into the slot's loss, which begins anew; no gradient. */
    void loss(Tensor scored, StagedBatch batch, StepSlots slots, int slot) {
        forEachRun(batch, (from, count) -> {
            Tensor logits = logits(scored.narrow(0, from, count));
            long targets = address(batch.targets().narrow(0, from, count));
            kernels.crossEntropy(address(logits), type, count, weight.size(0), targets, false, from > 0, slots, slot);
        });
    }

    /** 0 of a tensor without elements: a batch that scores nothing. */
    private static long address(Tensor tensor) {
        return tensor.numel() == 0 ? 0 : tensor.data_ptr().address();
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

    /** Of hidden states (rows, hidden size), at most {@link #rowsAtOnce}; valid until the next ones. Outside of autograd. */
    Tensor logits(Tensor x) {
        long rows = x.size(0);
        if (keptLogits == null || keptLogits.size(0) < rows) {
            if (keptLogits != null) {
                Torch.release(keptLogits);
                keptLogits = null;
            }
            keptLogits = Torch.keepMemory("logits", torch.empty(new long[] {rows, weight.size(0)}, x.options(), null));
        }
        Tensor logits = keptLogits.narrow(0, 0, rows);
        if (!isFew(rows)) {
            return torch.mm_out(logits, x, weight.t());
        }
        kernels.linear(address(x.contiguous()), address(weight), rows, weight.size(0), weight.size(1), address(logits));
        return logits;
    }

    private boolean isFew(long rows) {
        return rows <= FEW_ROWS && type == ElementType.F32 && weight.device().is_cpu();
    }

    /** As {@link #back}, with the weight's gradient += logits' gradientᵀ · x, unless it is frozen. */
    private void learn(Tensor logits, Tensor x, Tensor hidden) {
        if (!weight.requires_grad()) {
            back(logits, x, hidden, null, false);
            return;
        }
        boolean adds = weight.grad().defined();
        if (!adds && keptGradient == null) {
            keptGradient = Torch.keepMemory("gradient of the output embedding", torch.empty_like(weight));
        }
        Tensor gradient = adds ? weight.grad() : keptGradient;
        back(logits, x, hidden, gradient, adds);
        weight.mutable_grad().put(gradient);
    }

    /**
     * hidden = logits' gradient · weight, and ofWeight = logits' gradientᵀ · x.
     *
     * @param ofWeight null: not formed
     * @param adds whether to ofWeight is added, or it is written
     */
    private void back(Tensor logits, Tensor x, Tensor hidden, Tensor ofWeight, boolean adds) {
        if (isFew(x.size(0))) {
            kernels.linearBackward(
                    address(logits),
                    address(x),
                    address(weight),
                    x.size(0),
                    weight.size(0),
                    weight.size(1),
                    adds,
                    address(hidden),
                    ofWeight == null ? 0 : address(ofWeight));
            return;
        }
        if (adds) {
            ofWeight.addmm_(logits.t(), x);
        } else if (ofWeight != null) {
            torch.mm_out(ofWeight, logits.t(), x);
        }
        torch.mm_out(hidden, logits, weight);
    }

    @Override
    public void close() {
        for (Tensor kept : new Tensor[] {keptLogits, keptGradient}) {
            if (kept != null) {
                Torch.release(kept);
            }
        }
    }
}
