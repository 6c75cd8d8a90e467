package org.ewc4j.fisher;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.ewc4j.Golden;
import org.ewc4j.TinyRun;
import org.ewc4j.config.FisherOptions.Unit;
import org.ewc4j.config.ModelSource;
import org.ewc4j.config.TrainingConfig.Positions;
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

/** A process that prints the largest resident memory that it had; see {@link PeakMemoryTest}. */
public final class PeakMemory {
    private static final int PASSES = 4;

    private PeakMemory() {}

    /** {@code args}: a folder for the model, and "gradient" or "example". Prints KiB. */
    public static void main(String[] args) throws IOException {
        Torch.start(Golden.THREADS);
        Path folder = TinyRun.model(
                Path.of(args[0]),
                "llama",
                config -> config.put("hidden_size", 256)
                        .put("intermediate_size", 1024)
                        .put("num_hidden_layers", 6));
        Random random = new Random(1);
        List<TokenizedRow> rows = new ArrayList<>();
        for (int i = 0; i < 32; i++) {
            rows.add(new TokenizedRow(
                    random.ints(TinyRun.POSITIONS, 0, TinyRun.VOCABULARY).toArray(), 1));
        }
        List<Batch> batches = BatchLoader.inFileOrder(rows, rows.size(), 0, TinyRun.POSITIONS);
        try (CausalLm model =
                        CausalLm.open(ModelDirectory.open(ModelSource.random(folder, 1)), Positions.FIRST_TOKEN, 0);
                Kernels kernels = Kernels.host(Golden.THREADS)) {
            for (int pass = 0; pass < PASSES; pass++) {
                if (args[1].equals("gradient")) {
                    model.accumulateGradient(batches.get(0), 1);
                    model.gradients();
                    model.clearGradients();
                } else {
                    try (Arena fisher = new Arena(model.layout())) {
                        new ExampleFisher(
                                        model,
                                        kernels,
                                        List.of(new StepBatch(0, batches)),
                                        Unit.SEQUENCE,
                                        new Labels.OfData())
                                .accumulateInto(fisher, 1, done -> {});
                    }
                }
            }
        }
        String peak = Files.readAllLines(Path.of("/proc/self/status")).stream()
                .filter(line -> line.startsWith("VmHWM"))
                .findFirst()
                .orElseThrow();
        System.out.println(peak.replaceAll("[^0-9]", ""));
    }
}
