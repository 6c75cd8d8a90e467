package org.ewc4j.model;

import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.ewc4j.config.ModelSource;
import org.ewc4j.config.TrainingConfig.Positions;
import org.ewc4j.data.Batch;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.kernel.ElementType;
import org.ewc4j.kernel.Kernels;
import org.ewc4j.kernel.ProfilerRange;
import org.ewc4j.kernel.StepSlots;
import org.ewc4j.kernel.TensorList;
import org.ewc4j.tensor.Arena;
import org.ewc4j.tensor.Device;
import org.ewc4j.tensor.ParameterLayout;
import org.ewc4j.tensor.ParameterLayout.Parameter;
import org.ewc4j.tensor.StoredType;
import org.ewc4j.tensor.Torch;
import org.ewc4j.tensor.TrainedParameters;
import org.ewc4j.tensor.Uploads;

/**
 * A causal language model: θ in one arena, the layers over it, its loss with gradient, and greedy generation.
 *
 * <p>θ is fp32 whatever the checkpoint's dtype, on the CPU or a CUDA device. Forward and backward pass compute with it, or
 * with a bf16 copy of it that each optimizer step writes anew. Gradients are of the pass's type and lie where libtorch puts
 * them; {@link #gradients()} gives their addresses to the native kernels until {@link #clearGradients()}. Owned and closed by
 * whoever opened it; used by one thread at a time.
 */
public final class CausalLm implements AutoCloseable {
    private static final int RANDOM_DROPOUT_STREAM = 0x5eed;

    private final ModelDirectory directory;
    private final Architecture architecture;
    private final ParameterLayout layout;
    private final Positions positions;
    private final Numerics numerics;
    private final TrainedParameters trained;
    private final Arena theta;
    private final Arena computeCopy; // null where θ itself is computed with
    private final Dropout dropout;
    private final Uploads uploads;
    private final Kernels kernels;
    private final StepSlots ownSlot;
    private final PointerScope scope;
    private final Map<String, Tensor> leaves = new LinkedHashMap<>();
    private final Architecture.Decoder decoder;
    private final Tensor outputEmbedding;
    private final OutputLayer outputLayer;
    private final Deque<Runnable> closings = new ArrayDeque<>();
    private final Gradients gradients;
    private boolean closed;

    /** {@link #open(ModelDirectory, Positions, long, Numerics)} in fp32 on the CPU. */
    public static CausalLm open(ModelDirectory directory, Positions positions, long seed) {
        return open(directory, positions, seed, Numerics.CPU);
    }

    /**
     * Loads a model directory, or initialises one at random.
     *
     * @param positions how positions are counted in training, Fisher pass and evaluation loss
     * @param seed of the learner's own stream of dropout
     * @param numerics where θ lies and all is computed, and the type of forward and backward pass
     */
    public static CausalLm open(ModelDirectory directory, Positions positions, long seed, Numerics numerics) {
        return open(directory, positions, seed, numerics, TrainedParameters.all(directory.layout()));
    }

    /**
     * Loads a model directory of which some parameters are not trained.
     *
     * @param trained of the directory's layout; the others have no gradient and no Fisher
     */
    public static CausalLm open(
            ModelDirectory directory, Positions positions, long seed, Numerics numerics, TrainedParameters trained) {
        Arena theta = initialTheta(directory, numerics.device());
        try {
            return new CausalLm(directory, theta, positions, seed, numerics, trained);
        } catch (RuntimeException e) {
            theta.close();
            throw e;
        }
    }

    private CausalLm(
            ModelDirectory directory,
            Arena theta,
            Positions positions,
            long seed,
            Numerics numerics,
            TrainedParameters trained) {
        this.directory = directory;
        this.architecture = directory.architecture();
        this.positions = positions;
        this.layout = directory.layout();
        this.theta = theta;
        this.numerics = numerics;
        this.trained = trained;
        Device device = numerics.device();
        ElementType type = numerics.type();
        try {
            this.kernels = closing(Torch.kernels(device, Torch.threads()), Kernels::close);
            this.ownSlot = closing(kernels.slots(1), StepSlots::close);
            this.uploads = closing(new Uploads(device), Uploads::close);
            this.dropout = closing(new Dropout(seed + RANDOM_DROPOUT_STREAM, device), Dropout::close);
            this.computeCopy = type == ElementType.F32 ? null : closing(new Arena(layout, type, device), Arena::close);
            if (computeCopy != null) {
                kernels.convert(computeCopy.list(), theta.list());
            }
            // The wrappers of leaves and layers live as long as the model, whatever scope the caller is in.
            this.scope = new PointerScope();
            try {
                Arena computed = computeCopy == null ? theta : computeCopy;
                for (Parameter parameter : layout.parameters()) {
                    leaves.put(
                            parameter.name(),
                            computed.view(parameter).detach().requires_grad_(trained.contains(parameter.name())));
                }
                this.decoder = architecture.bind(
                        new Architecture.Weights() {
                            @Override
                            public Tensor get(String name) {
                                return leaves.get(name);
                            }

                            @Override
                            public boolean lookedUpSparsely() {
                                return !device.isCuda(); // there a dense gradient costs nothing, and has no atomic sums
                            }
                        },
                        device);
                this.outputEmbedding = leaves.get(
                        architecture.tied() ? architecture.inputEmbedding() : architecture.outputEmbedding());
                this.outputLayer = new OutputLayer(outputEmbedding, kernels, type);
                this.gradients = new Gradients(trained, leaves, type);
                scope.extend();
                closings.push(scope::close);
                closings.push(outputLayer::close);
                closings.push(gradients::close);
            } finally {
                scope.close();
            }
        } catch (RuntimeException e) {
            closings.forEach(Runnable::run);
            throw e;
        }
    }

    /** Remembers how to close a part; parts are closed in the opposite order. */
    private <T> T closing(T part, Consumer<T> close) {
        closings.push(() -> close.accept(part));
        return part;
    }

    private static Arena initialTheta(ModelDirectory directory, Device device) {
        if (directory.source().init() == ModelSource.Init.RANDOM) {
            return filled(
                    directory,
                    device,
                    theta -> RandomInit.fill(
                            theta, directory.architecture(), directory.source().seed()));
        }
        // Names and shapes are compared before memory is taken, so that a damaged config.json is told as what it is.
        try (Checkpoint checkpoint = Checkpoint.open(directory, directory.layout())) {
            return filled(directory, device, checkpoint::readInto);
        }
    }

    private static Arena filled(ModelDirectory directory, Device device, Consumer<Arena> fill) {
        long available = Pointer.totalPhysicalBytes();
        if (!device.isCuda() && directory.layout().arenaElements() > available / Float.BYTES) {
            throw new InvalidInputException(String.format(
                    Locale.ROOT,
                    "%s: the model has %,d parameters, at 4 bytes each more than the %,d MB of memory of this machine",
                    directory.config().file(),
                    directory.parameterCount(),
                    available / 1_000_000));
        }
        Arena theta = new Arena(directory.layout(), ElementType.F32, device);
        try {
            fill.accept(theta);
            return theta;
        } catch (RuntimeException e) {
            theta.close();
            throw e;
        }
    }

    public ParameterLayout layout() {
        return layout;
    }

    /** A copy of all that training changes of the model. Whoever calls closes it. */
    public ModelSnapshot snapshot() {
        requireOpen();
        return new ModelSnapshot(theta.copy(), dropout.state());
    }

    /** Goes on from a snapshot of this model. */
    public void restore(ModelSnapshot snapshot) {
        requireOpen();
        theta.copyBits(snapshot.theta());
        restored(snapshot.dropout());
    }

    /** Which parameters are trained. */
    public TrainedParameters trained() {
        return trained;
    }

    /** θ. */
    public Arena theta() {
        requireOpen();
        return theta;
    }

    public SpecialTokens specialTokens() {
        return directory.specialTokens();
    }

    public ModelDirectory directory() {
        return directory;
    }

    /** Dropout as the checkpoint says, or none. */
    public void training(boolean on) {
        dropout.training(on);
    }

    /** Where the generator of dropout stands; bytes of libtorch's, the same only for the same kind of device. */
    public byte[] randomState() {
        requireOpen();
        return dropout.state();
    }

    /**
     * Goes on with a θ that was put into {@link #theta()}.
     *
     * @param randomState of {@link #randomState} when θ was so
     * @throws RuntimeException where the bytes are no state of a generator on this kind of device
     */
    public void restored(byte[] randomState) {
        requireOpen();
        dropout.restore(randomState);
        if (computeCopy != null) {
            kernels.convert(computeCopy.list(), theta.list());
        }
    }

    /** The copy of θ that the passes compute with, for the optimizer step to write; null where they compute with θ. */
    public TensorList computeCopy() {
        requireOpen();
        return computeCopy == null ? null : computeCopy.list();
    }

    /**
     * Sends what a batch's loss depends on to where the model computes; it travels while what was started before runs. The caller
     * closes it.
     */
    public StagedBatch stage(Batch batch) {
        requireOpen();
        return StagedBatch.of(batch, positions, uploads);
    }

    /**
     * Adds the gradient of (Σ token losses of this batch) ÷ {@code divisor} to the gradients, and leaves Σ token losses in a
     * slot, in nats, without waiting for it.
     *
     * @param divisor scored positions of the whole step
     * @param first whether the slot's loss begins anew, or is added to
     */
    public void accumulateGradient(StagedBatch batch, long divisor, StepSlots slots, int slot, boolean first) {
        requireOpen();
        gradients.requireCleared();
        try (PointerScope step = new PointerScope()) {
            Tensor scored;
            try (ProfilerRange forward = ProfilerRange.open("forward")) {
                scored = scored(batch);
            }
            outputLayer.learn(scored, batch, divisor, slots, slot, first);
        }
    }

    /**
     * Adds the gradient of (Σ token losses of this batch) ÷ {@code divisor} to the gradients.
     *
     * @param divisor scored positions of the whole step
     * @return Σ token losses of the batch, in nats
     */
    public double accumulateGradient(Batch batch, long divisor) {
        try (StagedBatch staged = stage(batch)) {
            accumulateGradient(staged, divisor, ownSlot, 0, true);
        }
        ownSlot.read();
        return ownSlot.loss(0);
    }

    /**
     * Adds the squared gradient of (Σ token losses of this batch) ÷ its scored positions to a Fisher: fisher += weight · g².
     * Nothing is added where the loss is not finite, nor where there is no memory for a gradient. The gradients that were
     * formed on the way are dropped.
     *
     * @param fisher in the layout of the parameters, fp32
     * @return Σ token losses of the batch, in nats
     */
    public double accumulateSquaredGradient(Batch batch, Arena fisher, double weight) {
        try (StagedBatch staged = stage(batch)) {
            if (architecture.tied() || !outputEmbedding.requires_grad() || !outputLayer.squares(staged)) {
                accumulateGradient(staged, batch.scoredPositions(), ownSlot, 0, true);
                ownSlot.read();
                if (Double.isFinite(ownSlot.loss(0))) {
                    addSquaredGradients(fisher, weight);
                }
                return ownSlot.loss(0);
            }
            try (PointerScope step = new PointerScope()) {
                long output = fisher.segment(layout.get(architecture.outputEmbedding()));
                OutputLayer.WeightSquares last = outputLayer.square(scored(staged), staged, ownSlot);
                if (Double.isFinite(last.loss())) {
                    SquaredGradients others = SquaredGradients.of(layout, leaves, numerics.type(), kernels);
                    AddedSquares.whole(() -> {
                        last.addTo(output, weight);
                        others.addTo(fisher, weight);
                    });
                }
                return last.loss();
            }
        } finally {
            clearGradients();
        }
    }

    /** fisher += weight · g² of the gradients that are there, of {@link #trained}; fisher fp32 in the layout of the parameters. */
    public void addSquaredGradients(Arena fisher, double weight) {
        requireOpen();
        try (PointerScope pass = new PointerScope()) {
            SquaredGradients formed = SquaredGradients.of(layout, leaves, numerics.type(), kernels);
            AddedSquares.whole(() -> formed.addTo(fisher, weight));
        }
    }

    /** Σ token losses of a batch in nats, without a gradient. */
    public double loss(Batch batch) {
        requireOpen();
        try (StagedBatch staged = stage(batch);
                PointerScope step = new PointerScope();
                NoGradGuard guard = new NoGradGuard()) {
            outputLayer.loss(scored(staged), staged, ownSlot, 0);
        }
        ownSlot.read();
        return ownSlot.loss(0);
    }

    /** Of a batch to learn or to score, (scored positions, hidden size). */
    private Tensor scored(StagedBatch batch) {
        return scored(decoder, batch);
    }

    /** The same by another decoder over this model's parameters. */
    Tensor scored(Architecture.Decoder over, StagedBatch batch) {
        ForwardPass pass = ForwardPass.forLoss(batch, architecture.slidingWindow(), numerics, dropout);
        return pass.scored(over.hidden(pass));
    }

    /** Logits of every position, (rows · columns · vocabulary) row-major; for tests and inspection of small batches. */
    public float[] logits(Batch batch) {
        requireOpen();
        try (StagedBatch staged = StagedBatch.whole(batch, positions, uploads);
                PointerScope step = new PointerScope();
                NoGradGuard guard = new NoGradGuard()) {
            ForwardPass pass = ForwardPass.of(staged, architecture.slidingWindow(), numerics, dropout, null);
            Tensor logits = torch.linear(decoder.hidden(pass), outputEmbedding)
                    .to(ScalarType.Float)
                    .cpu()
                    .contiguous();
            float[] values = new float[Math.toIntExact(logits.numel())];
            new FloatPointer(logits.data_ptr_float()).get(values);
            return values;
        }
    }

    /**
     * The gradients of the last {@link #accumulateGradient} calls, of {@link #trained} in its order; valid until {@link
     * #clearGradients}.
     * A parameter that no loss reached has a gradient of zeros.
     */
    public TensorList gradients() {
        requireOpen();
        return gradients.list();
    }

    /** Drops the gradients; others may be accumulated then. */
    public void clearGradients() {
        requireOpen();
        gradients.clear();
    }

    /**
     * Squared gradients of single examples at the θ of each call; the caller closes it, before this model.
     *
     * @param sums kernels where this model computes; must live as long
     */
    public ExampleGradients exampleGradients(Kernels sums) {
        requireOpen();
        return new ExampleGradients(this, architecture, computeCopy == null ? theta : computeCopy, sums);
    }

    /** A batch of greedy continuations; see {@link GreedyDecoder}. */
    public List<int[]> generate(List<int[]> prompts, int maxNewTokens) {
        requireOpen();
        return new GreedyDecoder(architecture, decoder, outputLayer, dropout, specialTokens(), numerics, uploads)
                .generate(prompts, maxNewTokens);
    }

    /**
     * Writes a model directory that transformers loads: weights in {@code type}, config.json with that dtype, and beside
     * it the tokenizer and generation files of the directory that this model came from.
     */
    public void save(Path folder, StoredType type) {
        requireOpen();
        CheckpointWriter.write(directory, theta, folder, type);
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException("this model is closed");
        }
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            closings.forEach(Runnable::run);
            leaves.clear();
            theta.close();
        }
    }
}
