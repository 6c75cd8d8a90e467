package org.ewc4j.kernel;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The shared libraries that libtorch's CUDA build needs, and where they lie. Maven Central has some of them, the rest comes
 * from an installation of CUDA. Files are looked for, never loaded: without one of them libtorch does not say which it
 * misses, but behaves as if there were no GPU, or does not load.
 */
public final class CudaLibraries {
    /** As the libraries of the CUDA build ask for them, in the order in which they need each other. */
    static final List<String> REQUIRED = List.of(
            "libcudart.so.13",
            "libcupti.so.13",
            "libnvJitLink.so.13",
            "libcublasLt.so.13",
            "libcublas.so.13",
            "libcufft.so.12",
            "libcurand.so.10",
            "libcusparse.so.12",
            "libcusolver.so.12",
            "libcufile.so.0",
            "libcudnn.so.9",
            "libcudnn_graph.so.9",
            "libcudnn_ops.so.9",
            "libcudnn_cnn.so.9",
            "libcudnn_adv.so.9",
            "libnccl.so.2");

    private static final Logger LOG = LoggerFactory.getLogger(CudaLibraries.class);
    private static final String IN_TORCH_JAR = "/org/bytedeco/pytorch/linux-x86_64-gpu/libtorch_cuda.so";
    private static final String IN_CUDA_JAR = "/org/bytedeco/cuda/linux-x86_64/";

    private final boolean cudaBuild;
    private final List<Path> folders;
    private final Map<String, String> found;

    private CudaLibraries(boolean cudaBuild, List<Path> folders, Map<String, String> found) {
        this.cudaBuild = cudaBuild;
        this.folders = folders;
        this.found = found;
    }

    /** Looks on the class path, in the folders of the library path, and among what the system's linker knows. */
    public static CudaLibraries find() {
        return find(
                resource -> CudaLibraries.class.getResource(resource) != null,
                System.getProperty("java.library.path", ""),
                CudaLibraries::linkerCache);
    }

    /**
     * @param resources whether the class path has a resource
     * @param libraryPath folders, as java.library.path has them: LD_LIBRARY_PATH first
     * @param linker what {@code ldconfig -p} prints; asked only where the rest lacks something
     */
    static CudaLibraries find(Predicate<String> resources, String libraryPath, Supplier<String> linker) {
        List<Path> folders = Stream.of(libraryPath.split(File.pathSeparator))
                .filter(name -> !name.isEmpty())
                .map(Path::of)
                .distinct()
                .toList();
        Map<String, String> found = new LinkedHashMap<>();
        Function<String, Optional<String>> known = name -> resources.test(IN_CUDA_JAR + name)
                ? Optional.of("the class path")
                : folders.stream()
                        .filter(folder -> Files.exists(folder.resolve(name)))
                        .map(Path::toString)
                        .findFirst();
        REQUIRED.forEach(name -> known.apply(name).ifPresent(place -> found.put(name, place)));
        if (found.size() < REQUIRED.size()) {
            String cache = linker.get();
            REQUIRED.stream()
                    .filter(name -> !found.containsKey(name) && cache.contains("\t" + name + " "))
                    .forEach(name -> found.put(name, "the system's linker cache"));
        }
        return new CudaLibraries(resources.test(IN_TORCH_JAR), folders, found);
    }

    /** Whether the class path has libtorch's CUDA build. */
    public boolean cudaBuild() {
        return cudaBuild;
    }

    /** File names of what was not found, in {@link #REQUIRED}'s order; empty where everything is there. */
    public List<String> missing() {
        return REQUIRED.stream().filter(name -> !found.containsKey(name)).toList();
    }

    /** One line: where the libraries are, or what is missing, where it was looked for, and what to do. */
    public String description() {
        if (!cudaBuild) {
            return "not used: this is libtorch's CPU build; ./ewc4j --gpu COMMAND takes the CUDA build (downloads 0.9 GB once)";
        }
        List<String> missing = missing();
        if (!missing.isEmpty()) {
            return "missing " + String.join(", ", missing) + "; looked in " + searched()
                    + "; name the folders that hold them in EWC4J_CUDA_LIBS (docs/gpu.md says where they come from)";
        }
        return REQUIRED.stream()
                .collect(Collectors.groupingBy(found::get, LinkedHashMap::new, Collectors.counting()))
                .entrySet()
                .stream()
                .map(place -> place.getValue() + " in " + place.getKey())
                .collect(Collectors.joining(", ", "complete: ", ""));
    }

    private String searched() {
        List<String> places = new ArrayList<>(List.of("the class path"));
        folders.stream().filter(Files::isDirectory).map(Path::toString).forEach(places::add);
        places.add("the system's linker cache");
        return String.join(", ", places);
    }

    /** What {@code ldconfig -p} prints, or nothing. */
    private static String linkerCache() {
        for (String program : List.of("/sbin/ldconfig", "/usr/sbin/ldconfig", "ldconfig")) {
            try {
                Process process = new ProcessBuilder(program, "-p")
                        .redirectErrorStream(true)
                        .start();
                process.getOutputStream().close();
                return new String(process.getInputStream().readAllBytes(), StandardCharsets.ISO_8859_1);
            } catch (IOException e) {
                LOG.debug("{} -p: {}", program, e.getMessage());
            }
        }
        return "";
    }
}
