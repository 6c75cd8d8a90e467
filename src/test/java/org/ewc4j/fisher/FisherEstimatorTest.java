package org.ewc4j.fisher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Random;
import java.util.function.UnaryOperator;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.ewc4j.Golden;
import org.ewc4j.TinyRun;
import org.ewc4j.config.EwcConfig;
import org.ewc4j.config.EwcConfig.FisherKind;
import org.ewc4j.config.FisherOptions;
import org.ewc4j.config.FisherOptions.Normalize;
import org.ewc4j.config.FisherOptions.Unit;
import org.ewc4j.config.ModelSource;
import org.ewc4j.config.TrainingConfig.Positions;
import org.ewc4j.consolidation.Consolidation;
import org.ewc4j.consolidation.ConsolidationFolder;
import org.ewc4j.consolidation.HeldFisher;
import org.ewc4j.consolidation.MergeSchedule;
import org.ewc4j.consolidation.StatePlaces;
import org.ewc4j.consolidation.StateTypes;
import org.ewc4j.data.Batch;
import org.ewc4j.data.BatchLoader;
import org.ewc4j.data.RowLimit;
import org.ewc4j.data.StepBatch;
import org.ewc4j.data.TokenizedRow;
import org.ewc4j.error.RunFailedException;
import org.ewc4j.kernel.ElementType;
import org.ewc4j.kernel.Kernels;
import org.ewc4j.model.CausalLm;
import org.ewc4j.model.Labels;
import org.ewc4j.model.ModelDirectory;
import org.ewc4j.model.Numerics;
import org.ewc4j.tensor.Arena;
import org.ewc4j.tensor.Device;
import org.ewc4j.tensor.ParameterFingerprint;
import org.ewc4j.tensor.ParameterLayout;
import org.ewc4j.tensor.ParameterLayout.Parameter;
import org.ewc4j.tensor.Torch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** What a configuration makes of the kinds of Fisher. */
class FisherEstimatorTest {
    private static final int ROWS = 11;
    private static final int MAX_LENGTH = 12;

    @TempDir
    Path folder;

    private CausalLm model;
    private Kernels kernels;

    @BeforeEach
    void open() {
        Torch.start(Golden.THREADS);
        ModelDirectory directory = ModelDirectory.open(ModelSource.random(TinyRun.model(folder, "gpt2"), 1));
        model = CausalLm.open(directory, Positions.FIRST_TOKEN, 0);
        kernels = Kernels.host(Golden.THREADS);
    }

    @AfterEach
    void close() {
        kernels.close();
        model.close();
    }

    private static List<TokenizedRow> tokens() {
        Random random = new Random(3);
        List<TokenizedRow> rows = new ArrayList<>();
        for (int i = 0; i < ROWS; i++) {
            int length = 5 + random.nextInt(MAX_LENGTH - 4);
            rows.add(new TokenizedRow(random.ints(length, 0, TinyRun.VOCABULARY).toArray(), 1 + random.nextInt(4)));
        }
        return rows;
    }

    private FisherEstimator estimator(FisherKind kind, UnaryOperator<FisherOptions> options, int batchSize, long seed) {
        EwcConfig ewc = EwcConfig.defaults()
                .withFisher(kind)
                .withFisherOptions(options.apply(FisherOptions.defaults()))
                .withFisherBatchSize(batchSize);
        return FisherEstimator.of(
                ewc, new FisherRows(tokens(), 0, 99, 1, MAX_LENGTH, seed, new RowLimit()), model, kernels);
    }

    private double[] estimated(FisherKind kind, UnaryOperator<FisherOptions> options, int batchSize, long seed) {
        try (Arena fisher = new Arena(model.layout())) {
            estimator(kind, options, batchSize, seed).accumulateInto(fisher, 1, done -> {});
            return values(fisher);
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = FisherKind.class,
            names = {"BATCH", "EXAMPLE", "SAMPLED"})
    void microBatchesThatThereIsMemoryForGiveTheSameEstimate(FisherKind kind) {
        RowLimit memory = new RowLimit();
        memory.lowerTo(3);
        EwcConfig ewc = EwcConfig.defaults().withFisher(kind).withFisherBatchSize(8);
        FisherRows rows = new FisherRows(tokens(), 0, 99, 1, MAX_LENGTH, 5, memory);
        try (Arena fisher = new Arena(model.layout())) {
            FisherEstimator.of(ewc, rows, model, kernels).accumulateInto(fisher, 1, done -> {});
            assertClose(values(fisher), estimated(kind, options -> options, 8, 5), 1);
        }
        assertThat(memory.rows()).isEqualTo(3);
    }

    private double[] estimated(FisherKind kind, UnaryOperator<FisherOptions> options) {
        return estimated(kind, options, 4, 5);
    }

    private static double[] values(Arena arena) {
        double[] all = new double[(int) arena.layout().elements()];
        int at = 0;
        try (PointerScope scope = new PointerScope()) {
            for (Parameter parameter : arena.layout().parameters()) {
                float[] floats = new float[(int) parameter.elements()];
                new FloatPointer(arena.view(parameter).data_ptr_float()).get(floats);
                for (float value : floats) {
                    all[at++] = value;
                }
            }
        }
        return all;
    }

    private static void assertClose(double[] actual, double[] expected, double factor) {
        double[] scaled = Arrays.stream(expected).map(value -> factor * value).toArray();
        assertThat(distance(actual, scaled)).isLessThan(1e-5);
    }

    /** ‖actual − expected‖ ÷ ‖expected‖. */
    private static double distance(double[] actual, double[] expected) {
        double difference = 0;
        double size = 0;
        for (int i = 0; i < actual.length; i++) {
            difference += Math.pow(actual[i] - expected[i], 2);
            size += Math.pow(expected[i], 2);
        }
        assertThat(size).isPositive();
        return Math.sqrt(difference / size);
    }

    private static double mean(double[] values) {
        return Arrays.stream(values).average().orElseThrow();
    }

    @ParameterizedTest
    @EnumSource(
            value = FisherKind.class,
            names = {"EXAMPLE", "SAMPLED"})
    void theBatchSizeChangesNothing(FisherKind kind) {
        double[] one = estimated(kind, options -> options, 1, 5);
        assertClose(estimated(kind, options -> options, 4, 5), one, 1);
        assertClose(estimated(kind, options -> options, 16, 5), one, 1);
    }

    @Test
    void theExampleFisherSquaresTheGradientOfEachRowsSummedLoss() {
        try (Arena expected = new Arena(model.layout())) {
            for (Batch batch : BatchLoader.inFileOrder(tokens(), 1, 0, MAX_LENGTH)) {
                model.accumulateGradient(batch, 1);
                kernels.fisherAccumulate(expected.list(), model.gradients(), 1.0 / ROWS);
                model.clearGradients();
            }
            assertClose(estimated(FisherKind.EXAMPLE, options -> options), values(expected), 1);
        }
    }

    /** As it was before there were other kinds. */
    @Test
    void theBatchFisherHasTheBitsOfItsOwnLoop() {
        try (Arena expected = new Arena(model.layout())) {
            for (Batch batch : BatchLoader.inFileOrder(tokens(), 4, 0, MAX_LENGTH)) {
                model.accumulateGradient(batch, batch.scoredPositions());
                kernels.fisherAccumulate(expected.list(), model.gradients(), 1.0 * batch.rows() / ROWS);
                model.clearGradients();
            }
            assertThat(estimated(FisherKind.BATCH, options -> options)).isEqualTo(values(expected));
        }
    }

    /**
     * Of an untied model the output embedding of a small batch is squared by tiles, and its gradient never formed: to the bit
     * what the squares of a formed one are, as those of the rows of the input embedding that were read.
     */
    @ParameterizedTest
    @CsvSource({
        "llama, 4, 257",
        "gpt_neox, 4, 257",
        "llama, 11, 257",
        "gpt_neox, 11, 257",
        "llama, 4, 70001",
        "llama, 11, 70001"
    })
    void theBatchFisherOfAnUntiedModelIsThatOfFormedGradients(String architecture, int batchSize, int vocabulary) {
        ModelDirectory directory = ModelDirectory.open(ModelSource.random(
                TinyRun.model(
                        folder.resolve(architecture), architecture, config -> config.put("vocab_size", vocabulary)),
                1));
        List<Batch> batches = BatchLoader.inFileOrder(tokens(), batchSize, 0, MAX_LENGTH);
        assertThat(batches.get(0).scoredPositions() <= 32).isEqualTo(batchSize == 4);
        try (CausalLm untied = CausalLm.open(directory, Positions.FIRST_TOKEN, 0);
                Arena formed = new Arena(untied.layout());
                Arena estimate = new Arena(untied.layout())) {
            for (Batch batch : batches) {
                untied.accumulateGradient(batch, batch.scoredPositions());
                kernels.fisherAccumulate(formed.list(), untied.gradients(), 1.0 * batch.rows() / ROWS);
                untied.clearGradients();
            }
            List<StepBatch> steps = batches.stream()
                    .map(batch -> new StepBatch(0, List.of(batch)))
                    .toList();
            new BatchFisher(untied, steps).accumulateInto(estimate, 1, done -> {});

            Map<String, double[]> expected = byName(formed);
            byName(estimate)
                    .forEach((name, values) -> assertThat(Arrays.equals(values, expected.get(name)))
                            .as(name)
                            .isTrue());
        }
    }

    private static Map<String, double[]> byName(Arena arena) {
        return byName(arena.layout(), values(arena));
    }

    private static Map<String, double[]> byName(ParameterLayout layout, double[] all) {
        Map<String, double[]> byName = new LinkedHashMap<>();
        int at = 0;
        for (Parameter parameter : layout.parameters()) {
            byName.put(parameter.name(), Arrays.copyOfRange(all, at, at += (int) parameter.elements()));
        }
        return byName;
    }

    @ParameterizedTest
    @EnumSource(
            value = FisherKind.class,
            names = {"BATCH", "EXAMPLE", "SAMPLED"})
    void aMeanOverTokensIsOneFactorAway(FisherKind kind) {
        FisherRecord record = estimator(kind, options -> options, 4, 5).describe();
        double factor = (double) record.examples() / record.scoredTokens();

        assertThat(factor).isLessThan(0.5);
        assertClose(
                estimated(kind, options -> options.withUnit(Unit.TOKEN)), estimated(kind, options -> options), factor);
    }

    @Test
    void moreDrawsAreOtherDraws() {
        double[] one = estimated(FisherKind.SAMPLED, options -> options);
        double[] two = estimated(FisherKind.SAMPLED, options -> options.withSamples(2));
        assertThat(estimated(FisherKind.SAMPLED, options -> options)).isEqualTo(one);
        assertThat(two).isNotEqualTo(one);
        assertThat(estimated(FisherKind.SAMPLED, options -> options, 4, 6)).isNotEqualTo(one);
        // The first of the two is the one.
        for (int i = 0; i < one.length; i++) {
            assertThat(2 * two[i]).isGreaterThanOrEqualTo(one[i] * (1 - 1e-4) - 1e-12);
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = FisherKind.class,
            names = {"BATCH", "EXAMPLE", "SAMPLED"})
    void aSubsetIsDrawnBySeed(FisherKind kind) {
        double[] five = estimated(kind, options -> options.withMaxExamples(5));
        assertThat(estimated(kind, options -> options.withMaxExamples(5))).isEqualTo(five);
        assertThat(estimated(kind, options -> options.withMaxExamples(5), 4, 6)).isNotEqualTo(five);
        assertThat(estimated(kind, options -> options.withMaxExamples(ROWS)))
                .isEqualTo(estimated(kind, options -> options));
        assertThat(estimator(kind, options -> options.withMaxExamples(5), 4, 5)
                        .describe()
                        .examples())
                .isEqualTo(5);
        assertThat(estimator(kind, options -> options.withMaxExamples(500), 4, 5)
                        .describe()
                        .examples())
                .isEqualTo(ROWS);
    }

    @ParameterizedTest
    @EnumSource(FisherKind.class)
    void aNormalizedFisherHasTheMean1(FisherKind kind) {
        double[] normalized = estimated(kind, options -> options.withNormalize(Normalize.MEAN));
        assertThat(mean(normalized)).isCloseTo(1, within(1e-5));
        double[] plain = estimated(kind, options -> options);
        assertClose(normalized, plain, 1 / mean(plain));
    }

    @Test
    void theClampComesBehindTheMean() {
        double[] normalized = estimated(FisherKind.EXAMPLE, options -> options.withNormalize(Normalize.MEAN));
        double[] both = estimated(
                FisherKind.EXAMPLE,
                options -> options.withNormalize(Normalize.MEAN).withClamp(3));
        for (int i = 0; i < both.length; i++) {
            assertThat(both[i]).isEqualTo(Math.min(3, normalized[i]));
        }
        assertThat(mean(both)).isLessThan(0.99);
        double[] plain = estimated(FisherKind.EXAMPLE, options -> options);
        double bound = (float) mean(plain);
        double[] clamped = estimated(FisherKind.EXAMPLE, options -> options.withClamp(bound));
        assertThat(Arrays.stream(clamped).max().orElseThrow()).isEqualTo(bound);
    }

    @Test
    void aFisherOfZerosStaysOne() {
        FisherEstimator none = new ExampleFisher(model, kernels, List.of(), Unit.SEQUENCE, new Labels.OfData());
        try (Arena fisher = new Arena(model.layout())) {
            new ScaledFisher(none, kernels, model.layout().elements(), Normalize.MEAN, OptionalDouble.of(1))
                    .accumulateInto(fisher, 1, done -> {});
            assertThat(values(fisher)).containsOnly(0);
        }
    }

    @Test
    void anEstimateSaysWhatItIs() {
        FisherRecord record = estimator(
                        FisherKind.SAMPLED,
                        options -> options.withSamples(3)
                                .withUnit(Unit.TOKEN)
                                .withNormalize(Normalize.MEAN)
                                .withClamp(2),
                        4,
                        5)
                .describe();
        long scored = tokens().stream()
                .mapToLong(row -> row.ids().length - row.promptLength())
                .sum();
        assertThat(record)
                .isEqualTo(new FisherRecord(
                        FisherKind.SAMPLED,
                        Unit.TOKEN,
                        ROWS,
                        scored,
                        4,
                        3,
                        Normalize.MEAN,
                        OptionalDouble.of(2),
                        false,
                        ParameterFingerprint.of(model.theta()),
                        record.dataFingerprint()));
        assertThat(record.model().fp32()).matches("[0-9a-f]{64}");
        assertThat(record.dataFingerprint()).matches("[0-9a-f]{64}");
    }

    @Test
    void fingerprintsAreThoseOfRowsAndParameters() {
        FisherRecord record =
                estimator(FisherKind.EXAMPLE, options -> options, 4, 5).describe();
        FisherRecord otherBatches =
                estimator(FisherKind.EXAMPLE, options -> options, 3, 5).describe();
        FisherRecord fewer = estimator(FisherKind.EXAMPLE, options -> options.withMaxExamples(9), 4, 5)
                .describe();
        assertThat(otherBatches.dataFingerprint()).isEqualTo(record.dataFingerprint());
        assertThat(fewer.dataFingerprint()).isNotEqualTo(record.dataFingerprint());
        assertThat(estimator(FisherKind.UNIFORM, options -> options, 4, 5)
                        .describe()
                        .dataFingerprint())
                .isEmpty();
        model.layout().parameters().forEach(each -> model.theta().add(each, 1e-3));
        assertThat(estimator(FisherKind.EXAMPLE, options -> options, 4, 5)
                        .describe()
                        .model())
                .isNotEqualTo(record.model());
    }

    /** Logits of 1e25 give losses and gradients that are finite, and squares that are not. */
    private void makeSquaresOverflow() {
        try (PointerScope scope = new PointerScope()) {
            model.theta()
                    .view(model.layout().get("transformer.ln_f.weight"))
                    .detach()
                    .mul_(new Scalar(1e25));
        }
    }

    private void add(Consolidation consolidation, FisherKind kind) {
        FisherEstimator estimator = estimator(kind, options -> options, 4, 5);
        consolidation.add(
                kernels, estimator, model.theta(), new HeldFisher("a task", estimator.describe()), done -> {});
    }

    @ParameterizedTest
    @EnumSource(
            value = FisherKind.class,
            names = {"EXAMPLE", "SAMPLED"})
    void aPassThatFailsLeavesTheConsolidationAsItWas(FisherKind kind) {
        try (Consolidation consolidation = new Consolidation(model.layout(), new MergeSchedule.RunningMean())) {
            add(consolidation, kind);
            double[] fisher = values(consolidation.fisher());
            double[] anchor = values(consolidation.anchor());

            if (kind == FisherKind.EXAMPLE) { // what is drawn from such logits is what they are sure of
                makeSquaresOverflow();
                assertThatThrownBy(() -> add(consolidation, kind))
                        .isInstanceOf(RunFailedException.class)
                        .hasMessageContainingAll("not finite", "training.learning_rate", "training.clip_norm");
            }
            model.theta().fill(Double.NaN);
            assertThatThrownBy(() -> add(consolidation, kind))
                    .isInstanceOf(RunFailedException.class)
                    .hasMessageContainingAll("a loss of NaN", "training rows [0, 1, 2, 3]", "training.clip_norm");

            assertThat(consolidation.held()).isEqualTo(1);
            assertThat(values(consolidation.fisher())).isEqualTo(fisher);
            assertThat(values(consolidation.anchor())).isEqualTo(anchor);
        }
    }

    /** In place there is nothing to go back to in memory: that is said, and what was saved stands. */
    @Test
    void aBatchPassThatOverflowsInPlaceLeavesWhatWasSaved() {
        Path kept = folder.resolve("kept");
        try (Consolidation consolidation = new Consolidation(model.layout(), new MergeSchedule.RunningMean())) {
            add(consolidation, FisherKind.BATCH);
            ConsolidationFolder.write(kept, consolidation, "GPT2LMHeadModel", "0.1.0", Optional.empty());
            double[] fisher = values(consolidation.fisher());
            double[] anchor = values(consolidation.anchor());

            makeSquaresOverflow();
            assertThatThrownBy(() -> add(consolidation, FisherKind.BATCH))
                    .isInstanceOf(RunFailedException.class)
                    .hasMessageContainingAll("not finite", "training.learning_rate", "training.clip_norm");

            assertThatThrownBy(() -> add(consolidation, FisherKind.BATCH))
                    .isInstanceOf(RunFailedException.class)
                    .hasMessageContaining("the consolidation was lost with a Fisher pass that failed");
            assertThatThrownBy(() -> consolidation.state(kernels))
                    .isInstanceOf(RunFailedException.class)
                    .hasMessageContaining("go on from what was saved before");
            try (Consolidation saved = ConsolidationFolder.open(kept)
                    .read(
                            kernels,
                            model.layout(),
                            new MergeSchedule.RunningMean(),
                            StateTypes.FULL,
                            StatePlaces.on(Device.CPU))) {
                assertThat(values(saved.fisher())).isEqualTo(fisher);
                assertThat(values(saved.anchor())).isEqualTo(anchor);
            }
        }
    }

    /**
     * bf16 has 8 bits of significand, so that each of some ten roundings on a pass's way is off by up to 2⁻⁹: as they add up like
     * chance, at most a hundredth of a gradient, two of its square. Labels near the end of their interval of probability are other ones
     * then, so that of sampled Fishers the sums by tensor are compared, over draws enough for such labels to weigh alike.
     */
    @ParameterizedTest
    @EnumSource(
            value = FisherKind.class,
            names = {"EXAMPLE", "SAMPLED"})
    void inBf16SingleExamplesGiveTheFisherOfFp32ToAFewPercent(FisherKind kind) {
        UnaryOperator<FisherOptions> options = given -> given.withSamples(8);
        double[] exact = estimated(kind, options);
        Map<String, double[]> exactly = byName(model.layout(), exact);
        CausalLm fp32 = model;
        try (CausalLm bf16 =
                CausalLm.open(fp32.directory(), Positions.FIRST_TOKEN, 0, new Numerics(Device.CPU, ElementType.BF16))) {
            model = bf16;
            double[] rounded = estimated(kind, options);
            assertThat(rounded).isNotEqualTo(exact);
            if (kind == FisherKind.EXAMPLE) {
                assertThat(distance(rounded, exact)).isLessThan(0.02);
            }
            byName(model.layout(), rounded).forEach((name, values) -> {
                double expected = Arrays.stream(exactly.get(name)).sum();
                assertThat(Arrays.stream(values).sum()).as(name).isCloseTo(expected, within(0.02 * expected));
            });
        } finally {
            model = fp32;
        }
    }

    /** Cut off, Inf would be c. */
    @Test
    void aClampHidesNoInfinity() {
        makeSquaresOverflow();
        assertThatThrownBy(() -> estimated(FisherKind.BATCH, options -> options.withClamp(1)))
                .isInstanceOf(RunFailedException.class)
                .hasMessageContainingAll("not finite", "training.learning_rate", "training.clip_norm");
    }
}
