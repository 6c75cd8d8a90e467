package org.ewc4j.report;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.stream.StreamSupport;
import org.ewc4j.config.EvaluationConfig.Split;
import org.ewc4j.config.WrittenConfiguration;
import org.ewc4j.data.JsonLines;
import org.ewc4j.data.Row;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.Quoted;
import org.ewc4j.eval.AccuracyMatrix;
import org.ewc4j.eval.LambdaChoice;

/**
 * A run as read back from its folder, for a report.
 *
 * @param label the folder's name
 * @param tasks names, in order
 * @param accuracy exact match in per cent, by split
 * @param tokenLoss mean token loss in nats, by split
 * @param protectedLoss token loss of the protected data, of the starting checkpoint and after each task; NaN where it was not
 *     taken, empty where nothing is protected
 * @param seconds by phase: train, fisher, evaluate; without those not known
 * @param configuration text of config.yaml; empty where there is none
 * @param settings the same, flattened to {@code key.key → value}
 * @param steps the curves of steps.jsonl
 * @param choice what λ was chosen from; empty where it was given
 * @param wrong the first wrong answers of each task and split, when it was last asked
 */
record RunData(
        String label,
        List<String> tasks,
        Map<Split, AccuracyMatrix> accuracy,
        Map<Split, AccuracyMatrix> tokenLoss,
        double[] protectedLoss,
        Map<String, Double> seconds,
        long parameters,
        double lambda,
        String configuration,
        Map<String, String> settings,
        Steps steps,
        Optional<LambdaChoice> choice,
        List<JsonNode> wrong) {
    /** Beyond it the steps of an axis are not told apart; no run comes near. */
    private static final long LAST_STEP = 1L << 50;

    private static final String IS_IT = "is this file of an ewc4j run?";

    /** Wrong answers kept in all, about; of each task and split one at least. */
    private static final int WRONG = 30;

    /**
     * The steps of a run as columns.
     *
     * @param penaltyGradRatio ‖λF(θ−θ*)‖ ÷ ‖g‖; gaps in files that were written before it was
     * @param taskStarts row at which each task began
     * @param taskNames name of each of those tasks
     */
    record Steps(
            Curve lmLoss,
            Curve penalty,
            Curve loss,
            Curve penaltyGradRatio,
            int[] taskStarts,
            List<String> taskNames,
            long tokens) {}

    /** Whether a task is plain text: it has a token loss and no exact match. */
    boolean hasText() {
        return Arrays.stream(Split.values())
                .anyMatch(split -> !tokenLoss
                        .get(split)
                        .perplexityOfText(accuracy.get(split))
                        .isEmpty());
    }

    /** Seconds of a phase; NaN where not known. */
    double seconds(String phase) {
        return seconds.getOrDefault(phase, Double.NaN);
    }

    /** Seconds of all phases; NaN where the run did not end. */
    double totalSeconds() {
        return seconds("train") + seconds("fisher") + seconds("evaluate");
    }

    /** The method in a few words: λ, the kind of Fisher, merge and penalty where they are not the usual ones. */
    String method() {
        if (lambda == 0) {
            return "λ 0, plain fine-tuning";
        }
        String fisher = settings.getOrDefault("ewc.fisher", "");
        String merge = settings.getOrDefault("ewc.merge", "");
        return "λ " + Html.number(lambda) + (fisher.isEmpty() ? "" : ", Fisher " + fisher)
                + (merge.isEmpty() || merge.equals("running-mean") ? "" : ", merge " + merge)
                + (settings.getOrDefault("ewc.penalty", "").equals("proximal") ? ", proximal" : "");
    }

    RunData withLabel(String other) {
        return new RunData(
                other,
                tasks,
                accuracy,
                tokenLoss,
                protectedLoss,
                seconds,
                parameters,
                lambda,
                configuration,
                settings,
                steps,
                choice,
                wrong);
    }

    /**
     * Reads the run in {@code folder}; only {@code results.json} must be there.
     *
     * @throws InvalidInputException where it is not, or a file of the run does not read as one
     */
    static RunData read(Path folder) {
        Path results = folder.resolve("results.json");
        if (!Files.isRegularFile(results)) {
            throw new InvalidInputException(folder + " is not a run: it has no results.json; give the output folder of"
                    + " `ewc4j train` (a run writes results.json after its first task)");
        }
        JsonNode root = RunJson.read(results);
        List<String> tasks = tasks(results, root.path("tasks"));
        Map<String, Double> seconds = new LinkedHashMap<>();
        root.path("seconds").fields().forEachRemaining(entry -> {
            if (entry.getValue().isNumber()) {
                seconds.put(entry.getKey(), entry.getValue().asDouble());
            }
        });
        Path configuration = folder.resolve("config.yaml");
        WrittenConfiguration written = Files.isRegularFile(configuration)
                ? WrittenConfiguration.read(configuration)
                : WrittenConfiguration.none();
        return new RunData(
                folder.toAbsolutePath().normalize().getFileName().toString(),
                tasks,
                matrices(results, root.path("matrix"), tasks.size()),
                matrices(results, root.path("loss"), tasks.size()),
                StreamSupport.stream(root.at("/protected/loss").spliterator(), false)
                        .mapToDouble(loss -> loss.asDouble(Double.NaN))
                        .toArray(),
                seconds,
                root.path("parameters").asLong(),
                root.path("lambda").asDouble(Double.NaN),
                written.text(),
                written.settings(),
                steps(folder.resolve("steps.jsonl"), tasks.size()),
                LambdaChoiceJson.read(root.path("lambda_choice")),
                wrong(folder.resolve("predictions.jsonl"), tasks.size()));
    }

    private static List<String> tasks(Path file, JsonNode node) {
        List<String> tasks = new ArrayList<>();
        node.forEach(name -> tasks.add(name.asText()));
        if (!node.isArray() || tasks.isEmpty()) {
            throw new InvalidInputException(file + ": tasks: expected the names of tasks; " + IS_IT);
        }
        return tasks;
    }

    private static Map<Split, AccuracyMatrix> matrices(Path file, JsonNode node, int tasks) {
        Map<Split, AccuracyMatrix> matrices = new TreeMap<>();
        for (Split split : Split.values()) {
            JsonNode given = node.path(RunJson.key(split));
            // Before anything is held: names alone would ask for the square of them.
            if (!LambdaChoiceJson.isSquare(given, tasks)) {
                throw new InvalidInputException(file + ": " + RunJson.key(split) + ": expected a row for each of the "
                        + tasks + " tasks, with a number or null for each; " + IS_IT);
            }
            double[][] rows = new double[tasks][tasks];
            for (int i = 0; i < tasks; i++) {
                for (int j = 0; j < tasks; j++) {
                    JsonNode entry = given.path(i).path(j);
                    if (!entry.isNumber() && !entry.isNull()) {
                        throw new InvalidInputException(file + ": " + RunJson.key(split) + "[" + i + "][" + j
                                + "] expected a number or null; " + IS_IT);
                    }
                    rows[i][j] = entry.asDouble(Double.NaN);
                }
            }
            matrices.put(split, AccuracyMatrix.ofRows(rows));
        }
        return matrices;
    }

    private static Steps steps(Path file, int tasks) {
        Columns columns = new Columns(tasks);
        forEachRow(file, columns::add);
        return columns.finish();
    }

    /** Grows as rows come in; a run may have millions. */
    private static final class Columns {
        private final int tasks;
        private long step = -1;
        private double[][] columns = new double[5][1024];
        private int rows;
        private long tokens;
        private int task = -1;
        private final List<Integer> starts = new ArrayList<>();
        private final List<String> names = new ArrayList<>();

        Columns(int tasks) {
            this.tasks = tasks;
        }

        void add(Row line) {
            JsonNode row = line.fields();
            step = whole(line, "step", step + 1, LAST_STEP);
            if (rows == columns[0].length) {
                for (int c = 0; c < columns.length; c++) {
                    columns[c] = Arrays.copyOf(columns[c], 2 * rows);
                }
            }
            long of = whole(line, "task", Math.max(0, task), tasks - 1);
            if (of != task) {
                task = (int) of;
                starts.add(rows);
                names.add(row.path("task_name").asText());
            }
            columns[0][rows] = step;
            columns[1][rows] = row.path("lm_loss").asDouble(Double.NaN);
            columns[2][rows] = row.path("penalty").asDouble(Double.NaN);
            columns[3][rows] = row.path("loss").asDouble(Double.NaN);
            columns[4][rows] = row.path("penalty_grad_ratio").asDouble(Double.NaN);
            tokens += row.path("tokens").asLong();
            rows++;
        }

        Steps finish() {
            Curve[] curves = new Curve[5];
            double[] x = Arrays.copyOf(columns[0], rows);
            for (int c = 1; c < columns.length; c++) {
                curves[c] = new Curve(x, Arrays.copyOf(columns[c], rows));
            }
            int[] taskStarts = starts.stream().mapToInt(Integer::intValue).toArray();
            return new Steps(curves[1], curves[2], curves[3], curves[4], taskStarts, names, tokens);
        }
    }

    private static List<JsonNode> wrong(Path file, int tasks) {
        int perTask = Math.max(1, Math.min(3, WRONG / (Split.values().length * tasks)));
        Map<List<Object>, List<JsonNode>> byTask = new LinkedHashMap<>();
        Map<List<Object>, Long> lastAsked = new LinkedHashMap<>();
        forEachRow(file, line -> {
            JsonNode row = line.fields();
            List<Object> key = List.of(whole(line, "task", 0, tasks - 1), split(line));
            long after = whole(line, "after_task", 0, tasks - 1);
            if (lastAsked.getOrDefault(key, -1L) < after) {
                lastAsked.put(key, after);
                byTask.put(key, new ArrayList<>());
            }
            List<JsonNode> rows = byTask.get(key);
            if (!row.path("correct").asBoolean() && rows.size() < perTask) {
                rows.add(row);
            }
        });
        return byTask.values().stream().flatMap(List::stream).toList();
    }

    private static Split split(Row line) {
        String given = line.text("split");
        return Arrays.stream(Split.values())
                .filter(split -> RunJson.key(split).equals(given))
                .findFirst()
                .orElseThrow(() -> new InvalidInputException(
                        line.location() + ": split: expected train or test, got " + Quoted.of(given) + "; " + IS_IT));
    }

    /** A whole number from {@code least} to {@code most}. */
    private static long whole(Row line, String key, long least, long most) {
        JsonNode value = line.fields().path(key);
        if (!value.isIntegralNumber() || !value.canConvertToLong() || value.asLong() < least || value.asLong() > most) {
            throw new InvalidInputException(line.location() + ": " + key + ": expected a whole number from " + least
                    + " to " + most + "; " + IS_IT);
        }
        return value.asLong();
    }

    private static void forEachRow(Path file, Consumer<Row> consumer) {
        if (Files.isRegularFile(file)) {
            JsonLines.forEach(file, consumer);
        }
    }
}
