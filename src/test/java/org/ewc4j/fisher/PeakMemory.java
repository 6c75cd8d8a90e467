package org.ewc4j.fisher;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.ewc4j.Golden;
import org.ewc4j.TinyRun;
import org.ewc4j.config.FisherOptions.Unit;
import org.ewc4j.config.ModelSource;
import org.ewc4j.config.PenaltyOptions;
import org.ewc4j.config.TrainingConfig.Positions;
import org.ewc4j.consolidation.Consolidation;
import org.ewc4j.consolidation.HeldFisher;
import org.ewc4j.consolidation.MergeSchedule;
import org.ewc4j.data.Batch;
import org.ewc4j.data.BatchLoader;
import org.ewc4j.data.StepBatch;
import org.ewc4j.data.TokenizedRow;
import org.ewc4j.kernel.Kernels;
import org.ewc4j.model.CausalLm;
import org.ewc4j.model.Labels;
import org.ewc4j.model.ModelDirectory;
import org.ewc4j.tensor.Arena;
import org.ewc4j.tensor.Torch;
import org.ewc4j.train.Trainer;
import org.ewc4j.train.Trainer.TaskTraining;

/** A process that prints the largest resident memory that it had; see {@link PeakMemoryTest}. */
public final class PeakMemory {
    private static final int PASSES = 4;

    private PeakMemory() {}

    /**
     * {@code args}: a folder for the model, what to do (gradient, example, sampled, plain, ewc or merge), and on what: many full
     * or padded rows, or few rows by a larger model, where parameters outweigh all else. Prints the KiB, and the KiB of one
     * fp32 copy of the parameters.
     */
    public static void main(String[] args) throws IOException {
        Torch.start(Golden.THREADS);
        boolean few = args[2].equals("few");
        Path folder = TinyRun.model(
                Path.of(args[0]),
                "llama",
                config -> config.put("hidden_size", 256)
                        .put("intermediate_size", few ? 4096 : 1024)
                        .put("num_hidden_layers", 6));
        List<TokenizedRow> rows = rows(few ? 4 : 32, args[2].equals("padded"));
        List<Batch> batches = BatchLoader.inFileOrder(rows, rows.size(), 0, TinyRun.POSITIONS);
        StepBatch batch = new StepBatch(0, batches);
        try (CausalLm model =
                        CausalLm.open(ModelDirectory.open(ModelSource.random(folder, 1)), Positions.FIRST_TOKEN, 0);
                Kernels kernels = Kernels.host(Golden.THREADS)) {
            switch (args[1]) {
                case "gradient" -> gradients(model, batches.get(0));
                case "example" -> examples(model, kernels, batch, new Labels.OfData());
                case "sampled" -> examples(model, kernels, batch, new Labels.Sampled(1, 0, 1));
                default -> steps(model, kernels, batch, args[1]);
            }
            System.out.println(highWaterMark() + " " + model.layout().elements() * Float.BYTES / 1024);
        }
    }

    /** Of all positions, or each of another length: half of the batch is padding. */
    private static List<TokenizedRow> rows(int count, boolean padded) {
        Random random = new Random(1);
        List<TokenizedRow> rows = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            int length = padded ? TinyRun.POSITIONS * (i + 1) / count : TinyRun.POSITIONS;
            rows.add(new TokenizedRow(random.ints(length, 0, TinyRun.VOCABULARY).toArray(), 1));
        }
        return rows;
    }

    private static void gradients(CausalLm model, Batch batch) {
        for (int pass = 0; pass < PASSES; pass++) {
            model.accumulateGradient(batch, 1);
            model.gradients();
            model.clearGradients();
        }
    }

    private static void examples(CausalLm model, Kernels kernels, StepBatch batch, Labels labels) {
        for (int pass = 0; pass < PASSES; pass++) {
            try (Arena fisher = new Arena(model.layout())) {
                new ExampleFisher(model, kernels, List.of(batch), Unit.SEQUENCE, labels)
                        .accumulateInto(fisher, 1, done -> {});
            }
        }
    }

    /** Steps without a penalty; with one; and with one whose Fisher two passes have merged into after it. */
    private static void steps(CausalLm model, Kernels kernels, StepBatch batch, String what) {
        List<StepBatch> batches = Collections.nCopies(PASSES, batch);
        TaskTraining task = new TaskTraining(0, "task", List.of(), TinyRun.training(), 1, PenaltyOptions.defaults());
        try (Trainer trainer = new Trainer(model, kernels)) {
            if (what.equals("plain")) {
                trainer.steps(task, batches, 1e-3, null);
                return;
            }
            try (Consolidation consolidation = new Consolidation(model.layout(), new MergeSchedule.RunningMean())) {
                consolidate(model, kernels, consolidation, new UniformFisher(model, model.trained()));
                trainer.steps(task, batches, 1e-3, consolidation);
                for (int merge = 0; what.equals("merge") && merge < 2; merge++) {
                    consolidate(model, kernels, consolidation, new BatchFisher(model, batches));
                }
            }
        }
    }

    private static void consolidate(
            CausalLm model, Kernels kernels, Consolidation consolidation, FisherEstimator estimator) {
        consolidation.add(kernels, estimator, model.theta(), new HeldFisher("task", estimator.describe()), done -> {});
    }

    private static String highWaterMark() throws IOException {
        return Files.readAllLines(Path.of("/proc/self/status")).stream()
                .filter(line -> line.startsWith("VmHWM"))
                .findFirst()
                .orElseThrow()
                .replaceAll("[^0-9]", "");
    }
}
