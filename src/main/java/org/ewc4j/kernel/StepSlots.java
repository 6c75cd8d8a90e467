package org.ewc4j.kernel;

import java.util.Objects;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.ewc4j.kernel.EwcLibrary.ewc_adamw_statistics;
import org.ewc4j.kernel.EwcLibrary.ewc_adamw_values;

/**
 * A row of slots where steps leave what they reduced (loss, penalty, norms), so that a device is waited for once for many
 * steps: each step writes its slot, and {@link #read} brings all of them.
 *
 * <p>A slot may be written again after a read. Whoever calls {@link Kernels#slots} closes; used by the thread that uses the
 * kernels.
 */
public final class StepSlots implements AutoCloseable {
    // A slot, in bytes: what a step reads comes first, then what it reduces.
    private static final long VALUES = 0;
    private static final long LAMBDA = VALUES + 2L * Double.BYTES; // a member of the values
    private static final long GRADIENT_SCALE_OF_LOSS = VALUES + ewc_adamw_values.BYTES;
    private static final long LOSS = GRADIENT_SCALE_OF_LOSS + Double.BYTES;
    private static final long STATISTICS = LOSS + Double.BYTES;
    private static final long NORM = STATISTICS + ewc_adamw_statistics.BYTES;
    private static final long SLOT = 128;

    /** Of the row: the count of steps that were left out, in front of the slots. */
    private static final long HEAD = 64;

    private final int capacity;
    private final KernelMemory.Buffer buffer;
    private final NativeResource resource;

    StepSlots(KernelMemory memory, int capacity) {
        if (capacity < 1) {
            throw new KernelArgumentException("Kernels.slots: capacity: expected 1 or more, came " + capacity);
        }
        this.capacity = capacity;
        this.buffer = memory.allocate(HEAD + SLOT * capacity);
        this.resource = new NativeResource(this, "StepSlots", buffer::close);
    }

    /** How many slots. */
    public int capacity() {
        return capacity;
    }

    /**
     * Makes what the steps left readable; waits for the device.
     *
     * @throws IllegalStateException after close
     */
    public void read() {
        resource.requireOpen();
        buffer.download();
    }

    /** Σ token losses of the slot's step in nats, as of the last {@link #read}. */
    public double loss(int slot) {
        return new DoublePointer(onHost(slot, LOSS)).get();
    }

    /** Whether the slot's step was left out, as of the last {@link #read}. */
    public boolean wasSkipped(int slot) {
        return new LongPointer(onHost(slot, VALUES)).get() == AdamWStep.SKIPPED;
    }

    /** How many steps were left out because they were not finite, as of the last {@link #read}. */
    public long skipped() {
        resource.requireOpen();
        return new LongPointer(NativeMemory.at(buffer.hostAddress())).get();
    }

    /** Begins to count the steps that are left out from here: at the start of a row of slots, that of the row before. */
    public void putSkipped(long count) {
        resource.requireOpen();
        new LongPointer(NativeMemory.at(buffer.hostAddress())).put(count);
        buffer.upload(0, Long.BYTES);
    }

    /** What the slot's step reduced, as of the last {@link #read}. */
    public StepStatistics statistics(int slot) {
        ewc_adamw_statistics statistics = new ewc_adamw_statistics(onHost(slot, STATISTICS));
        return new StepStatistics(
                statistics.penalty(),
                Math.sqrt(statistics.gradient_norm_squared()),
                Math.sqrt(statistics.displacement_norm_squared()),
                new DoublePointer(onHost(slot, LAMBDA)).get());
    }

    @Override
    public void close() {
        resource.close();
    }

    /** Writes what the slot's step reads, and sends it there. */
    void put(int slot, AdamWStep step) {
        ewc_adamw_values values = new ewc_adamw_values(onHost(slot, VALUES));
        values.step(step.step());
        values.learning_rate(step.learningRate());
        values.lambda(step.lambda());
        values.gradient_scale(step.gradientScale());
        values.penalty_scale(step.penaltyScale());
        buffer.upload(offset(slot, VALUES), ewc_adamw_values.BYTES);
    }

    /** Writes λ alone of what the slot's step reads, and sends it there. */
    void putLambda(int slot, double lambda) {
        new DoublePointer(onHost(slot, LAMBDA)).put(lambda);
        buffer.upload(offset(slot, LAMBDA), Double.BYTES);
    }

    /** Writes by what the slot's loss gradient is multiplied, and sends it there. */
    public void putLossScale(int slot, double scale) {
        new DoublePointer(onHost(slot, GRADIENT_SCALE_OF_LOSS)).put(scale);
        buffer.upload(offset(slot, GRADIENT_SCALE_OF_LOSS), Double.BYTES);
    }

    ewc_adamw_values values(int slot) {
        return new ewc_adamw_values(inPlace(slot, VALUES));
    }

    ewc_adamw_statistics statisticsInPlace(int slot) {
        return new ewc_adamw_statistics(inPlace(slot, STATISTICS));
    }

    /** λ of the slot's step, a member of its values. */
    DoublePointer lambdaInPlace(int slot) {
        return new DoublePointer(inPlace(slot, LAMBDA));
    }

    /** A member of the slot's statistics, the first. */
    DoublePointer penaltyInPlace(int slot) {
        return new DoublePointer(inPlace(slot, STATISTICS));
    }

    DoublePointer normInPlace(int slot) {
        return new DoublePointer(inPlace(slot, NORM));
    }

    LongPointer skippedInPlace() {
        resource.requireOpen();
        return new LongPointer(NativeMemory.at(buffer.address()));
    }

    DoublePointer lossInPlace(int slot) {
        return new DoublePointer(inPlace(slot, LOSS));
    }

    DoublePointer lossScaleInPlace(int slot) {
        return new DoublePointer(inPlace(slot, GRADIENT_SCALE_OF_LOSS));
    }

    private long offset(int slot, long member) {
        resource.requireOpen();
        return HEAD + Objects.checkIndex(slot, capacity) * SLOT + member;
    }

    private Pointer inPlace(int slot, long member) {
        return NativeMemory.at(buffer.address() + offset(slot, member));
    }

    private Pointer onHost(int slot, long member) {
        return NativeMemory.at(buffer.hostAddress() + offset(slot, member));
    }
}
