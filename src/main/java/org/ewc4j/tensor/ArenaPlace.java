package org.ewc4j.tensor;

import java.nio.file.Path;

/** Where the bytes of an arena lie, and so which kernels reach them. Immutable. */
public sealed interface ArenaPlace {
    /** The memory of the device whose kernels use the arena. */
    record OnDevice(Device device) implements ArenaPlace {}

    /**
     * Pinned memory of the machine, which the kernels of a CUDA device read and write over the bus: unified addressing gives
     * both the same address. It takes none of the device's memory, and can not be paged out.
     *
     * @param device a CUDA device
     */
    record Pinned(Device device) implements ArenaPlace {
        /** @throws IllegalArgumentException for the CPU, which has nothing to pin for */
        public Pinned {
            if (!device.isCuda()) {
                throw new IllegalArgumentException("pinned memory is for the kernels of a CUDA device");
            }
        }
    }

    /**
     * A map of a file of the arena's own, for the kernels of the CPU: pages that the system writes to the file and drops when
     * it needs the memory, and reads again when a kernel comes by. The file has no name from the start, so that nobody can
     * cut it short and the system frees it with the map, however the process ends.
     *
     * @param folder on whose disk the file lies; exists
     */
    record Mapped(Path folder) implements ArenaPlace {}
}
