package org.ewc4j;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.IntConsumer;
import org.ewc4j.config.EwcConfig;
import org.ewc4j.config.ProtectConfig;
import org.ewc4j.config.TrainingConfig;
import org.ewc4j.consolidation.Consolidation;
import org.ewc4j.consolidation.ConsolidationFolder;
import org.ewc4j.consolidation.ConsolidationState;
import org.ewc4j.consolidation.HeldFisher;
import org.ewc4j.consolidation.MergeSchedule;
import org.ewc4j.consolidation.StatePlaces;
import org.ewc4j.consolidation.StateTypes;
import org.ewc4j.data.RowLimit;
import org.ewc4j.data.TokenizedRow;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.eval.ProtectedScore;
import org.ewc4j.fisher.FisherEstimator;
import org.ewc4j.fisher.FisherRows;
import org.ewc4j.fisher.FisherSettings;
import org.ewc4j.kernel.ElementType;
import org.ewc4j.kernel.Kernels;
import org.ewc4j.model.CausalLm;
import org.ewc4j.report.Versions;
import org.ewc4j.tensor.StoredType;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A learner's consolidation as its configuration wants it: which estimator reads a task's rows, how Fishers merge, in which
 * types state is kept. Owned by the learner, which closes model and kernels behind it.
 */
final class Consolidator implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Consolidator.class);

    private final CausalLm model;
    private final Kernels kernels;
    private final EwcConfig ewc;
    private final TrainingConfig training;
    private final RowLimit memory = new RowLimit();
    private final StatePlaces places;
    private Consolidation consolidation;
    private Runnable beforeMerge = () -> {};

    /**
     * Reads the consolidation that {@code ewc.from} names.
     *
     * @throws InvalidInputException where that is broken or of another model, kind or start, where θ* is to be kept in bf16 and
     *     the checkpoint is not, or where θ* can not lie where it should
     */
    Consolidator(CausalLm model, Kernels kernels, EwcConfig ewc, TrainingConfig training) {
        this.model = model;
        this.kernels = kernels;
        this.ewc = ewc;
        this.training = training;
        this.places = StatePlaces.of(ewc.anchorPlacement(), model.theta().device());
        requireExactAnchor();
        this.consolidation = ewc.from().map(this::read).orElse(null);
    }

    private void requireExactAnchor() {
        if (StateTypes.of(ewc).anchor() == ElementType.BF16
                && !model.directory().isStoredIn(StoredType.BF16)) {
            throw new InvalidInputException("ewc.anchor_dtype bf16: the weights of "
                    + model.directory().path()
                    + " are not stored in bf16, so that an anchor in bf16 would be off by more than"
                    + " training moves them; set ewc.anchor_dtype to int16 or fp32");
        }
    }

    private Consolidation read(Path folder) {
        ConsolidationFolder kept = ConsolidationFolder.open(folder);
        kept.requireModel(model.directory().path().toString(), model.directory().architectureName(), model.layout());
        MergeSchedule schedule = MergeSchedule.of(ewc);
        FisherSettings settings = FisherSettings.of(
                ewc, ewc.fisherBatchSize().orElse(training.batchSize()) * training.gradientAccumulation());
        kept.requireMergeable(settings, schedule);
        requireItsParameters(kept);
        kept.differences(settings, "this run's").forEach(LOG::warn);
        return kept.read(kernels, model.layout(), schedule, StateTypes.of(ewc), places);
    }

    /** Shapes fit any state of the model, but the anchor is where one of them is. */
    private void requireItsParameters(ConsolidationFolder kept) {
        if (!ewc.fromOtherParameters() && !kept.holds(model.theta())) {
            throw new InvalidInputException(
                    "ewc.from " + kept.path() + ": holds on to other parameters than those of "
                            + model.directory().path()
                            + ", which would be pulled towards them from the first step; start from the"
                            + " checkpoint that it was saved beside, or set ewc.from_other_parameters: true where that is meant");
        }
    }

    /** Goes on from a copy of what is given, null for nothing; what was kept so far is dropped. */
    void restore(Consolidation kept) {
        close();
        consolidation = kept == null ? null : kept.copy();
    }

    /** What is done each time before a Fisher pass changes what of F and θ* stays as it is between passes. */
    void beforeMerge(Runnable action) {
        beforeMerge = action;
    }

    /** Where F and θ* lie. */
    StatePlaces places() {
        return places;
    }

    /** What is kept of the tasks so far; null before the first. */
    Consolidation current() {
        return consolidation;
    }

    /**
     * What is needed to go on, besides the arenas; empty where nothing is consolidated yet.
     *
     * @throws org.ewc4j.error.RunFailedException where it is lost, or the Fisher pass under way is not finite
     */
    Optional<ConsolidationState> state() {
        return Optional.ofNullable(consolidation).map(kept -> kept.state(kernels));
    }

    /**
     * Estimates the Fisher at the present parameters on a task's training rows, and takes it in.
     *
     * @param index of the task, which takes part in what the pass draws
     * @param taskTraining its batch size and accumulation make the batches of the pass
     * @param microBatchRows the most rows of a micro-batch that training has memory for
     * @param progress told how many rows have been read
     */
    void add(
            int index,
            String task,
            List<TokenizedRow> rows,
            TrainingConfig taskTraining,
            int microBatchRows,
            IntConsumer progress) {
        memory.lowerTo(microBatchRows);
        add(ewc, fisherRows(index, rows, taskTraining), task, 1, progress);
    }

    /** How many of a task's training rows the pass reads. */
    int rowsRead(int rows) {
        return Math.min(rows, ewc.fisherOptions().maxExamples().orElse(rows));
    }

    /** As {@link #add}, of data that stands for what the parameters know before the first task. */
    void protect(String name, List<TokenizedRow> rows, ProtectConfig protect, IntConsumer progress) {
        EwcConfig estimate = ewc.withFisherOptions(
                ewc.fisherOptions().withMaxExamples(protect.maxExamples().orElse(rows.size())));
        FisherRows read = fisherRows(ProtectedScore.START, rows, training);
        add(estimate, read, name, protect.weight(), progress);
    }

    private void add(EwcConfig estimate, FisherRows rows, String task, double weight, IntConsumer progress) {
        if (consolidation == null) {
            consolidation = empty();
        }
        FisherEstimator estimator = FisherEstimator.of(estimate, rows, model, kernels);
        HeldFisher held = new HeldFisher(task, estimator.describe(), weight);
        consolidation.add(kernels, estimator, model.theta(), held, progress, beforeMerge);
    }

    /** Goes on from a state, whose arenas are then to be filled; empty: nothing is consolidated yet. */
    void restore(Optional<ConsolidationState> state) {
        close();
        consolidation = state.map(present -> {
                    Consolidation restored = empty();
                    restored.restore(present);
                    return restored;
                })
                .orElse(null);
    }

    private Consolidation empty() {
        return new Consolidation(model.layout(), MergeSchedule.of(ewc), StateTypes.of(ewc), places);
    }

    /** How many rows of a batch of the Fisher pass there is memory for. */
    RowLimit memory() {
        return memory;
    }

    private FisherRows fisherRows(int task, List<TokenizedRow> rows, TrainingConfig taskTraining) {
        return new FisherRows(
                rows,
                task,
                taskTraining.batchSize(),
                taskTraining.gradientAccumulation(),
                training.maxLength(),
                taskTraining.seed(),
                memory);
    }

    /**
     * Writes what is kept.
     *
     * @param checkpoint a folder in or beside {@code folder} that holds the present parameters in fp32, to point to in place
     *     of a copy of the anchor
     */
    void save(Path folder, Optional<Path> checkpoint) {
        ConsolidationFolder.write(
                folder, consolidation, model.directory().architectureName(), Versions.ewc4j(), checkpoint);
    }

    @Override
    public void close() {
        if (consolidation != null) {
            consolidation.close();
            consolidation = null;
        }
    }
}
