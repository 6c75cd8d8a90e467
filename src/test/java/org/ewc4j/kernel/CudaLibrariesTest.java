package org.ewc4j.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CudaLibrariesTest {
    private static final Predicate<String> CPU_BUILD = resource -> false;
    private static final Predicate<String> CUDA_BUILD = resource -> resource.contains("-gpu/libtorch_cuda.so");
    private static final String NO_LINKER_CACHE = "";

    @TempDir
    Path folder;

    private void put(Path where, String... names) throws IOException {
        Files.createDirectories(where);
        for (String name : names) {
            Files.createFile(where.resolve(name));
        }
    }

    private CudaLibraries find(Predicate<String> resources, String libraryPath, String linkerCache) {
        return CudaLibraries.find(resources, libraryPath, () -> linkerCache);
    }

    @Test
    void withTheCpuBuildNothingIsAskedForAndTheWayToTheOtherIsSaid() {
        CudaLibraries libraries = find(CPU_BUILD, "", NO_LINKER_CACHE);

        assertThat(libraries.cudaBuild()).isFalse();
        assertThat(libraries.description()).contains("CPU build", "./ewc4j --gpu");
    }

    @Test
    void whatIsMissingIsNamedByFileAndWhereItWasLookedFor() throws IOException {
        Path there = folder.resolve("lib");
        put(there, CudaLibraries.REQUIRED.toArray(String[]::new));
        Files.delete(there.resolve("libnccl.so.2"));
        Files.delete(there.resolve("libcudnn.so.9"));

        CudaLibraries libraries = find(CUDA_BUILD, there + ":" + folder.resolve("none"), NO_LINKER_CACHE);

        assertThat(libraries.missing()).containsExactly("libcudnn.so.9", "libnccl.so.2");
        assertThat(libraries.description())
                .startsWith(
                        "missing libcudnn.so.9, libnccl.so.2; looked in the class path, " + there + ", the system's")
                .contains("EWC4J_CUDA_LIBS")
                .doesNotContain("none");
    }

    @Test
    void librariesAreFoundOnTheClassPathInFoldersAndInTheLinkerCache() throws IOException {
        Path toolkit = folder.resolve("toolkit");
        Path wheels = folder.resolve("wheels");
        put(toolkit, "libcublas.so.13", "libcublasLt.so.13", "libcusparse.so.12", "libcusolver.so.12");
        put(wheels, "libcublas.so.13", "libnccl.so.2");
        String cache = CudaLibraries.REQUIRED.stream()
                .filter(name -> name.startsWith("libcudnn"))
                .map(name -> "\t" + name + " (libc6,x86-64) => /usr/lib/" + name + "\n")
                .collect(Collectors.joining());
        Predicate<String> resources = resource ->
                CUDA_BUILD.test(resource) || resource.matches(".*/cuda/.*(cudart|cupti|nvJitLink|fft|rand|cufile).*");

        CudaLibraries libraries = find(resources, toolkit + "::" + wheels, cache);

        assertThat(libraries.missing()).isEmpty();
        assertThat(libraries.description())
                .isEqualTo("complete: 6 in the class path, 4 in " + toolkit + ", 5 in the system's linker cache, 1 in "
                        + wheels);
    }

    /** CUDA 12's are named alike but for the number, and would not do. */
    @Test
    void anotherMajorVersionIsMissing() throws IOException {
        put(folder, "libcublas.so.12", "libcudart.so.12", "libcudart.so.13.0.96", "libcusolver.so.11");

        CudaLibraries libraries =
                find(CUDA_BUILD, folder.toString(), "\tlibcublas.so.12 (libc6,x86-64) => /usr/lib/libcublas.so.12\n");

        assertThat(libraries.missing()).isEqualTo(CudaLibraries.REQUIRED);
    }

    @Test
    void theLinkerCacheIsReadOnlyWhereTheRestLacksSomething() throws IOException {
        put(folder, CudaLibraries.REQUIRED.toArray(String[]::new));

        CudaLibraries libraries = CudaLibraries.find(CUDA_BUILD, folder.toString(), () -> {
            throw new AssertionError("asked for nothing");
        });

        assertThat(libraries.missing()).isEmpty();
    }

    @Test
    void thisTestsBuildIsDescribed() {
        assertThat(CudaLibraries.find().description()).isNotBlank();
    }
}
