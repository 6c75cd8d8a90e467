package org.ewc4j.consolidation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.ewc4j.config.AnchorPlacement;
import org.ewc4j.config.AnchorPlacement.Memory;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.tensor.ArenaPlace;
import org.ewc4j.tensor.Device;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

class StatePlacesTest {
    private static final Device GPU = new Device(0);
    private static final Path DISK = Path.of("target").toAbsolutePath();

    private static AnchorPlacement placement(Memory memory) {
        return AnchorPlacement.defaults().withMemory(memory);
    }

    @Test
    void theDefaultIsWhereTheParametersAre() {
        assertThat(AnchorPlacement.defaults().memory()).isEqualTo(Memory.DEVICE);
        assertThat(StatePlaces.of(placement(Memory.DEVICE), GPU)).isEqualTo(StatePlaces.on(GPU));
        assertThat(StatePlaces.on(Device.CPU).anchor()).isEqualTo(new ArenaPlace.OnDevice(Device.CPU));
    }

    @Test
    void theHostIsPinnedForADeviceAndItsOwnMemoryForTheCpu() {
        assertThat(StatePlaces.of(placement(Memory.HOST), GPU))
                .isEqualTo(new StatePlaces(GPU, new ArenaPlace.Pinned(GPU)));
        assertThat(StatePlaces.of(placement(Memory.HOST), Device.CPU)).isEqualTo(StatePlaces.on(Device.CPU));
    }

    @Test
    void aMapIsForTheCpu() {
        AnchorPlacement mapped = placement(Memory.MAPPED).withFolder(DISK);

        assertThat(StatePlaces.of(mapped, Device.CPU))
                .isEqualTo(new StatePlaces(Device.CPU, new ArenaPlace.Mapped(DISK)));
        assertThatThrownBy(() -> StatePlaces.of(mapped, GPU))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage("ewc.anchor_memory: mapped, but the kernels of cuda:0 do not reach a mapped file;"
                        + " expected host or device there");
    }

    @Test
    void aFolderThatIsNoneIsNamed() {
        Path none = DISK.resolve("no-such-folder");
        assertThatThrownBy(() -> StatePlaces.of(placement(Memory.MAPPED).withFolder(none), Device.CPU))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage("ewc.anchor_folder " + none + ": expected a folder that exists");
    }

    @Test
    void aFolderInMemoryIsNamed() throws IOException {
        Path memory = Path.of("/dev/shm");
        Assumptions.assumeTrue(
                Files.isDirectory(memory) && Files.getFileStore(memory).type().equals("tmpfs"),
                "/dev/shm is no tmpfs here");
        assertThatThrownBy(() -> StatePlaces.of(placement(Memory.MAPPED).withFolder(memory), Device.CPU))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage("ewc.anchor_folder /dev/shm: lies in memory (tmpfs), where a map saves nothing;"
                        + " give a folder on a disk");
    }
}
