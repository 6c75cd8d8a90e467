package org.ewc4j;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.ewc4j.config.EwcConfig;
import org.ewc4j.config.ModelSource;
import org.ewc4j.config.SaveConfig.StoredType;
import org.ewc4j.kernel.NativeResource;
import org.ewc4j.task.Task;
import org.ewc4j.tensor.Torch;

/**
 * A process that learns task after task for a long time, evaluating and saving behind each, and tells what it holds; see
 * {@link SoakTest}.
 */
public final class Soak {
    static final int STEPS_A_TASK = 200;
    private static final long PAGE_KIB = 4;

    private Soak() {}

    /** {@code args}: a folder to write to, and how many tasks. Prints a row of the table after every 10. */
    public static void main(String[] args) throws IOException {
        Path folder = Path.of(args[0]);
        int tasks = Integer.parseInt(args[1]);
        Path model = TinyRun.model(folder.resolve("model"), "llama");
        List<Task> kinds = TinyRun.tasks(4, 26);
        System.out.println("| steps | resident, KiB | files | threads | kept tensors | native resources |");
        System.out.println("|---|---|---|---|---|---|");
        try (ContinualLearner learner = ContinualLearner.open(
                ModelSource.random(model, 1),
                TinyRun.training()
                        .withEpochs(1000)
                        .withMaxSteps(STEPS_A_TASK)
                        .withShuffle(true)
                        .withLoaderThreads(2),
                EwcConfig.defaults().withLambda(100))) {
            for (int done = 0; done < tasks; done++) {
                Task task = kinds.get(done % kinds.size());
                learner.learn(task);
                learner.evaluate(Map.of(0, task));
                learner.saveModel(folder.resolve("checkpoint"), StoredType.FLOAT32);
                learner.saveConsolidation(folder.resolve("consolidation"));
                if ((done + 1) % 10 == 0) {
                    System.out.println(row((done + 1) * STEPS_A_TASK));
                }
            }
        }
        System.out.println("left behind: " + Torch.keptObjects() + " tensors, " + NativeResource.openCount()
                + " native resources");
    }

    private static String row(int steps) throws IOException {
        long kibibytes =
                Long.parseLong(Files.readString(Path.of("/proc/self/statm")).split(" ")[1]) * PAGE_KIB;
        long threads = Files.readAllLines(Path.of("/proc/self/status")).stream()
                .filter(line -> line.startsWith("Threads:"))
                .mapToLong(line -> Long.parseLong(line.substring(8).strip()))
                .sum();
        int files = Path.of("/proc/self/fd").toFile().list().length;
        return String.format(
                Locale.ROOT,
                "| %d | %d | %d | %d | %d | %d |",
                steps,
                kibibytes,
                files,
                threads,
                Torch.keptObjects(),
                NativeResource.openCount());
    }
}
