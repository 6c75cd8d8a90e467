package org.ewc4j.config;

import java.nio.file.Path;
import java.util.Optional;

/**
 * Keys {@code ewc.anchor_memory} and {@code ewc.anchor_folder}: where the anchor θ* lies. It changes no bit of what is learned.
 *
 * @param memory kind of memory
 * @param folder on whose disk the file of {@link Memory#MAPPED} lies; must exist. Empty: for a run where its output goes, for a
 *     learner that is embedded {@code java.io.tmpdir}
 */
public record AnchorPlacement(Memory memory, Optional<Path> folder) {
    /** Kinds of memory. */
    public enum Memory {
        /** Where the parameters are. */
        DEVICE,
        /** The machine's, pinned, where the kernels of a CUDA device reach it over the bus; on the CPU as DEVICE. */
        HOST,
        /** A map of a file, whose pages the system may drop and read again; on the CPU. */
        MAPPED
    }

    /** Where the parameters are. */
    public static AnchorPlacement defaults() {
        return SettingValues.defaults().ewc().anchorPlacement();
    }

    public AnchorPlacement withMemory(Memory value) {
        return new AnchorPlacement(value, folder);
    }

    public AnchorPlacement withFolder(Path value) {
        return new AnchorPlacement(memory, Optional.of(value));
    }
}
