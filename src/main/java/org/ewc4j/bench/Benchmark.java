package org.ewc4j.bench;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.ewc4j.config.TrainingConfig;
import org.ewc4j.kernel.Kernels;
import org.ewc4j.model.CausalLm;
import org.ewc4j.model.ModelDirectory;
import org.ewc4j.model.Numerics;
import org.ewc4j.tensor.CudaDevice;
import org.ewc4j.tensor.Device;
import org.ewc4j.tensor.ParameterLayout;
import org.ewc4j.tensor.Torch;

/** Measures kernels and steps on a model of a public shape, on the CPU or a CUDA device. */
public final class Benchmark {
    private Benchmark() {}

    /**
     * Takes the measurements; some seconds to minutes, and memory for ten copies of the parameters.
     *
     * @throws org.ewc4j.error.InvalidInputException where the options do not fit the shape, or the questions do not read
     */
    public static BenchResult run(BenchOptions options) {
        ModelDirectory shape = Shapes.open(options.shape());
        BenchBatches batches = BenchBatches.of(options, shape);
        options.rows().ifPresent(batches::write);
        Torch.start(options.threads());
        TrainingConfig config = config(options, batches);
        Numerics numerics = Numerics.of(config);
        Device device = numerics.device();
        try (Kernels kernels = Torch.kernels(device, options.threads())) {
            ParameterLayout layout = shape.layout();
            // Before the model takes its memory: a device need not hold both.
            List<KernelBenchmark.Result> verbs = KernelBenchmark.run(layout, device, kernels, options.rounds());
            try (CausalLm model = CausalLm.open(shape, config.positions(), config.seed(), numerics)) {
                StepBenchmark.Result step = StepBenchmark.run(model, kernels, config, batches, options);
                Optional<CudaDevice> gpu = device.isCuda() ? Optional.of(CudaDevice.of(device)) : Optional.empty();
                return new BenchResult(options, device, gpu, layout.elements(), batches, verbs, step);
            }
        }
    }

    /**
     * Times each way to keep F and θ*; memory for some twenty copies of the parameters.
     *
     * @param folder on whose disk the maps lie
     * @throws org.ewc4j.error.InvalidInputException as {@link #run}, or where the folder lies in memory
     */
    public static StateResult states(BenchOptions options, Path folder) {
        ModelDirectory shape = Shapes.open(options.shape());
        BenchBatches batches = BenchBatches.of(options, shape);
        Torch.start(options.threads());
        TrainingConfig config = config(options, batches);
        Numerics numerics = Numerics.of(config);
        try (Kernels kernels = Torch.kernels(numerics.device(), options.threads());
                CausalLm model = CausalLm.open(shape, config.positions(), config.seed(), numerics)) {
            return new StateResult(
                    options,
                    numerics.device(),
                    model.layout().elements(),
                    StateBenchmark.run(model, kernels, config, batches, options.rounds(), folder));
        }
    }

    private static TrainingConfig config(BenchOptions options, BenchBatches batches) {
        return TrainingConfig.defaults()
                .withBatchSize(options.batch())
                .withMaxLength(batches.maxLength())
                .withThreads(options.threads())
                .withDevice(options.device())
                .withPrecision(options.precision());
    }
}
