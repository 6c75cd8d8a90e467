package org.ewc4j.report;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
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
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.JsonReason;
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
        try {
            JsonNode root = RunJson.MAPPER.readTree(Files.readString(results));
            List<String> tasks = new ArrayList<>();
            root.path("tasks").forEach(name -> tasks.add(name.asText()));
            Map<String, Double> seconds = new LinkedHashMap<>();
            root.path("seconds").fields().forEachRemaining(entry -> {
                if (entry.getValue().isNumber()) {
                    seconds.put(entry.getKey(), entry.getValue().asDouble());
                }
            });
            Path configuration = folder.resolve("config.yaml");
            String text = Files.isRegularFile(configuration) ? Files.readString(configuration) : "";
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
                    text,
                    settings(configuration, text),
                    steps(folder.resolve("steps.jsonl")),
                    LambdaChoiceJson.read(root.path("lambda_choice")),
                    wrong(folder.resolve("predictions.jsonl"), tasks.size()));
        } catch (JsonProcessingException e) {
            throw new InvalidInputException(results + ": not JSON: " + JsonReason.of(e), e);
        } catch (IOException e) {
            throw new InvalidInputException(folder + " cannot be read: " + e.getMessage(), e);
        }
    }

    private static Map<Split, AccuracyMatrix> matrices(Path file, JsonNode node, int tasks) {
        Map<Split, AccuracyMatrix> matrices = new TreeMap<>();
        for (Split split : Split.values()) {
            double[][] rows = new double[tasks][tasks];
            for (int i = 0; i < tasks; i++) {
                for (int j = 0; j < tasks; j++) {
                    JsonNode entry = node.path(RunJson.key(split)).path(i).path(j);
                    if (!entry.isNumber() && !entry.isNull()) {
                        throw new InvalidInputException(file + ": " + RunJson.key(split) + "[" + i + "][" + j
                                + "] expected a number or null; is this file of an ewc4j run?");
                    }
                    rows[i][j] = entry.asDouble(Double.NaN);
                }
            }
            matrices.put(split, AccuracyMatrix.ofRows(rows));
        }
        return matrices;
    }

    private static Map<String, String> settings(Path file, String text) {
        Map<String, String> settings = new LinkedHashMap<>();
        try {
            flatten("", new YAMLMapper().readTree(text), settings);
        } catch (JsonProcessingException e) {
            throw new InvalidInputException(file + ": not YAML: " + JsonReason.of(e), e);
        }
        return settings;
    }

    private static void flatten(String prefix, JsonNode node, Map<String, String> into) {
        if (node.isObject()) {
            node.fields()
                    .forEachRemaining(entry -> flatten(
                            prefix.isEmpty() ? entry.getKey() : prefix + "." + entry.getKey(), entry.getValue(), into));
        } else if (!prefix.isEmpty()) {
            into.put(prefix, node.isValueNode() ? node.asText() : node.toString());
        }
    }

    private static Steps steps(Path file) throws IOException {
        Columns columns = new Columns();
        forEachLine(file, columns::add);
        return columns.finish();
    }

    /** Grows as rows come in; a run may have millions. */
    private static final class Columns {
        private double[][] columns = new double[5][1024];
        private int rows;
        private long tokens;
        private int task = -1;
        private final List<Integer> starts = new ArrayList<>();
        private final List<String> names = new ArrayList<>();

        void add(JsonNode row) {
            if (rows == columns[0].length) {
                for (int c = 0; c < columns.length; c++) {
                    columns[c] = Arrays.copyOf(columns[c], 2 * rows);
                }
            }
            if (row.path("task").asInt() != task) {
                task = row.path("task").asInt();
                starts.add(rows);
                names.add(row.path("task_name").asText());
            }
            columns[0][rows] = row.path("step").asDouble();
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

    private static List<JsonNode> wrong(Path file, int tasks) throws IOException {
        int perTask = Math.max(1, Math.min(3, WRONG / (Split.values().length * Math.max(1, tasks))));
        Map<List<Object>, List<JsonNode>> byTask = new LinkedHashMap<>();
        Map<List<Object>, Integer> lastAsked = new LinkedHashMap<>();
        forEachLine(file, row -> {
            List<Object> key =
                    List.of(row.path("task").asInt(), row.path("split").asText());
            int after = row.path("after_task").asInt();
            if (lastAsked.getOrDefault(key, -1) < after) {
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

    private static void forEachLine(Path file, Consumer<JsonNode> consumer) throws IOException {
        if (!Files.isRegularFile(file)) {
            return;
        }
        try (BufferedReader reader = Files.newBufferedReader(file, StandardCharsets.UTF_8)) {
            int number = 0;
            for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                number++;
                try {
                    consumer.accept(RunJson.MAPPER.readTree(line));
                } catch (JsonProcessingException e) {
                    throw new InvalidInputException(file + ":" + number + ": not JSON: " + JsonReason.of(e), e);
                }
            }
        }
    }
}
