package org.ewc4j.data;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.ewc4j.config.TrainingConfig;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;
import org.openjdk.jmh.infra.Blackhole;

/** What a batch costs to prepare: the price of a step's data, which the loader pays while the step before runs. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(2)
public class BatchLoaderBenchmark {
    private static final int STEPS = 256;
    private static final int LENGTH = 128;
    private static final int PROMPT = 16;

    @Param({"4", "32"})
    private int batch;

    @Param({"1", "2"})
    private int threads;

    private List<TokenizedRow> rows;
    private TrainingConfig config;

    @Setup
    public void tokenize() {
        Random random = new Random(1);
        rows = new ArrayList<>();
        for (int i = 0; i < STEPS * batch; i++) {
            int[] ids = random.ints(PROMPT + 1 + random.nextInt(LENGTH - PROMPT), 1, 50_000)
                    .toArray();
            rows.add(new TokenizedRow(ids, PROMPT));
        }
        config = TrainingConfig.defaults()
                .withEpochs(1)
                .withBatchSize(batch)
                .withMaxLength(LENGTH)
                .withLoaderThreads(threads);
    }

    /** An epoch, shuffled; per step. */
    @Benchmark
    @OperationsPerInvocation(STEPS)
    public void epoch(Blackhole taken) {
        try (BatchLoader loader = new BatchLoader(rows, config, 0, 0)) {
            Optional<StepBatch> step;
            while ((step = loader.next()).isPresent()) {
                taken.consume(step.get());
            }
        }
    }
}
