package org.ewc4j.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;
import org.ewc4j.config.EvaluationConfig.Split;
import org.ewc4j.eval.AccuracyMatrix;
import org.ewc4j.eval.ContinualMetrics;
import org.ewc4j.eval.TaskScore;

/** Gathers the scores of a run and shows them as text: the accuracy matrix and the metrics of each split scored. */
public final class ScoreTable implements RunListener {
    private static final int LONGEST_NAME = 20;

    private final List<TaskScore> scores = new ArrayList<>();
    private List<String> tasks = List.of();

    @Override
    public void runStarted(RunStart start) {
        tasks = start.taskNames();
    }

    @Override
    public void runResumed(RunResumption resumption) {
        scores.addAll(resumption.scores());
    }

    @Override
    public void scored(TaskScore score) {
        scores.add(score);
    }

    /** The tables; empty where nothing was scored. */
    public String text() {
        StringBuilder text = new StringBuilder();
        for (Split split : List.of(Split.TRAIN, Split.TEST)) {
            AccuracyMatrix matrix = AccuracyMatrix.ofExactMatch(tasks.size(), scores, split);
            if (!matrix.isEmpty()) {
                appendMatrix(text, split, matrix);
            }
        }
        return text.toString();
    }

    private void appendMatrix(StringBuilder text, Split split, AccuracyMatrix matrix) {
        List<String> names =
                tasks.stream().map(name -> Html.shorten(name, LONGEST_NAME)).toList();
        int first = Math.max(10, names.stream().mapToInt(String::length).max().orElse(0) + 6);
        int[] widths = names.stream()
                .mapToInt(name -> tasks.size() > 8 ? 6 : Math.max(7, name.length() + 2))
                .toArray();
        text.append("Exact match in %, ")
                .append(RunJson.key(split))
                .append(" questions (down: after task, across: asked)");
        text.append('\n').append(" ".repeat(first));
        for (int j = 0; j < names.size(); j++) {
            text.append(pad(tasks.size() > 8 ? Integer.toString(j + 1) : names.get(j), widths[j]));
        }
        text.append('\n');
        for (int i = 0; i < names.size(); i++) {
            String row = String.format(Locale.ROOT, "%3d %s", i + 1, names.get(i));
            text.append(row).append(" ".repeat(first - row.length()));
            for (int j = 0; j < names.size(); j++) {
                text.append(pad(percent(matrix.get(i, j)), widths[j]));
            }
            text.append('\n');
        }
        ContinualMetrics metrics = ContinualMetrics.of(matrix);
        text.append("average ").append(percent(metrics.average()));
        text.append("   average incremental ").append(percent(metrics.averageIncremental()));
        text.append("   forgetting ").append(percent(metrics.forgetting()));
        text.append("   backward transfer ")
                .append(percent(metrics.backwardTransfer()))
                .append("\n\n");
    }

    private static String pad(String text, int width) {
        return " ".repeat(Math.max(0, width - text.length())) + text;
    }

    private static String percent(OptionalDouble value) {
        return value.isPresent() ? String.format(Locale.ROOT, "%.1f", value.getAsDouble()) : "-";
    }
}
