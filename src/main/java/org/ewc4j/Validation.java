package org.ewc4j;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.ewc4j.config.RunConfig;
import org.ewc4j.consolidation.StateTypes;
import org.ewc4j.data.EncodedTask;
import org.ewc4j.data.EncodingSummary;
import org.ewc4j.data.RowPreview;
import org.ewc4j.report.RunFolder;
import org.ewc4j.task.Task;
import org.ewc4j.task.TaskSequence;
import org.ewc4j.tensor.ArenaPlace;

/**
 * What a run would do, found out without training: everything that {@link ContinualRun#execute} checks is checked, the
 * model is loaded, the tasks are tokenized.
 *
 * @param architecture as transformers calls its class
 * @param numerics device and precision of the passes, as in {@code cpu, fp32}
 * @param parameters trained parameters, a tied tensor once
 * @param stateBytes bytes of θ, its gradient, the two moments and, where there is a λ, F and, unless it lies elsewhere, θ*
 * @param anchorElsewhere where θ* lies and its bytes, for a person; empty where it lies with the others
 * @param tasks in order
 * @param protectedData what is read of the data of {@code ewc.protect}; empty where there is none
 * @param summary what would be cut
 * @param warnings one line each
 * @param previews the first training rows as tokens
 */
public record Validation(
        String architecture,
        String numerics,
        long parameters,
        long stateBytes,
        Optional<String> anchorElsewhere,
        List<TaskPlan> tasks,
        Optional<ProtectedPlan> protectedData,
        EncodingSummary summary,
        List<String> warnings,
        List<RowPreview> previews) {

    /** A task, of questions or packed text, and how many optimizer steps it takes. */
    public record TaskPlan(String name, int trainRows, int testRows, long steps, boolean text) {}

    /** How many rows of protected data the Fisher pass before the first task reads, and how many are scored. */
    public record ProtectedPlan(int fisherRows, int testRows) {}

    private static final int PREVIEWED_ROWS = 2;
    private static final int PLAIN_BYTES = 16;

    /** Of θ and the moments, of which a checkpoint takes a copy. */
    private static final int COPIED_BYTES = 12;

    public Validation {
        tasks = List.copyOf(tasks);
        warnings = List.copyOf(warnings);
        previews = List.copyOf(previews);
    }

    /** Checks a configuration; an output folder that holds a run already is no mistake here, one that can't be written is. */
    public static Validation of(RunConfig config) {
        TaskSequence tasks = ContinualRun.readTasks(config);
        Optional<Task> protectedData = ContinualRun.readProtected(config);
        RunFolder.check(config.output(), true);
        try (ContinualLearner learner = ContinualRun.open(config)) {
            EncodingSummary summary = ContinualRun.encodeAll(learner, tasks);
            Optional<EncodedTask> protectedRows = protectedData.map(learner::encodeProtected);
            boolean consolidates = ContinualRun.consolidates(config, tasks);
            Optional<String> elsewhere =
                    consolidates ? anchorElsewhere(learner, StateTypes.of(config.ewc())) : Optional.empty();
            List<TaskPlan> plans = new ArrayList<>();
            for (int i = 0; i < tasks.size(); i++) {
                Task task = tasks.get(i);
                EncodedTask encoded = learner.encode(task);
                plans.add(new TaskPlan(
                        task.name(),
                        encoded.trainRows().size(),
                        encoded.testRows().size(),
                        ContinualRun.steps(learner, config, tasks, i),
                        task.isText()));
            }
            EncodedTask first = learner.encode(tasks.get(0));
            return new Validation(
                    learner.architecture(),
                    learner.device() + ", "
                            + config.training().precision().name().toLowerCase(Locale.ROOT),
                    learner.parameters(),
                    learner.parameters() * stateBytes(config, consolidates, elsewhere.isPresent()),
                    elsewhere,
                    plans,
                    protectedRows.map(rows -> new ProtectedPlan(
                            config.ewc().protect().orElseThrow().maxExamples().stream()
                                    .map(most -> Math.min(most, rows.trainRows().size()))
                                    .findFirst()
                                    .orElse(rows.trainRows().size()),
                            rows.testRows().size())),
                    summary,
                    summary.warnings(
                            config.training().maxLength(), config.evaluation().maxNewTokens()),
                    first.trainRows().stream()
                            .limit(PREVIEWED_ROWS)
                            .map(learner::preview)
                            .toList());
        }
    }

    /** Bytes a parameter. */
    private static int stateBytes(RunConfig config, boolean consolidates, boolean anchorElsewhere) {
        StateTypes types = StateTypes.of(config.ewc());
        int consolidation = anchorElsewhere ? types.fisher().bytes() : types.bytesPerParameter();
        return PLAIN_BYTES + (consolidates ? consolidation : 0);
    }

    private static Optional<String> anchorElsewhere(ContinualLearner learner, StateTypes types) {
        String size = String.format(
                Locale.ROOT, "%,d MB", learner.parameters() * types.anchor().bytes() / 1_000_000);
        ArenaPlace place = learner.anchorPlace();
        if (place instanceof ArenaPlace.Mapped mapped) {
            return Optional.of(size + " of anchor in a mapped file on the disk of " + mapped.folder());
        }
        return place instanceof ArenaPlace.Pinned
                ? Optional.of(size + " of anchor in pinned memory of the machine")
                : Optional.empty();
    }

    /** The findings as lines for a person. */
    public String text() {
        StringBuilder text = new StringBuilder();
        line(text, "model: %s, %,d parameters, on %s", architecture, parameters, numerics);
        line(
                text,
                "memory: %,d MB of parameters, gradient, moments and consolidation, besides libtorch and the activations",
                stateBytes / 1_000_000);
        anchorElsewhere.ifPresent(anchor -> line(text, "  and %s", anchor));
        line(text, "  while a checkpoint is written: %,d MB more", parameters * COPIED_BYTES / 1_000_000);
        line(
                text,
                "tasks: %d, %,d optimizer steps",
                tasks.size(),
                tasks.stream().mapToLong(TaskPlan::steps).sum());
        for (TaskPlan task : tasks) {
            line(
                    text,
                    "  %s: %,d training and %,d test %s, %,d steps",
                    task.name(),
                    task.trainRows(),
                    task.testRows(),
                    task.text() ? "rows of packed text" : "questions",
                    task.steps());
        }
        protectedData.ifPresent(plan -> line(
                text,
                "protected data: %,d rows in the Fisher pass before the first task, %,d held out to be scored",
                plan.fisherRows(),
                plan.testRows()));
        line(
                text,
                "tokens: %,d rows, the longest of %,d tokens, %.1f %% of the tokens are scored",
                summary.rows(),
                summary.longestRow(),
                100.0 * summary.scoredTokens() / summary.tokens());
        warnings.forEach(warning -> line(text, "warning: %s", warning));
        line(text, "the first training rows, token by token; [scored] tokens carry the loss, the others are masked:");
        previews.forEach(row -> line(text, "  %s", preview(row)));
        line(text, "nothing was trained");
        return text.toString();
    }

    private static void line(StringBuilder text, String format, Object... values) {
        text.append(String.format(Locale.ROOT, format, values)).append('\n');
    }

    private static String preview(RowPreview row) {
        StringBuilder text = new StringBuilder();
        for (RowPreview.Token token : row.tokens()) {
            String shown =
                    token.text().replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t");
            text.append(token.scored() ? "[" + shown + "]" : shown).append('|');
        }
        return text.toString();
    }
}
