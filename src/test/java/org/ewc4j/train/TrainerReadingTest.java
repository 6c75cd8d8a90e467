package org.ewc4j.train;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.ewc4j.Golden;
import org.ewc4j.TinyRun;
import org.ewc4j.config.ModelSource;
import org.ewc4j.config.PenaltyOptions;
import org.ewc4j.config.TrainingConfig;
import org.ewc4j.config.TrainingConfig.OnNonfinite;
import org.ewc4j.config.TrainingConfig.Positions;
import org.ewc4j.consolidation.Consolidation;
import org.ewc4j.consolidation.HeldFisher;
import org.ewc4j.consolidation.MergeSchedule;
import org.ewc4j.consolidation.StatePlaces;
import org.ewc4j.consolidation.StateTypes;
import org.ewc4j.data.TokenizedRow;
import org.ewc4j.fisher.UniformFisher;
import org.ewc4j.kernel.Kernels;
import org.ewc4j.kernel.MemoryApart;
import org.ewc4j.model.CausalLm;
import org.ewc4j.model.ModelDirectory;
import org.ewc4j.tensor.Device;
import org.ewc4j.tensor.Torch;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** How often a step would wait for a device: counted on kernels whose numbers lie apart, as a device's do. */
class TrainerReadingTest {
    private static final int ROWS = 14;
    private static final int EVERY = 5;

    @TempDir
    Path folder;

    @BeforeAll
    static void start() {
        Torch.start(Golden.THREADS);
    }

    /** Under EWC and clipping; skipping decides from the norm too, without reading it. */
    @ParameterizedTest
    @EnumSource(OnNonfinite.class)
    void aStepReadsNothingButWhatLogEveryAsksFor(OnNonfinite onNonfinite) {
        ModelSource source = ModelSource.random(TinyRun.model(folder, "gpt_neox"), 1);
        TrainingConfig config = TinyRun.training()
                .withEpochs(1)
                .withBatchSize(1)
                .withClipNorm(0.1)
                .withOnNonfinite(onNonfinite)
                .withLogEvery(EVERY);
        List<TokenizedRow> rows = new ArrayList<>();
        for (int row = 0; row < ROWS; row++) {
            rows.add(new TokenizedRow(new int[] {1 + row, 40, 80, 120, 0}, 2));
        }
        Trainer.TaskTraining task = new Trainer.TaskTraining(0, "rows", rows, config, 10, PenaltyOptions.defaults());
        MemoryApart memory = new MemoryApart();
        List<StepMetrics> steps = new ArrayList<>();
        try (CausalLm model = CausalLm.open(ModelDirectory.open(source), Positions.FIRST_TOKEN, 0);
                Kernels kernels = Kernels.on(memory, Golden.THREADS);
                Trainer trainer = new Trainer(model, kernels);
                Consolidation consolidation = new Consolidation(
                        model.layout(), new MergeSchedule.RunningMean(), StateTypes.FULL, StatePlaces.on(Device.CPU))) {
            UniformFisher fisher = new UniformFisher(model, model.trained());
            consolidation.add(kernels, fisher, model.theta(), new HeldFisher("before", fisher.describe()), done -> {});
            int before = memory.downloads();
            trainer.train(task, consolidation, 0, steps::add);
            assertThat(memory.downloads() - before).isEqualTo((ROWS + EVERY - 1) / EVERY);
        }
        assertThat(steps)
                .hasSize(ROWS)
                .allSatisfy(step -> assertThat(step.gradNorm()).isPositive());
    }
}
