package org.ewc4j.model;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.ewc4j.config.ModelSource;
import org.ewc4j.config.TrainingConfig.Positions;
import org.ewc4j.data.Batch;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.kernel.ElementType;
import org.ewc4j.kernel.Kernels;
import org.ewc4j.kernel.TensorList;
import org.ewc4j.tensor.Arena;
import org.ewc4j.tensor.ParameterLayout;
import org.ewc4j.tensor.ParameterLayout.Parameter;
import org.ewc4j.tensor.StoredType;

/**
 * A causal language model: θ in one arena, the layers over it, its loss with gradient, and greedy generation.
 *
 * <p>Parameters and arithmetic are fp32 whatever the checkpoint's dtype. Gradients lie where libtorch puts them; {@link
 * #gradients()} gives their addresses to the native kernels until {@link #clearGradients()}. Owned and closed by whoever
 * opened it; used by one thread at a time.
 */
public final class CausalLm implements AutoCloseable {
    private static final int RANDOM_DROPOUT_STREAM = 0x5eed;

    private final ModelDirectory directory;
    private final Architecture architecture;
    private final ParameterLayout layout;
    private final Positions positions;
    private final Arena theta;
    private final Dropout dropout;
    private final PointerScope scope;
    private final Map<String, Tensor> leaves = new LinkedHashMap<>();
    private final Architecture.Decoder decoder;
    private final Tensor outputEmbedding;
    private TensorList gradients;
    private boolean closed;

    /**
     * Loads a model directory, or initialises one at random.
     *
     * @param positions how positions are counted in training, Fisher pass and evaluation loss
     * @param seed of the learner's own stream of dropout
     */
    public static CausalLm open(ModelDirectory directory, Positions positions, long seed) {
        Arena theta = initialTheta(directory);
        try {
            return new CausalLm(directory, theta, positions, seed);
        } catch (RuntimeException e) {
            theta.close();
            throw e;
        }
    }

    private CausalLm(ModelDirectory directory, Arena theta, Positions positions, long seed) {
        this.directory = directory;
        this.architecture = directory.architecture();
        this.positions = positions;
        this.layout = directory.layout();
        this.theta = theta;
        this.dropout = new Dropout(seed + RANDOM_DROPOUT_STREAM);
        // The wrappers of leaves and layers live as long as the model, whatever scope the caller is in.
        this.scope = new PointerScope();
        try {
            for (Parameter parameter : layout.parameters()) {
                leaves.put(parameter.name(), theta.view(parameter).detach().requires_grad_(true));
            }
            this.decoder = architecture.bind(leaves::get);
            this.outputEmbedding =
                    leaves.get(architecture.tied() ? architecture.inputEmbedding() : architecture.outputEmbedding());
            scope.extend();
        } catch (RuntimeException e) {
            dropout.close();
            throw e;
        } finally {
            scope.close();
        }
    }

    private static Arena initialTheta(ModelDirectory directory) {
        if (directory.source().init() == ModelSource.Init.RANDOM) {
            return filled(
                    directory,
                    theta -> RandomInit.fill(
                            theta, directory.architecture(), directory.source().seed()));
        }
        // Names and shapes are compared before memory is taken, so that a damaged config.json is told as what it is.
        try (Checkpoint checkpoint = Checkpoint.open(directory, directory.layout())) {
            return filled(directory, checkpoint::readInto);
        }
    }

    private static Arena filled(ModelDirectory directory, Consumer<Arena> fill) {
        long available = Pointer.totalPhysicalBytes();
        if (directory.layout().arenaElements() > available / Float.BYTES) {
            throw new InvalidInputException(String.format(
                    Locale.ROOT,
                    "%s: the model has %,d parameters, at 4 bytes each more than the %,d MB of memory of this machine",
                    directory.config().file(),
                    directory.parameterCount(),
                    available / 1_000_000));
        }
        Arena theta = new Arena(directory.layout());
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

    /**
     * Adds the gradient of (Σ token losses of this batch) ÷ {@code divisor} to the gradients.
     *
     * @param divisor scored positions of the whole step
     * @return Σ token losses of the batch, in nats, as libtorch sums them in fp32
     */
    public double accumulateGradient(Batch batch, long divisor) {
        requireOpen();
        try (PointerScope step = new PointerScope()) {
            Tensor sum = summedLoss(batch);
            sum.div(new Scalar((double) divisor)).backward();
            return sum.item_double();
        }
    }

    /** Σ token losses of a batch in nats, without a gradient. */
    public double loss(Batch batch) {
        requireOpen();
        try (PointerScope step = new PointerScope();
                NoGradGuard guard = new NoGradGuard()) {
            return summedLoss(batch).item_double();
        }
    }

    private Tensor summedLoss(Batch batch) {
        ScoredPositions scored = ScoredPositions.of(batch);
        // Logits are formed where a label is scored and nowhere else: the rest would be multiplied by zero.
        Tensor hidden = hidden(decoder, batch).view(-1, architecture.hiddenSize());
        if (scored.count() < (long) batch.rows() * batch.columns()) {
            hidden = torch.index_select(hidden, 0, ids(scored.positions()));
        }
        Tensor logits = torch.linear(hidden, outputEmbedding);
        return torch.cross_entropy_loss(logits, ids(scored.targets()), new TensorOptional(), SUM, -100, 0.0);
    }

    /** {@code at::Reduction::Sum}. */
    private static final long SUM = 2;

    private static Tensor ids(long[] values) {
        return torch.from_blob(new LongPointer(values), new long[] {values.length}, new TensorOptions(ScalarType.Long));
    }

    private Tensor hidden(Architecture.Decoder decoder, Batch batch) {
        int offset = positions == Positions.LEFT_EDGE ? batch.leftEdgeOffset() : -1;
        return decoder.hidden(ForwardPass.prefill(batch.inputIds(), batch.lengths(), offset, dropout, null));
    }

    /** Logits of every position, (rows · columns · vocabulary) row-major; for tests and inspection of small batches. */
    public float[] logits(Batch batch) {
        requireOpen();
        try (PointerScope step = new PointerScope();
                NoGradGuard guard = new NoGradGuard()) {
            Tensor logits =
                    torch.linear(hidden(decoder, batch), outputEmbedding).contiguous();
            float[] values = new float[Math.toIntExact(logits.numel())];
            new FloatPointer(logits.data_ptr_float()).get(values);
            return values;
        }
    }

    /**
     * The gradients of the last {@link #accumulateGradient} calls, in layout order; valid until {@link #clearGradients}.
     * A parameter that no loss reached has a gradient of zeros.
     */
    public TensorList gradients() {
        requireOpen();
        try (PointerScope step = new PointerScope();
                NoGradGuard guard = new NoGradGuard()) {
            long[] addresses = new long[layout.parameters().size()];
            long[] counts = new long[addresses.length];
            for (int i = 0; i < addresses.length; i++) {
                Parameter parameter = layout.parameters().get(i);
                Tensor leaf = leaves.get(parameter.name());
                if (!leaf.grad().defined()) {
                    leaf.mutable_grad().put(torch.zeros_like(leaf));
                } else if (!leaf.grad().is_contiguous()) {
                    leaf.mutable_grad().put(leaf.grad().contiguous());
                }
                addresses[i] = leaf.grad().data_ptr().address();
                counts[i] = parameter.elements();
            }
            if (gradients == null) {
                gradients = TensorList.of(ElementType.F32, addresses, counts);
            } else {
                for (int i = 0; i < addresses.length; i++) {
                    gradients.setAddress(i, addresses[i]);
                }
            }
            return gradients;
        }
    }

    /** Drops the gradients and their memory. */
    public void clearGradients() {
        requireOpen();
        try (PointerScope step = new PointerScope()) {
            leaves.values().forEach(leaf -> leaf.mutable_grad().reset());
        }
    }

    /**
     * Squared gradients of single examples at the θ of each call; the caller closes it, before this model.
     *
     * @param kernels that do the sums; must live as long
     */
    public ExampleGradients exampleGradients(Kernels kernels) {
        requireOpen();
        return new ExampleGradients(architecture, theta, kernels, this::hidden);
    }

    /** A batch of greedy continuations; see {@link GreedyDecoder}. */
    public List<int[]> generate(List<int[]> prompts, int maxNewTokens) {
        requireOpen();
        return new GreedyDecoder(architecture, decoder, outputEmbedding, dropout, specialTokens())
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
            if (gradients != null) {
                gradients.close();
            }
            scope.close();
            leaves.clear();
            dropout.close();
            theta.close();
        }
    }
}
