package org.ewc4j.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** What the kernel tells of this machine's processor, memory and GPU. Anything it does not tell is "unknown". */
final class MachineFacts {
    /** Instruction sets that our kernels or libtorch choose by. */
    private static final List<String> FEATURES =
            List.of("avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512_bf16", "amx_tile");

    private final List<String> cpu;
    private final List<String> memory;

    MachineFacts(List<String> cpu, List<String> memory) {
        this.cpu = cpu;
        this.memory = memory;
    }

    static MachineFacts ofThisMachine() {
        return new MachineFacts(lines("/proc/cpuinfo"), lines("/proc/meminfo"));
    }

    private static List<String> lines(String file) {
        try {
            return Files.readAllLines(Path.of(file));
        } catch (IOException e) {
            return List.of();
        }
    }

    String model() {
        return values(cpu, "model name").findFirst().orElse("unknown");
    }

    String features() {
        Set<String> flags = new HashSet<>(
                List.of(values(cpu, "flags").findFirst().orElse("").split(" ")));
        String known = FEATURES.stream().filter(flags::contains).collect(Collectors.joining(" "));
        return flags.size() <= 1 ? "unknown" : known.isEmpty() ? "none of " + String.join(" ", FEATURES) : known;
    }

    /** Physical cores by the pairs of socket and core, and the threads on them. */
    String cores() {
        Set<String> cores = new HashSet<>();
        String socket = "";
        for (String line : cpu) {
            if (key(line).equals("physical id")) {
                socket = value(line);
            } else if (key(line).equals("core id")) {
                cores.add(socket + "/" + value(line));
            }
        }
        long threads = values(cpu, "processor").count();
        String physical = cores.isEmpty() ? "unknown" : Integer.toString(cores.size());
        return physical + " physical cores, " + threads + " threads, "
                + Runtime.getRuntime().availableProcessors() + " for this process";
    }

    String memory() {
        return gibibytes("MemTotal") + " GiB, " + gibibytes("MemAvailable") + " GiB available";
    }

    /** How many threads wanted to run, on average over the last 1, 5 and 15 minutes. */
    String loadAverage() {
        return lines("/proc/loadavg").stream()
                .findFirst()
                .map(line -> String.join(" ", List.of(line.split(" ")).subList(0, 3)))
                .orElse("unknown");
    }

    private String gibibytes(String name) {
        return values(memory, name)
                .findFirst()
                .map(kib -> String.format(Locale.ROOT, "%.1f", Double.parseDouble(kib.split(" ")[0]) / (1 << 20)))
                .orElse("?");
    }

    /** A line for each GPU, or one that says why there is none. */
    static List<String> gpus(Path devices) {
        try (Stream<Path> entries = Files.list(devices)) {
            boolean device = entries.anyMatch(e -> e.getFileName().toString().matches("nvidia\\d+"));
            if (!device) {
                return List.of("none: no NVIDIA device in " + devices + "; runs go on the CPU");
            }
        } catch (IOException e) {
            return List.of("unknown: " + devices + " cannot be read");
        }
        return queryDriver();
    }

    private static List<String> queryDriver() {
        try {
            Process process = new ProcessBuilder(
                            "nvidia-smi",
                            "--query-gpu=name,memory.total,driver_version,compute_cap",
                            "--format=csv,noheader")
                    .redirectErrorStream(true)
                    .start();
            if (!process.waitFor(10, TimeUnit.SECONDS)) {
                process.destroyForcibly();
                return List.of("device found, but nvidia-smi did not answer in 10 s");
            }
            String output = new String(process.getInputStream().readAllBytes()).strip();
            if (process.exitValue() != 0) {
                return List.of("device found, but nvidia-smi failed: "
                        + output.lines().findFirst().orElse("no message"));
            }
            return output.lines().toList();
        } catch (IOException e) {
            return List.of("device found, but no nvidia-smi to ask: is the driver installed?");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return List.of("unknown: interrupted");
        }
    }

    private static Stream<String> values(List<String> lines, String key) {
        return lines.stream().filter(line -> key(line).equals(key)).map(MachineFacts::value);
    }

    private static String key(String line) {
        return line.contains(":") ? line.substring(0, line.indexOf(':')).strip() : "";
    }

    private static String value(String line) {
        return line.substring(line.indexOf(':') + 1).strip();
    }
}
