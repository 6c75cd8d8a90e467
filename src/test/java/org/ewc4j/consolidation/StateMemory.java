package org.ewc4j.consolidation;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.OptionalDouble;
import org.ewc4j.Golden;
import org.ewc4j.config.AnchorPlacement;
import org.ewc4j.config.EwcConfig.FisherKind;
import org.ewc4j.config.FisherOptions.Normalize;
import org.ewc4j.config.FisherOptions.Unit;
import org.ewc4j.fisher.FisherRecord;
import org.ewc4j.fisher.UniformFisher;
import org.ewc4j.kernel.Kernels;
import org.ewc4j.tensor.Arena;
import org.ewc4j.tensor.Device;
import org.ewc4j.tensor.ParameterFingerprint;
import org.ewc4j.tensor.ParameterLayout;
import org.ewc4j.tensor.Torch;
import org.ewc4j.tensor.TrainedParameters;

/** A process that prints what consolidations take of its anonymous memory; see {@link StateMemoryTest}. */
public final class StateMemory {
    private static final long ELEMENTS = 24 << 20;

    private StateMemory() {}

    /** {@code args}: a folder for maps. Prints bytes a parameter of one in memory and one with a mapped anchor, twice. */
    public static void main(String[] args) {
        Torch.start(Golden.THREADS);
        ParameterLayout layout = ParameterLayout.of(Map.of("weight", new long[] {ELEMENTS}));
        FisherRecord estimate = new FisherRecord(
                FisherKind.UNIFORM,
                Unit.SEQUENCE,
                8,
                3,
                4,
                2,
                Normalize.NONE,
                OptionalDouble.empty(),
                false,
                new ParameterFingerprint("abc", "", ""),
                "");
        HeldFisher what = new HeldFisher("a task", estimate);
        AnchorPlacement.Memory[] memories = {
            AnchorPlacement.Memory.DEVICE,
            AnchorPlacement.Memory.MAPPED, // both once for what the first use of anything takes
            AnchorPlacement.Memory.DEVICE,
            AnchorPlacement.Memory.MAPPED
        };
        try (Kernels kernels = Kernels.host(Golden.THREADS);
                Arena theta = new Arena(layout)) {
            theta.fill(0.5);
            for (AnchorPlacement.Memory memory : memories) {
                AnchorPlacement placement =
                        AnchorPlacement.defaults().withMemory(memory).withFolder(Path.of(args[0]));
                long before = anonymousBytes();
                try (Consolidation consolidation = new Consolidation(
                        layout,
                        new MergeSchedule.RunningMean(),
                        StateTypes.FULL,
                        StatePlaces.of(placement, Device.CPU))) {
                    UniformFisher fisher = new UniformFisher(null, TrainedParameters.all(layout));
                    consolidation.add(kernels, fisher, theta, what, done -> {});
                    System.out.println((anonymousBytes() - before) / (double) ELEMENTS);
                }
            }
        }
    }

    /** Resident memory that no file backs: only swap could free it. */
    private static long anonymousBytes() {
        try {
            String kibibytes = Files.readAllLines(Path.of("/proc/self/status")).stream()
                    .filter(line -> line.startsWith("RssAnon"))
                    .findFirst()
                    .orElseThrow();
            return 1024 * Long.parseLong(kibibytes.replaceAll("[^0-9]", ""));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
