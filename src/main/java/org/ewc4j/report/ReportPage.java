package org.ewc4j.report;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.ewc4j.config.EvaluationConfig.Split;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.RunFailedException;
import org.ewc4j.eval.AccuracyMatrix;
import org.ewc4j.eval.ContinualMetrics;
import org.ewc4j.eval.TokenLossMetrics;
import org.ewc4j.tensor.AtomicFile;

/**
 * The report of one run, or of several side by side: one HTML file that holds its style and its charts, asks no network,
 * runs no script and prints. All text from the runs is escaped. It is made from the folders of runs alone, so that it
 * can be made again, and of runs that were killed.
 */
public final class ReportPage {
    /** Filled in one pass, so that no text of a run is taken for a place of the page. */
    private static final String PAGE = """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8"/>
            <meta name="viewport" content="width=device-width, initial-scale=1"/>
            <title>%1$s</title>
            <style>
            %2$s</style>
            </head>
            <body>
            <main>
            <header>
            <h1>%1$s</h1>
            <div class="lead">%3$s</div>
            </header>
            %4$s
            <footer>Made by ewc4j %5$s. %6$s</footer>
            </main>
            </body>
            </html>
            """;

    private static final String STYLE = style();

    private final List<RunData> runs;
    private final ReportCharts charts;
    private final StringBuilder body = new StringBuilder();

    private ReportPage(List<RunData> runs) {
        this.runs = runs;
        this.charts = new ReportCharts(runs);
    }

    /**
     * The page of the runs in these folders.
     *
     * @throws InvalidInputException where a folder holds no run
     */
    public static String of(List<Path> folders) {
        if (folders.isEmpty()) {
            throw new InvalidInputException("report: expected at least one run's folder");
        }
        List<RunData> runs = new ArrayList<>();
        Set<String> labels = new LinkedHashSet<>();
        for (Path folder : folders) {
            RunData run = RunData.read(folder);
            // Two folders of the same name are told apart by their parents.
            runs.add(labels.add(run.label()) ? run : run.withLabel(folder.toString()));
        }
        return new ReportPage(runs).render();
    }

    /**
     * Writes the page of the runs in these folders to {@code file}.
     *
     * @throws InvalidInputException where a folder holds no run
     * @throws RunFailedException where the file cannot be written
     */
    public static void write(List<Path> folders, Path file) {
        AtomicFile.write(file, of(folders).getBytes(StandardCharsets.UTF_8));
    }

    private String render() {
        RunData first = runs.get(0);
        boolean single = runs.size() == 1;
        String title = single
                ? first.label()
                : runs.size() + " runs: " + runs.stream().map(RunData::label).collect(Collectors.joining(", "));
        String lead = single ? lead(first) : "Side by side";
        if (single) {
            appendTiles(first);
        } else {
            appendComparison();
        }
        for (Split split : List.of(Split.TEST, Split.TRAIN)) {
            appendSplit(split);
        }
        section(
                "Training",
                "Loss of the language model in nats per scored token, smoothed over the raw steps; total "
                        + "loss adds λ · penalty. The penalty ½ Σ F (θ* − θ)² is drawn before λ. Dashed lines begin a task.");
        runs.forEach(run -> pair(charts.training(run, single)));
        appendPerplexity();
        appendProtected();
        appendTokenLoss();
        runs.forEach(run -> run.choice().ifPresent(choice -> {
            section("How λ was chosen" + (single ? "" : ", " + run.label()), "");
            body.append(SweepPage.explanation(choice)).append(SweepPage.body(choice));
        }));
        if (single) {
            appendTiming(first);
        }
        appendWrongAnswers();
        appendConfiguration();
        return page(
                title,
                lead,
                body.toString(),
                "Scores are exact match in per cent: train questions for what was learned by heart, test questions for"
                        + " what carries over.");
    }

    /** A page in the style of all; {@code body} is HTML, the other texts are not. */
    static String page(String title, String lead, String body, String note) {
        return PAGE.formatted(
                Html.escape(Html.shorten(title, 120)),
                STYLE,
                Html.escape(lead),
                body,
                Html.escape(Versions.ewc4j()),
                Html.escape(note));
    }

    private static String lead(RunData run) {
        String tasks = run.tasks().size() + (run.tasks().size() == 1 ? " task" : " tasks in sequence");
        String size = String.format(Locale.ROOT, "%,d parameters", run.parameters());
        String time = Double.isFinite(run.totalSeconds()) ? Html.duration(run.totalSeconds()) : "not finished";
        return String.join(" · ", tasks, run.method(), size, time);
    }

    private void appendTiles(RunData run) {
        body.append("<div class=\"tiles\">");
        for (Split split : List.of(Split.TEST, Split.TRAIN)) {
            ContinualMetrics metrics = ContinualMetrics.of(run.accuracy().get(split));
            TokenLossMetrics loss = TokenLossMetrics.of(run.tokenLoss().get(split));
            if (run.hasText() && loss.average().isPresent()) {
                tile(nats(loss.average()), "mean token loss at the end, " + RunJson.key(split));
                tile(nats(loss.learned()), "when just learned, " + RunJson.key(split));
                tile(nats(loss.forgetting()), "forgetting, " + RunJson.key(split));
            }
            if (metrics.average().isPresent()) {
                tile(percent(metrics.average()), "average at the end, " + RunJson.key(split));
                tile(percent(metrics.averageIncremental()), "average incremental, " + RunJson.key(split));
                tile(points(metrics.forgetting()), "forgetting, " + RunJson.key(split));
                tile(points(metrics.backwardTransfer()), "backward transfer, " + RunJson.key(split));
            }
        }
        body.append("</div>\n");
    }

    private void tile(String value, String name) {
        body.append("<div class=\"tile\"><b>").append(Html.escape(value)).append("</b><span>");
        body.append(Html.escape(name)).append("</span></div>\n");
    }

    /** The runs' metrics as a table, a run a column, the best of each row in bold. */
    private void appendComparison() {
        section(
                "Metrics",
                "In per cent of questions. Forgetting is what tasks lost since their best score; backward transfer "
                        + "what later tasks did to earlier ones since they were learned. The best of each row is bold.");
        body.append("<div class=\"wide\"><table class=\"plain\"><thead><tr><th></th>");
        runs.forEach(run -> body.append("<th class=\"number\">")
                .append(Html.escape(run.label()))
                .append("</th>"));
        body.append("</tr></thead><tbody>\n");
        textRow("method", RunData::method);
        for (Split split : List.of(Split.TEST, Split.TRAIN)) {
            Function<RunData, ContinualMetrics> metrics =
                    run -> ContinualMetrics.of(run.accuracy().get(split));
            metricRow(split, "average at the end", metrics.andThen(ContinualMetrics::average), 1);
            metricRow(split, "average incremental", metrics.andThen(ContinualMetrics::averageIncremental), 1);
            metricRow(split, "forgetting", metrics.andThen(ContinualMetrics::forgetting), -1);
            metricRow(split, "backward transfer", metrics.andThen(ContinualMetrics::backwardTransfer), 1);
            if (runs.stream().anyMatch(RunData::hasText)) {
                Function<RunData, TokenLossMetrics> loss =
                        run -> TokenLossMetrics.of(run.tokenLoss().get(split));
                metricRow(split, "token loss at the end, millinats", loss.andThen(l -> millinats(l.average())), -1);
                metricRow(split, "token loss when learned, millinats", loss.andThen(l -> millinats(l.learned())), -1);
                metricRow(split, "token loss forgotten, millinats", loss.andThen(l -> millinats(l.forgetting())), -1);
            }
        }
        textRow("parameters", run -> String.format(Locale.ROOT, "%,d", run.parameters()));
        textRow("training", run -> Html.duration(run.seconds("train")));
        textRow("Fisher passes", run -> Html.duration(run.seconds("fisher")));
        textRow("evaluation", run -> Html.duration(run.seconds("evaluate")));
        body.append("</tbody></table></div>\n");
    }

    private void metricRow(Split split, String name, Function<RunData, OptionalDouble> metric, int sign) {
        OptionalDouble best = runs.stream()
                .map(metric)
                .filter(OptionalDouble::isPresent)
                .mapToDouble(value -> sign * value.getAsDouble())
                .max();
        if (best.isEmpty()) {
            return;
        }
        body.append("<tr><th>")
                .append(RunJson.key(split))
                .append(": ")
                .append(name)
                .append("</th>");
        for (RunData run : runs) {
            OptionalDouble value = metric.apply(run);
            boolean isBest = value.isPresent() && sign * value.getAsDouble() == best.getAsDouble();
            body.append("<td class=\"number").append(isBest ? " best" : "").append("\">");
            body.append(points(value)).append("</td>");
        }
        body.append("</tr>\n");
    }

    private void textRow(String name, Function<RunData, String> text) {
        body.append("<tr><th>").append(Html.escape(name)).append("</th>");
        runs.forEach(run -> body.append("<td class=\"number\">")
                .append(Html.escape(text.apply(run)))
                .append("</td>"));
        body.append("</tr>\n");
    }

    private void appendSplit(Split split) {
        if (runs.stream().allMatch(run -> run.accuracy().get(split).isEmpty())) {
            return;
        }
        String name = RunJson.key(split);
        section(
                "Accuracy on " + name + " questions",
                "A row is the model after that task, a column the task it was asked; " + "tasks not asked are blank.");
        List<String> figures = new ArrayList<>();
        for (RunData run : runs) {
            String caption = runs.size() == 1 ? "Accuracy matrix, exact match in %" : run.label() + ": " + run.method();
            figures.add(figure(
                    caption, HeatMap.ofExactMatch(run.tasks(), run.accuracy().get(split))));
        }
        if (runs.size() == 1) {
            figures.add(figure("Each task over time", charts.taskAccuracy(runs.get(0), split)));
        } else {
            // In a row of its own, so that two runs stand side by side.
            pair(List.of(figure("Average over the tasks learned so far", charts.averageSeen(split))));
        }
        pair(figures);
    }

    private void appendPerplexity() {
        List<String> figures = new ArrayList<>();
        for (RunData run : runs) {
            for (Split split : List.of(Split.TEST, Split.TRAIN)) {
                AccuracyMatrix perplexity = run.tokenLoss()
                        .get(split)
                        .perplexityOfText(run.accuracy().get(split));
                if (!perplexity.isEmpty()) {
                    String label = runs.size() == 1 ? "" : run.label() + ", ";
                    figures.add(figure(
                            label + RunJson.key(split) + " text", HeatMap.ofPerplexity(run.tasks(), perplexity)));
                }
            }
        }
        if (!figures.isEmpty()) {
            section(
                    "Perplexity of plain text",
                    "exp of the mean token loss; 1 is the lowest that there is. Bright is low.");
            pair(figures);
        }
    }

    private void appendProtected() {
        if (runs.stream().anyMatch(run -> run.protectedLoss().length > 0)) {
            section(
                    "Protected data",
                    "Perplexity of what is held out of it; the point at 0 is the starting checkpoint.");
            pair(List.of(figure("By the number of tasks learned", charts.protectedPerplexity())));
        }
    }

    private void appendTokenLoss() {
        List<String> figures = new ArrayList<>();
        for (RunData run : runs) {
            for (Split split : List.of(Split.TEST, Split.TRAIN)) {
                AccuracyMatrix loss = run.tokenLoss().get(split);
                if (!loss.isEmpty()) {
                    String label = runs.size() == 1 ? "" : run.label() + ", ";
                    figures.add(figure(label + RunJson.key(split), HeatMap.ofTokenLoss(run.tasks(), loss)));
                }
            }
        }
        if (!figures.isEmpty()) {
            section(
                    "Mean token loss",
                    "Of the answers, or of plain text, in nats; it moves before exact match does. Bright is low.");
            pair(figures);
        }
    }

    private void appendTiming(RunData run) {
        section("Time", "");
        body.append("<table class=\"plain\"><tbody>");
        for (String phase : List.of("train", "fisher", "evaluate")) {
            body.append("<tr><th>").append(phase).append("</th><td class=\"number\">");
            body.append(Html.duration(run.seconds(phase))).append("</td><td class=\"number\">");
            double share = 100 * run.seconds(phase) / run.totalSeconds();
            body.append(Double.isFinite(share) ? String.format(Locale.ROOT, "%.0f %%", share) : "–")
                    .append("</td></tr>\n");
        }
        String speed = Html.number(run.steps().tokens() / run.seconds("train"));
        body.append("<tr><th>input tokens a second while training, ")
                .append(String.format(Locale.ROOT, "%,d", run.steps().tokens()));
        body.append(" in all</th><td class=\"number\">").append(speed).append("</td><td></td></tr></tbody></table>\n");
    }

    private void appendWrongAnswers() {
        if (runs.size() > 1 || runs.get(0).wrong().isEmpty()) {
            return;
        }
        section(
                "Wrong answers",
                "The first of each task and split, when it was last asked; all of them are in predictions.jsonl.");
        body.append(
                "<table class=\"plain answers\"><thead><tr><th class=\"where\">task</th><th class=\"question\">question</th>"
                        + "<th>expected</th><th>generated</th></tr></thead><tbody>\n");
        for (JsonNode row : runs.get(0).wrong()) {
            body.append("<tr><td>")
                    .append(cell(row, "task_name"))
                    .append(", ")
                    .append(cell(row, "split"))
                    .append("</td>");
            for (String column : List.of("question", "expected", "generated")) {
                body.append("<td>").append(cell(row, column)).append("</td>");
            }
            body.append("</tr>\n");
        }
        body.append("</tbody></table>\n");
    }

    private static String cell(JsonNode row, String key) {
        return Html.escape(Html.shorten(row.path(key).asText(), 300));
    }

    private void appendConfiguration() {
        section("Configuration", "");
        if (runs.size() > 1) {
            appendDifferences();
        }
        for (RunData run : runs) {
            boolean open = runs.size() == 1;
            body.append(open ? "" : "<details><summary>" + Html.escape(run.label()) + "</summary>");
            body.append("<pre>").append(Html.escape(run.configuration())).append("</pre>");
            body.append(open ? "\n" : "</details>\n");
        }
    }

    private void appendDifferences() {
        Set<String> keys = new LinkedHashSet<>();
        runs.forEach(run -> keys.addAll(run.settings().keySet()));
        keys.removeIf(key ->
                runs.stream().map(run -> run.settings().get(key)).distinct().count() < 2);
        if (keys.isEmpty()) {
            body.append("<p>The configurations are the same.</p>\n");
            return;
        }
        body.append("<p class=\"note\">Keys that differ; whole configurations below.</p>\n");
        body.append("<div class=\"wide\"><table class=\"plain\"><thead><tr><th>key</th>");
        runs.forEach(run -> body.append("<th>").append(Html.escape(run.label())).append("</th>"));
        body.append("</tr></thead><tbody>\n");
        for (String key : keys) {
            body.append("<tr><th>").append(Html.escape(key)).append("</th>");
            runs.forEach(run -> body.append("<td>")
                    .append(Html.escape(run.settings().getOrDefault(key, "–")))
                    .append("</td>"));
            body.append("</tr>\n");
        }
        body.append("</tbody></table></div>\n");
    }

    private void section(String title, String note) {
        body.append("<h2>").append(Html.escape(title)).append("</h2>\n");
        if (!note.isEmpty()) {
            body.append("<p class=\"note\">").append(Html.escape(note)).append("</p>\n");
        }
    }

    private void pair(List<String> figures) {
        body.append("<div class=\"pair\">\n");
        figures.forEach(body::append);
        body.append("</div>\n");
    }

    static String figure(String caption, String content) {
        return "<figure><figcaption><b>" + Html.escape(caption) + "</b></figcaption>\n" + content + "</figure>\n";
    }

    private static String nats(OptionalDouble value) {
        return value.isPresent() ? String.format(Locale.ROOT, "%.3f nats", value.getAsDouble()) : "–";
    }

    private static OptionalDouble millinats(OptionalDouble nats) {
        return nats.isPresent() ? OptionalDouble.of(1000 * nats.getAsDouble()) : nats;
    }

    private static String percent(OptionalDouble value) {
        return value.isPresent() ? points(value) + " %" : "–";
    }

    /** One decimal, with a minus sign in place of the hyphen; –0.04 is 0.0. */
    private static String points(OptionalDouble value) {
        if (value.isEmpty()) {
            return "–";
        }
        String digits = String.format(Locale.ROOT, "%.1f", value.getAsDouble());
        return digits.equals("-0.0") ? "0.0" : digits.replace('-', '−');
    }

    private static String style() {
        try (InputStream stream = ReportPage.class.getResourceAsStream("report.css")) {
            return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException("report.css cannot be read from the jar", e);
        }
    }
}
