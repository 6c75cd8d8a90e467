package org.ewc4j.consolidation;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.ewc4j.Golden;
import org.ewc4j.config.AnchorPlacement;
import org.ewc4j.fisher.UniformFisher;
import org.ewc4j.kernel.ElementType;
import org.ewc4j.kernel.Kernels;
import org.ewc4j.tensor.Arena;
import org.ewc4j.tensor.Device;
import org.ewc4j.tensor.ParameterLayout;
import org.ewc4j.tensor.Torch;
import org.ewc4j.tensor.TrainedParameters;

/** A process that prints what consolidations take of its anonymous memory; see {@link StateMemoryTest}. */
public final class StateMemory {
    /** More than the 32 MB below which glibc may give memory out again that it has not given back: a byte each must be new. */
    private static final long ELEMENTS = 40 << 20;

    private StateMemory() {}

    /** A way to keep F and θ*. */
    record State(StateTypes types, AnchorPlacement.Memory memory, double bytesPerParameter) {}

    /** The rows of the table in docs/methods.md. */
    static List<State> states() {
        ElementType f32 = ElementType.F32;
        ElementType f16 = ElementType.F16;
        ElementType bf16 = ElementType.BF16;
        ElementType int16 = ElementType.I16_BLOCK256;
        ElementType int8 = ElementType.U8_BLOCK256;
        return List.of(
                inMemory(f32, f32, 8),
                inMemory(bf16, f32, 6),
                inMemory(int8, f32, 5.02),
                inMemory(f32, int16, 6.02),
                inMemory(f32, f16, 6),
                inMemory(bf16, int16, 4.02),
                inMemory(int8, int16, 3.03),
                inMemory(bf16, f16, 4),
                new State(StateTypes.FULL, AnchorPlacement.Memory.MAPPED, 4),
                new State(new StateTypes(bf16, int16), AnchorPlacement.Memory.MAPPED, 2),
                new State(new StateTypes(int8, int16), AnchorPlacement.Memory.MAPPED, 1.02));
    }

    private static State inMemory(ElementType fisher, ElementType anchor, double bytes) {
        return new State(new StateTypes(fisher, anchor), AnchorPlacement.Memory.DEVICE, bytes);
    }

    /** {@code args}: a folder for maps. Prints bytes a parameter of each of {@link #states}. */
    public static void main(String[] args) {
        Torch.start(Golden.THREADS);
        ParameterLayout layout = ParameterLayout.of(Map.of("weight", new long[] {ELEMENTS}));
        try (Kernels kernels = Kernels.host(Golden.THREADS);
                Arena theta = new Arena(layout)) {
            theta.fill(0.5);
            // In memory and mapped once for what the first use of anything takes.
            bytesPerParameter(states().get(0), Path.of(args[0]), kernels, theta);
            bytesPerParameter(states().get(states().size() - 1), Path.of(args[0]), kernels, theta);
            states().forEach(state -> System.out.println(bytesPerParameter(state, Path.of(args[0]), kernels, theta)));
        }
    }

    private static double bytesPerParameter(State state, Path folder, Kernels kernels, Arena theta) {
        AnchorPlacement placement =
                AnchorPlacement.defaults().withMemory(state.memory()).withFolder(folder);
        long before = anonymousBytes();
        try (Consolidation consolidation = new Consolidation(
                theta.layout(),
                new MergeSchedule.RunningMean(),
                state.types(),
                StatePlaces.of(placement, Device.CPU))) {
            UniformFisher fisher = new UniformFisher(null, TrainedParameters.all(theta.layout()));
            consolidation.add(kernels, fisher, theta, HeldFishers.uniform("a task"), done -> {});
            return (anonymousBytes() - before) / (double) ELEMENTS;
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
