package org.ewc4j.config;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;

/** How many physical cores the process may use: two hardware threads of one core only get in each other's way. */
final class PhysicalCores {
    private PhysicalCores() {}

    /** Cores that the kernel lists, but no more than the processors that a container or an affinity leaves; at least 1. */
    static int count() {
        return count(Path.of("/sys/devices/system/cpu"), Runtime.getRuntime().availableProcessors());
    }

    static int count(Path cpus, int available) {
        Set<String> cores = new HashSet<>();
        try (DirectoryStream<Path> processors = Files.newDirectoryStream(cpus, "cpu[0-9]*")) {
            for (Path processor : processors) {
                Path siblings = processor.resolve("topology/thread_siblings_list");
                if (Files.isReadable(siblings)) {
                    cores.add(Files.readString(siblings).strip());
                }
            }
        } catch (IOException e) {
            return available; // no sysfs, as in some sandboxes: processors are the best that is known
        }
        return cores.isEmpty() ? available : Math.max(1, Math.min(cores.size(), available));
    }
}
