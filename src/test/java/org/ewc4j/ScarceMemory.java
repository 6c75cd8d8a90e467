package org.ewc4j;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.ewc4j.checkpoint.CheckpointStore;
import org.ewc4j.config.EvaluationConfig;
import org.ewc4j.config.EvaluationConfig.Split;
import org.ewc4j.config.EwcConfig;
import org.ewc4j.config.EwcConfig.FisherKind;
import org.ewc4j.config.ModelSource;
import org.ewc4j.config.TrainingConfig;
import org.ewc4j.eval.TaskScore;
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

    /**
     * {@code args}: a folder, megabytes (0: no limit), and {@code steps}, {@code checkpoint} or the kind of Fisher whose pass is
     * tried.
     */
    public static void main(String[] args) throws IOException, InterruptedException {
        Path folder = Path.of(args[0]);
        boolean steps = args[2].equals("steps");
        boolean checkpoint = args[2].equals("checkpoint");
        // 57 MB for each arena of a checkpoint; otherwise small beside what a batch takes.
        int width = checkpoint ? 768 : 128;
        Path model = TinyRun.model(folder.resolve("model"), "gpt2", config -> config.put("n_embd", width));
        TrainingConfig training =
                TinyRun.training().withMaxLength(TinyRun.POSITIONS).withBatchSize(ROWS);
        EwcConfig ewc = EwcConfig.defaults().withLambda(10);
        try (ContinualLearner learner = ContinualLearner.open(
                ModelSource.random(model, 1),
                training,
                steps || checkpoint ? ewc : ewc.withFisher(FisherKind.valueOf(args[2])),
                EvaluationConfig.defaults()
                        .withMaxNewTokens(4)
                        .withBatchSize(ROWS)
                        .withSplits(Set.of(Split.TRAIN)))) {
            // What is taken once (threads, moments, OpenBLAS's buffers, without which it ends the process) is taken
            // before the limit.
            Task small = task("warm-up", checkpoint ? 4 : 64);
            learner.learn(small);
            learner.evaluate(Map.of(0, small));
            limit(Long.parseLong(args[1]));
            if (steps) {
                steps(learner, folder);
            } else if (checkpoint) {
                checkpoint(learner, folder);
            } else {
                passes(learner, folder);
            }
        }
    }

    private static void steps(ContinualLearner learner, Path folder) throws IOException {
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

    /** Prints whether it is whole when saving has returned. */
    private static void checkpoint(ContinualLearner learner, Path folder) {
        try (CheckpointStore store = new CheckpointStore(folder.resolve("checkpoints"), 1)) {
            store.save(learner.state().toJson(), learner.learning().arenas(), () -> {});
            System.out.println(store.newestWhole(found -> {}, reason -> {}).isPresent());
        }
    }

    /** Without a step before them, which would have found out how many rows there is memory for. */
    private static void passes(ContinualLearner learner, Path folder) {
        Task large = task("large", ROWS);
        learner.consolidate(large);
        learner.saveConsolidation(folder.resolve("consolidation"), Optional.empty());
        TaskScore score = learner.evaluate(Map.of(0, large)).get(0);
        System.out.println(score.tokenLoss() + " " + score.exactMatch());
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
