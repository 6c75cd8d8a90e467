package org.ewc4j.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.ewc4j.Golden;
import org.ewc4j.error.RunFailedException;
import org.ewc4j.kernel.ElementType;
import org.ewc4j.kernel.Kernels;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** An arena in a mapped file is one in memory to everybody who uses it, and leaves nothing. */
class MappedArenaTest {
    private static final ParameterLayout LAYOUT =
            ParameterLayout.of(Map.of("a", new long[] {300, 100}, "b", new long[] {7}, "c", new long[] {1}));

    @TempDir
    Path folder;

    @BeforeEach
    void start() {
        Torch.start(Golden.THREADS);
    }

    private Arena mapped(ElementType type) {
        return new Arena(LAYOUT, type, new ArenaPlace.Mapped(folder));
    }

    private static Arena values() {
        Arena values = new Arena(LAYOUT);
        int next = 1;
        for (var parameter : LAYOUT.parameters()) {
            values.add(parameter, 0.125 * next++);
        }
        return values;
    }

    /** Maps of this process whose file has no name any more. */
    private static long namelessMaps() throws IOException {
        return Files.readAllLines(Path.of("/proc/self/maps")).stream()
                .filter(line -> line.contains(".ewc4j-") && line.endsWith("(deleted)"))
                .count();
    }

    @ParameterizedTest
    @EnumSource(ElementType.class)
    void everyTypeHoldsTheBitsThatMemoryWouldHold(ElementType type) {
        try (Kernels kernels = Kernels.host(Golden.THREADS);
                Arena values = values();
                Arena file = mapped(type);
                Arena memory = new Arena(LAYOUT, type, Device.CPU)) {
            assertThat(bits(file)).containsOnly(0);
            kernels.convert(file.list(), values.list());
            kernels.convert(memory.list(), values.list());

            assertThat(bits(file)).isEqualTo(bits(memory));
            assertThat(file.bytes()).isEqualTo(memory.bytes());
            assertThat(file.device()).isEqualTo(Device.CPU);
        }
    }

    private static byte[] bits(Arena arena) {
        byte[] bits = new byte[Math.toIntExact(arena.bytes())];
        int at = 0;
        for (var parameter : LAYOUT.parameters()) {
            int size = Math.toIntExact(arena.type().bytes(parameter.elements()));
            WeightReader.memory(arena.hostAddress(parameter), size).get(bits, at, size);
            at += size;
        }
        return bits;
    }

    @Test
    void itsFileHasNoNameAndGoesWithIt() throws IOException {
        long before = namelessMaps();
        try (Arena one = mapped(ElementType.F32);
                Arena copy = one.copy()) {
            assertThat(folder).isEmptyDirectory();
            assertThat(namelessMaps()).isEqualTo(before + 2);
            one.fill(2);
            assertThat(copy.place()).isEqualTo(one.place());
            assertThat(copy.smallest()).isZero();
            copy.copyBits(one);
            assertThat(copy.smallest()).isEqualTo(2);
        }
        assertThat(namelessMaps()).isEqualTo(before);
    }

    @Test
    void itIsWrittenToAFileAndReadFromOne() throws IOException {
        try (Arena values = values();
                Arena first = mapped(ElementType.F32);
                Arena second = mapped(ElementType.F32)) {
            first.copyFrom(values);
            ArenaFile.write(folder.resolve("kept.safetensors"), first);
            ArenaFile.read(folder.resolve("kept.safetensors"), second);

            assertThat(second.fingerprint()).isEqualTo(values.fingerprint());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"4k", "64k"})
    void aFullDiskIsNamedBeforeAPageIsWritten(String size) throws Exception {
        Path disk = Files.createDirectory(folder.resolve("disk"));
        Process mount =
                new ProcessBuilder("mount", "-t", "tmpfs", "-o", "size=" + size, "ewc4j-test", disk.toString()).start();
        Assumptions.assumeTrue(mount.waitFor() == 0, "cannot mount a small disk here");
        try {
            assertThatThrownBy(() -> new Arena(LAYOUT, ElementType.F32, new ArenaPlace.Mapped(disk)))
                    .isInstanceOf(RunFailedException.class)
                    .hasMessage("a file to map in " + disk + " cannot be written: No space left on device");
            assertThat(disk).isEmptyDirectory();
            assertThat(Files.getFileStore(disk).getUsableSpace())
                    .as("what was written is given back")
                    .isEqualTo(Files.getFileStore(disk).getTotalSpace());
        } finally {
            new ProcessBuilder("umount", disk.toString()).start().waitFor();
        }
    }

    @Test
    void aFolderThatIsNotThereIsNamed() {
        Path none = folder.resolve("none");
        assertThatThrownBy(() -> new Arena(LAYOUT, ElementType.F32, new ArenaPlace.Mapped(none)))
                .isInstanceOf(RunFailedException.class)
                .hasMessageContainingAll("a file to map in " + none + " cannot be made");
    }

    @Test
    void aFolderOfAnyNameWillDo() throws IOException {
        Path odd = Files.createDirectory(folder.resolve("ü %s ' folder"));
        try (Arena arena = new Arena(LAYOUT, ElementType.F32, new ArenaPlace.Mapped(odd))) {
            assertThat(arena.smallest()).isZero();
        }
    }

    @Test
    void anInterruptOfTheThreadDoesNotBreakIt() {
        Thread.currentThread().interrupt();
        try (Arena arena = mapped(ElementType.F32)) {
            assertThat(arena.smallest()).isZero();
        } finally {
            assertThat(Thread.interrupted()).isTrue();
        }
    }

    @Test
    void pinnedMemoryIsForADeviceAlone() {
        assertThatThrownBy(() -> new ArenaPlace.Pinned(Device.CPU)).isInstanceOf(IllegalArgumentException.class);
    }
}
