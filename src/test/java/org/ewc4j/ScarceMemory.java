package org.ewc4j;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.ewc4j.config.EvaluationConfig;
import org.ewc4j.config.EwcConfig;
import org.ewc4j.config.ModelSource;
import org.ewc4j.config.TrainingConfig;
import org.ewc4j.report.RunListener;
import org.ewc4j.task.Example;
import org.ewc4j.task.Task;
import org.ewc4j.train.StepMetrics;

/**
 * A process that learns a task in large batches after its address space was limited to what it has and so many megabytes more;
 * see {@link ScarceMemoryTest}. Prints a line for each step: its loss and gradient norm.
 */
public final class ScarceMemory {
    private static final int ROWS = 384;

    private ScarceMemory() {}

    /** {@code args}: a folder, and megabytes (0: no limit). */
    public static void main(String[] args) throws IOException, InterruptedException {
        Path folder = Path.of(args[0]);
        Path model = TinyRun.model(folder.resolve("model"), "gpt2", config -> config.put("n_embd", 128));
        TrainingConfig training =
                TinyRun.training().withMaxLength(TinyRun.POSITIONS).withBatchSize(ROWS);
        try (ContinualLearner learner = ContinualLearner.open(
                ModelSource.random(model, 1),
                training,
                EwcConfig.defaults().withLambda(10),
                EvaluationConfig.defaults().withMaxNewTokens(4))) {
            // What is taken once (threads, moments, OpenBLAS's buffers, without which it ends the process) is taken
            // before the limit.
            learner.learn(task("warm-up", 64));
            limit(Long.parseLong(args[1]));
            learner.addListener(new RunListener() {
                @Override
                public void step(StepMetrics step) {
                    System.out.println(step.lmLoss() + " " + step.gradNorm());
                }
            });
            learner.learn(task("large", ROWS));
            learner.saveState(folder.resolve("state"));
            System.out.println(Files.readString(folder.resolve("state/state.json"))
                    .replaceAll("(?s).*\"micro_batch_rows\" : (\\d+).*", "$1"));
        }
    }

    private static Task task(String name, int rows) {
        List<Example> examples = new ArrayList<>();
        for (int i = 0; i < rows; i++) {
            String question = "what is the colour of number " + i + " of " + name;
            examples.add(new Example(question, question + ":", Integer.toString(i % 7)));
        }
        return new Task(name, examples, List.of());
    }

    private static void limit(long megabytes) throws IOException, InterruptedException {
        if (megabytes == 0) {
            return;
        }
        long size = Files.readAllLines(Path.of("/proc/self/status")).stream()
                .filter(line -> line.startsWith("VmSize"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")) << 10)
                .findFirst()
                .orElseThrow();
        String pid = Long.toString(ProcessHandle.current().pid());
        Process prlimit = new ProcessBuilder("prlimit", "--pid", pid, "--as=" + (size + (megabytes << 20)))
                .inheritIO()
                .start();
        if (prlimit.waitFor() != 0) {
            throw new IOException("prlimit failed");
        }
    }
}
