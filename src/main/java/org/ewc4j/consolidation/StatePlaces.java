package org.ewc4j.consolidation;

import java.io.IOException;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import org.ewc4j.config.AnchorPlacement;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.tensor.ArenaPlace;
import org.ewc4j.tensor.Device;

/**
 * Where a consolidation keeps what it keeps.
 *
 * @param device where the kernels run and F lies
 * @param anchor where θ* lies, within reach of these kernels
 */
public record StatePlaces(Device device, ArenaPlace anchor) {
    /** File systems that lie in memory. */
    private static final Set<String> IN_MEMORY = Set.of("tmpfs", "ramfs");

    /** Both in the device's own memory. */
    public static StatePlaces on(Device device) {
        return new StatePlaces(device, new ArenaPlace.OnDevice(device));
    }

    /**
     * What a configuration names.
     *
     * @throws InvalidInputException where the kernels would not reach the anchor, or its folder is none, or lies in memory
     */
    public static StatePlaces of(AnchorPlacement placement, Device device) {
        return switch (placement.memory()) {
            case DEVICE -> on(device);
            case HOST -> device.isCuda() ? new StatePlaces(device, new ArenaPlace.Pinned(device)) : on(device);
            case MAPPED -> {
                if (device.isCuda()) {
                    throw new InvalidInputException("ewc.anchor_memory: mapped, but the kernels of " + device
                            + " do not reach a mapped file; expected host or device there");
                }
                Path folder = placement.folder().orElseGet(() -> Path.of(System.getProperty("java.io.tmpdir")));
                requireDisk(folder);
                yield new StatePlaces(device, new ArenaPlace.Mapped(folder));
            }
        };
    }

    private static void requireDisk(Path folder) {
        if (!Files.isDirectory(folder)) {
            throw new InvalidInputException("ewc.anchor_folder " + folder + ": expected a folder that exists");
        }
        try {
            FileStore store = Files.getFileStore(folder);
            if (IN_MEMORY.contains(store.type())) {
                throw new InvalidInputException("ewc.anchor_folder " + folder + ": lies in memory (" + store.type()
                        + "), where a map saves nothing; give a folder on a disk");
            }
        } catch (IOException e) {
            throw new InvalidInputException("ewc.anchor_folder " + folder + ": cannot be read: " + e.getMessage(), e);
        }
    }
}
