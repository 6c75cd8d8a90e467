package org.ewc4j;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.IntConsumer;
import org.ewc4j.config.EwcConfig;
import org.ewc4j.config.TrainingConfig;
import org.ewc4j.consolidation.Consolidation;
import org.ewc4j.consolidation.ConsolidationFolder;
import org.ewc4j.consolidation.HeldFisher;
import org.ewc4j.consolidation.MergeSchedule;
import org.ewc4j.consolidation.StateTypes;
import org.ewc4j.data.Batch;
import org.ewc4j.data.BatchLoader;
import org.ewc4j.data.StepBatch;
import org.ewc4j.data.TokenizedRow;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.fisher.BatchFisher;
import org.ewc4j.fisher.FisherEstimator;
import org.ewc4j.fisher.UniformFisher;
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
    private Consolidation consolidation;

    /**
     * Reads the consolidation that {@code ewc.from} names.
     *
     * @throws InvalidInputException where that is broken or of another model or kind, or where θ* is to be kept in bf16 and
     *     the checkpoint is not
     */
    Consolidator(CausalLm model, Kernels kernels, EwcConfig ewc, TrainingConfig training) {
        this.model = model;
        this.kernels = kernels;
        this.ewc = ewc;
        this.training = training;
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
        HeldFisher what = what("", 0, training);
        MergeSchedule schedule = MergeSchedule.of(ewc);
        kept.requireMergeable(what.kind(), what.unit(), schedule);
        kept.record().fishers().stream()
                .filter(held -> !held.batchSize().equals(what.batchSize()))
                .findFirst()
                .ifPresent(held -> LOG.warn(
                        "{}: the Fisher of task '{}' was estimated in batches of {}, this run's will be in batches of {}: a"
                                + " λ means something else for each; ewc.fisher_batch_size can make them alike",
                        folder,
                        held.task(),
                        held.batchSize().orElse(0),
                        what.batchSize().orElse(0)));
        return kept.read(
                kernels,
                model.layout(),
                schedule,
                StateTypes.of(ewc),
                model.theta().device());
    }

    /** What is kept of the tasks so far; null before the first. */
    Consolidation current() {
        return consolidation;
    }

    /**
     * Estimates the Fisher at the present parameters on a task's training rows, and takes it in.
     *
     * @param taskTraining its batch size and accumulation make the batches of the pass
     * @param progress told how many rows have been read
     */
    void add(String task, List<TokenizedRow> rows, TrainingConfig taskTraining, IntConsumer progress) {
        if (consolidation == null) {
            consolidation = new Consolidation(
                    model.layout(),
                    MergeSchedule.of(ewc),
                    StateTypes.of(ewc),
                    model.theta().device());
        }
        consolidation.add(
                kernels, estimator(rows, taskTraining), model.theta(), what(task, rows.size(), taskTraining), progress);
    }

    private FisherEstimator estimator(List<TokenizedRow> rows, TrainingConfig taskTraining) {
        return switch (ewc.fisher()) {
            case UNIFORM -> new UniformFisher();
            case BATCH -> new BatchFisher(model, kernels, batches(rows, taskTraining));
        };
    }

    private HeldFisher what(String task, int examples, TrainingConfig taskTraining) {
        return switch (ewc.fisher()) {
            case UNIFORM -> new HeldFisher(task, "uniform", "none", OptionalInt.empty(), examples);
            case BATCH ->
                new HeldFisher(
                        task,
                        "batch",
                        "batch",
                        OptionalInt.of(batchSize(taskTraining) * taskTraining.gradientAccumulation()),
                        examples);
        };
    }

    private int batchSize(TrainingConfig taskTraining) {
        return ewc.fisherBatchSize().orElse(taskTraining.batchSize());
    }

    private List<StepBatch> batches(List<TokenizedRow> rows, TrainingConfig taskTraining) {
        List<Batch> batches = BatchLoader.inFileOrder(
                rows, batchSize(taskTraining), model.specialTokens().padding(), training.maxLength());
        List<StepBatch> groups = new ArrayList<>();
        int accumulation = taskTraining.gradientAccumulation();
        for (int from = 0; from < batches.size(); from += accumulation) {
            groups.add(new StepBatch(0, batches.subList(from, Math.min(batches.size(), from + accumulation))));
        }
        return groups;
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
        }
    }
}
