package org.ewc4j.data;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.ewc4j.config.TrainingConfig;
import org.ewc4j.error.RunFailedException;
import org.ewc4j.error.RunInterruptedException;

/**
 * The batches of one task's training, prepared ahead on daemon threads of its own and handed out in order. A step is a
 * function of its index alone, so the number of threads changes nothing. One thread takes the steps; whoever opens the
 * loader closes it, which may be done from any thread.
 */
public final class BatchLoader implements AutoCloseable {
    private static final int PREFETCHED_STEPS = 4;
    private static final long IDLE_SECONDS = 10;

    private final BatchAssembler assembler;
    private final int rows;
    private final int batchSize;
    private final int gradientAccumulation;
    private final boolean shuffle;
    private final long seed;
    private final int task;
    private final long steps;
    private final ThreadPoolExecutor threads;
    private final Deque<Future<StepBatch>> prepared = new ArrayDeque<>();
    private final int prefetch;
    private long nextToPrepare;
    private volatile boolean closed;
    private volatile EpochOrder epochOrder = new EpochOrder(-1, new int[0]);

    private record EpochOrder(int epoch, int[] order) {}

    /**
     * @param rows the task's training rows
     * @param config batch size, accumulation, epochs, max_steps, max_length, shuffle, seed and loader threads are used
     * @param task index of the task, which takes part in the shuffle
     * @param padId token id of the padding
     */
    public BatchLoader(List<TokenizedRow> rows, TrainingConfig config, int task, int padId) {
        this(rows, config, task, padId, 0);
    }

    /**
     * The steps from {@code firstStep} on.
     *
     * @param firstStep from 0, within the task
     */
    public BatchLoader(List<TokenizedRow> rows, TrainingConfig config, int task, int padId, long firstStep) {
        this.assembler = new BatchAssembler(rows, padId, config.maxLength());
        this.rows = rows.size();
        this.batchSize = config.batchSize();
        this.gradientAccumulation = config.gradientAccumulation();
        this.shuffle = config.shuffle();
        this.seed = config.seed();
        this.task = task;
        this.steps = steps(rows.size(), config);
        this.threads = new ThreadPoolExecutor(
                config.loaderThreads(),
                config.loaderThreads(),
                IDLE_SECONDS,
                TimeUnit.SECONDS,
                new LinkedBlockingQueue<>(),
                body -> daemon(body, task));
        // Without a close the threads end by themselves once they have been idle.
        threads.allowCoreThreadTimeOut(true);
        this.nextToPrepare = firstStep;
        this.prefetch = PREFETCHED_STEPS * config.loaderThreads();
        prepareAhead();
    }

    private static Thread daemon(Runnable body, int task) {
        Thread thread = new Thread(body, "ewc4j-loader-task-" + task);
        thread.setDaemon(true);
        return thread;
    }

    /** Optimizer steps of a task: the epochs' steps, capped by max_steps. */
    public static long steps(int rows, TrainingConfig config) {
        long steps = config.epochs() * stepsPerEpoch(rows, config.batchSize(), config.gradientAccumulation());
        OptionalInt cap = config.maxSteps();
        return cap.isPresent() ? Math.min(steps, cap.getAsInt()) : steps;
    }

    private static long stepsPerEpoch(int rows, int batchSize, int gradientAccumulation) {
        long examples = (long) batchSize * gradientAccumulation;
        return (rows + examples - 1) / examples;
    }

    /** The rows in their order in batches of at most {@code batchSize}, as the Fisher pass and evaluation read them. */
    public static List<Batch> inFileOrder(List<TokenizedRow> rows, int batchSize, int padId, int maxLength) {
        return inOrder(rows, ShuffleOrder.inOrder(rows.size()), batchSize, padId, maxLength);
    }

    /**
     * As {@link #inFileOrder}, but of {@code count} rows drawn without replacement, or of all where there are no more. What
     * is drawn is a function of seed, task and number of rows.
     */
    public static List<Batch> subset(
            List<TokenizedRow> rows, int count, long seed, int task, int batchSize, int padId, int maxLength) {
        return inOrder(rows, ShuffleOrder.subset(rows.size(), count, seed, task), batchSize, padId, maxLength);
    }

    private static List<Batch> inOrder(List<TokenizedRow> rows, int[] order, int batchSize, int padId, int maxLength) {
        BatchAssembler assembler = new BatchAssembler(rows, padId, maxLength);
        List<Batch> batches = new ArrayList<>();
        for (int from = 0; from < order.length; from += batchSize) {
            batches.add(assembler.batch(order, from, Math.min(from + batchSize, order.length)));
        }
        return batches;
    }

    /** How many steps the task has, those before the first that is handed out included. */
    public long steps() {
        return steps;
    }

    /**
     * The next step's batches, waiting for them where they are not prepared yet; empty behind the last.
     *
     * @throws RunFailedException if preparing them failed, with the cause
     * @throws RunInterruptedException if the waiting thread was interrupted; the batches are then lost, close the loader
     * @throws IllegalStateException after close
     */
    public Optional<StepBatch> next() {
        if (closed) {
            throw new IllegalStateException("the batch loader is closed");
        }
        RunInterruptedException.throwIfInterrupted("waiting for a batch");
        Future<StepBatch> head;
        synchronized (this) {
            head = prepared.poll();
        }
        if (head == null) {
            return Optional.empty();
        }
        try {
            StepBatch batch = head.get();
            prepareAhead();
            return Optional.of(batch);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new RunInterruptedException("interrupted: waiting for a batch", e);
        } catch (CancellationException e) {
            throw new IllegalStateException("the batch loader was closed while a batch was waited for", e);
        } catch (ExecutionException e) {
            throw new RunFailedException(
                    "preparing a batch of task " + task + " failed: " + e.getCause(), e.getCause());
        }
    }

    private synchronized void prepareAhead() {
        while (!closed && prepared.size() < prefetch && nextToPrepare < steps) {
            long step = nextToPrepare++;
            prepared.add(threads.submit(() -> prepare(step)));
        }
    }

    private StepBatch prepare(long step) {
        long perEpoch = stepsPerEpoch(rows, batchSize, gradientAccumulation);
        int epoch = Math.toIntExact(step / perEpoch);
        int[] order = order(epoch);
        List<Batch> microBatches = new ArrayList<>(gradientAccumulation);
        long from = step % perEpoch * batchSize * gradientAccumulation;
        for (int i = 0; i < gradientAccumulation && from < rows; i++, from += batchSize) {
            microBatches.add(assembler.batch(order, (int) from, (int) Math.min(from + batchSize, rows)));
        }
        return new StepBatch(epoch, microBatches);
    }

    /** The epoch's order, kept until another epoch is asked for; two threads may compute the same one, which does no harm. */
    private int[] order(int epoch) {
        EpochOrder current = epochOrder;
        if (current.epoch() != epoch) {
            int[] order = shuffle ? ShuffleOrder.of(rows, seed, epoch, task) : ShuffleOrder.inOrder(rows);
            current = new EpochOrder(epoch, order);
            epochOrder = current;
        }
        return current.order();
    }

    /** Stops the threads; what was prepared is dropped. */
    @Override
    public synchronized void close() {
        closed = true;
        prepared.clear();
        // A step that never started would keep a next() on another thread waiting for ever.
        threads.shutdownNow().forEach(step -> ((Future<?>) step).cancel(true));
    }
}
