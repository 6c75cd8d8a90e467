package org.ewc4j;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.ewc4j.kernel.NativeResource;
import org.ewc4j.tensor.Torch;

/**
 * What this process holds.
 *
 * @param kibibytes resident memory
 * @param threads the JVM's and native ones too
 * @param tensors kept beyond a call
 */
record Held(long kibibytes, long files, long threads, long tensors, long resources) {
    private static final long PAGE_KIB = 4;

    static Held now() {
        try {
            long pages =
                    Long.parseLong(Files.readString(Path.of("/proc/self/statm")).split(" ")[1]);
            long threads = Files.readAllLines(Path.of("/proc/self/status")).stream()
                    .filter(line -> line.startsWith("Threads:"))
                    .mapToLong(line -> Long.parseLong(line.substring(8).strip()))
                    .sum();
            int files = Path.of("/proc/self/fd").toFile().list().length;
            return new Held(pages * PAGE_KIB, files, threads, Torch.keptObjects(), NativeResource.openCount());
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    /** A row of a table: what {@code of} counts, and the five figures. */
    String row(long of) {
        return "| %d | %d | %d | %d | %d | %d |".formatted(of, kibibytes, files, threads, tensors, resources);
    }

    static String header(String of) {
        return "| " + of + " | resident, KiB | files | threads | kept tensors | native resources |\n"
                + "|---|---|---|---|---|---|";
    }

    /** From a {@link #row}. */
    static Held parse(String row) {
        long[] cells = Arrays.stream(row.split("\\|"))
                .map(String::strip)
                .filter(cell -> !cell.isEmpty())
                .mapToLong(Long::parseLong)
                .toArray();
        return new Held(cells[1], cells[2], cells[3], cells[4], cells[5]);
    }

    /** Whether {@link #row} made it. */
    static boolean isRow(String line) {
        return line.matches("\\|( \\d+ \\|){6}");
    }
}
