package org.ewc4j.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import org.ewc4j.report.Versions;
import picocli.CommandLine.Command;

/** {@code ewc4j doctor}: what a report of a problem should say about the machine. */
@Command(
        name = "doctor",
        mixinStandardHelpOptions = true,
        versionProvider = Main.Version.class,
        header = "Show versions, libraries, processor, memory and GPU.",
        description = {"", "Exit code 1 where something that ewc4j needs does not work.", ""})
final class DoctorCommand implements Callable<Integer> {
    private final Console console;
    private final Engine engine;
    private boolean broken;

    DoctorCommand(Console console, Engine engine) {
        this.console = console;
        this.engine = engine;
    }

    @Override
    public Integer call() {
        for (Map.Entry<String, String> version : Versions.all().entrySet()) {
            line(version.getKey(), version.getValue());
        }
        line("JVM", System.getProperty("java.vm.name") + ", " + System.getProperty("java.home"));
        line(
                "system",
                String.join(
                        " ",
                        System.getProperty("os.name"),
                        System.getProperty("os.version"),
                        System.getProperty("os.arch")));
        MachineFacts machine = MachineFacts.ofThisMachine();
        line("processor", machine.model());
        line("features", machine.features());
        line("cores", machine.cores());
        line(
                "memory",
                machine.memory() + ", " + (Runtime.getRuntime().maxMemory() >> 20) + " MiB of it for Java objects");
        String waiting = System.getenv("OMP_WAIT_POLICY");
        line("OMP_WAIT_POLICY", waiting == null ? "not set: training may be slower, ./ewc4j sets PASSIVE" : waiting);
        line("native library", orBroken(engine::nativeLibrary));
        line("CUDA libraries", orBroken(engine::cudaLibraries));
        line("libtorch", orBroken(engine::libtorch));
        line("library cache", cache());
        MachineFacts.gpus(Path.of("/dev")).forEach(gpu -> line("GPU", gpu));
        return broken ? Failures.FAILED : 0;
    }

    private String orBroken(Supplier<String> description) {
        try {
            return description.get();
        } catch (RuntimeException | LinkageError e) {
            broken = true;
            return "BROKEN: " + e.getMessage();
        }
    }

    /** Where JavaCPP unpacks libtorch; without a place for it nothing runs. */
    private String cache() {
        String set = System.getProperty("org.bytedeco.javacpp.cachedir", "");
        Path folder = set.isEmpty() ? Path.of(System.getProperty("user.home"), ".javacpp", "cache") : Path.of(set);
        Path existing = folder.toAbsolutePath();
        while (!Files.exists(existing)) {
            existing = existing.getParent();
        }
        if (Files.isWritable(existing)) {
            return folder + (existing.equals(folder.toAbsolutePath()) ? "" : " (not yet made)");
        }
        broken = true;
        return "BROKEN: " + folder + " cannot be written; set -Dorg.bytedeco.javacpp.cachedir to a folder that can";
    }

    private void line(String name, String value) {
        console.out().printf("%-16s %s%n", name, value);
    }
}
