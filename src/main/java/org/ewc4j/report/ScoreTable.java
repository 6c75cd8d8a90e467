package org.ewc4j.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;
import org.ewc4j.config.EvaluationConfig.Split;
import org.ewc4j.eval.AccuracyMatrix;
import org.ewc4j.eval.ContinualMetrics;
import org.ewc4j.eval.ProtectedScore;
import org.ewc4j.eval.TaskScore;
import org.ewc4j.eval.TokenLossMetrics;

/**
 * Gathers the scores of a run and shows them as text: the accuracy matrix and the metrics of each split scored, and of
 * plain text the perplexity.
 */
public final class ScoreTable implements RunListener {
    private static final int LONGEST_NAME = 20;

    private final List<TaskScore> scores = new ArrayList<>();
    private final List<ProtectedScore> protectedScores = new ArrayList<>();
    private List<String> tasks = List.of();

    @Override
    public void runStarted(RunStart start) {
        tasks = start.taskNames();
    }

    @Override
    public void runResumed(RunResumption resumption) {
        scores.addAll(resumption.scores());
        protectedScores.addAll(resumption.protectedScores());
    }

    @Override
    public void scored(TaskScore score) {
        scores.add(score);
    }

    @Override
    public void protectedScored(ProtectedScore score) {
        protectedScores.add(score);
    }

    /** The tables; empty where nothing was scored. */
    public String text() {
        StringBuilder text = new StringBuilder();
        for (Split split : List.of(Split.TRAIN, Split.TEST)) {
            AccuracyMatrix matrix = AccuracyMatrix.ofExactMatch(tasks.size(), scores, split);
            if (!matrix.isEmpty()) {
                appendMatrix(text, "Exact match in %, " + RunJson.key(split) + " questions", matrix, "%.1f");
                appendMetrics(text, ContinualMetrics.of(matrix));
            }
            AccuracyMatrix loss = AccuracyMatrix.ofTokenLoss(tasks.size(), scores, split);
            AccuracyMatrix perplexity = loss.perplexityOfText(matrix);
            if (!perplexity.isEmpty()) {
                appendMatrix(text, "Perplexity, " + RunJson.key(split) + " text", perplexity, "%.2f");
                appendMetrics(text, TokenLossMetrics.of(loss));
            }
        }
        if (!protectedScores.isEmpty()) {
            text.append("Perplexity of the protected data:");
            protectedScores.forEach(score -> text.append(String.format(
                    Locale.ROOT,
                    "   %s %.2f",
                    score.afterTask() < 0 ? "start" : "after " + (score.afterTask() + 1),
                    score.perplexity())));
            text.append("\n\n");
        }
        return text.toString();
    }

    private void appendMatrix(StringBuilder text, String what, AccuracyMatrix matrix, String format) {
        List<String> names =
                tasks.stream().map(name -> Html.shorten(name, LONGEST_NAME)).toList();
        int first = Math.max(10, names.stream().mapToInt(String::length).max().orElse(0) + 6);
        int[] widths = names.stream()
                .mapToInt(name -> tasks.size() > 8 ? 7 : Math.max(8, name.length() + 2))
                .toArray();
        text.append(what).append(" (down: after task, across: asked)");
        text.append('\n').append(" ".repeat(first));
        for (int j = 0; j < names.size(); j++) {
            text.append(pad(tasks.size() > 8 ? Integer.toString(j + 1) : names.get(j), widths[j]));
        }
        text.append('\n');
        for (int i = 0; i < names.size(); i++) {
            String row = String.format(Locale.ROOT, "%3d %s", i + 1, names.get(i));
            text.append(row).append(" ".repeat(first - row.length()));
            for (int j = 0; j < names.size(); j++) {
                text.append(pad(number(format, matrix.get(i, j)), widths[j]));
            }
            text.append('\n');
        }
    }

    private static void appendMetrics(StringBuilder text, ContinualMetrics metrics) {
        text.append("average ").append(number("%.1f", metrics.average()));
        text.append("   average incremental ").append(number("%.1f", metrics.averageIncremental()));
        text.append("   forgetting ").append(number("%.1f", metrics.forgetting()));
        text.append("   backward transfer ")
                .append(number("%.1f", metrics.backwardTransfer()))
                .append("\n\n");
    }

    private static void appendMetrics(StringBuilder text, TokenLossMetrics metrics) {
        text.append("token loss of all tasks in nats: average ").append(number("%.3f", metrics.average()));
        text.append("   when learned ").append(number("%.3f", metrics.learned()));
        text.append("   forgetting ")
                .append(number("%.3f", metrics.forgetting()))
                .append("\n\n");
    }

    private static String pad(String text, int width) {
        return " ".repeat(Math.max(1, width - text.length())) + text;
    }

    private static String number(String format, OptionalDouble value) {
        return value.isPresent() ? String.format(Locale.ROOT, format, value.getAsDouble()) : "-";
    }
}
