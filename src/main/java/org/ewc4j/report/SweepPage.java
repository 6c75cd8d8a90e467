package org.ewc4j.report;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.RunFailedException;
import org.ewc4j.eval.LambdaChoice;
import org.ewc4j.eval.LambdaTrial;
import org.ewc4j.tensor.AtomicFile;

/**
 * What several λ came to: one HTML file that needs no network, and the same as JSON. Average accuracy, forgetting and
 * plasticity against λ, the best marked.
 */
public final class SweepPage {
    private static final String PAGE = "sweep.html";
    private static final String DATA = "sweep.json";
    private static final Set<String> FILES = Set.of(PAGE, DATA);
    private static final int HEIGHT = 280;

    private SweepPage() {}

    /**
     * Checks that a folder may take a sweep, and changes nothing: it does not exist, is empty, or holds a sweep and nothing
     * else while {@code overwrite} is given.
     *
     * @throws InvalidInputException otherwise
     */
    public static void check(Path folder, boolean overwrite) {
        if (Files.exists(folder) && !Files.isDirectory(folder)) {
            throw new InvalidInputException("output " + folder + " is a file; give a folder by --output");
        }
        if (!Files.isDirectory(folder)) {
            return;
        }
        Set<String> names;
        try (Stream<Path> entries = Files.list(folder)) {
            names = entries.map(entry -> entry.getFileName().toString()).collect(Collectors.toSet());
        } catch (IOException e) {
            throw new InvalidInputException("output " + folder + " cannot be read; give another folder", e);
        }
        if (!FILES.containsAll(names)) {
            throw new InvalidInputException(
                    "output " + folder + " holds other files than a sweep's; give another folder by --output");
        }
        if (!names.isEmpty() && !overwrite) {
            throw new InvalidInputException(
                    "output " + folder + " holds a sweep already; give another folder, or --overwrite to replace it");
        }
    }

    /**
     * Writes {@code sweep.json} and {@code sweep.html} into a folder, which is made.
     *
     * @param title of the page
     * @throws RunFailedException where they cannot be written
     */
    public static void write(String title, LambdaChoice choice, Path folder) {
        AtomicFile.createFolders(folder);
        AtomicFile.write(
                folder.resolve(DATA),
                RunJson.pretty(LambdaChoiceJson.write(choice)).getBytes(StandardCharsets.UTF_8));
        AtomicFile.write(folder.resolve(PAGE), page(title, choice).getBytes(StandardCharsets.UTF_8));
    }

    private static String page(String title, LambdaChoice choice) {
        String lead = choice.tasks().size() + " tasks · " + choice.trials().size() + " λ tried · best λ "
                + Html.number(choice.best().lambda());
        return ReportPage.page(
                title + ": which λ",
                lead,
                "<h2>Accuracy by λ</h2>\n" + explanation(choice) + body(choice),
                "Plasticity is what the tasks behind the first scored when each was just learned; forgetting what tasks"
                        + " lost since their best score.");
    }

    static String explanation(LambdaChoice choice) {
        String unit = choice.unit() > 0
                ? " λ₁ = " + Html.number(choice.unit())
                        + " is where penalty and loss would weigh alike along the plain branch, λ 0."
                : "";
        return "<p class=\"note\">"
                + Html.escape("On the " + choice.questions() + " questions of "
                        + String.join(", ", choice.tasks())
                        + ". Taken is the highest average; among those less than " + Html.number(LambdaChoice.CLOSE)
                        + " points below it the lowest mean token loss; where a task is text, that alone." + unit)
                + "</p>\n";
    }

    /** Chart and table. */
    static String body(LambdaChoice choice) {
        List<LambdaTrial> trials = choice.trials();
        LineChart chart = new LineChart("λ", "exact match, %", HEIGHT)
                .yRange(0, 100)
                .withPoints()
                .xNames(trials.stream()
                        .map(trial -> Html.number(trial.lambda()))
                        .toList());
        chart.line("average at the end", "#0072b2", curve(trials, LambdaTrial::average), false);
        chart.line("plasticity", "#009e73", curve(trials, LambdaTrial::plasticity), false);
        chart.line("forgetting, points", "#d55e00", curve(trials, LambdaTrial::forgetting), false);
        chart.section(choice.chosen(), "best");
        StringBuilder html = new StringBuilder(ReportPage.figure("By λ, each tried from the same state", chart.html()));
        html.append("<div class=\"wide\"><table class=\"plain\"><thead><tr><th>λ</th>");
        for (String name : List.of("average", "forgetting", "plasticity", "token loss", "penalty ÷ gradient")) {
            html.append("<th class=\"number\">").append(name).append("</th>");
        }
        html.append("<th></th></tr></thead><tbody>\n");
        for (int i = 0; i < trials.size(); i++) {
            appendRow(html, trials.get(i), i == choice.chosen());
        }
        return html.append("</tbody></table></div>\n").toString();
    }

    private static void appendRow(StringBuilder html, LambdaTrial trial, boolean best) {
        String style = best ? "number best" : "number";
        html.append("<tr><th>").append(Html.number(trial.lambda())).append("</th>");
        for (String value : List.of(
                LambdaTable.points(trial.average()),
                LambdaTable.points(trial.forgetting()),
                LambdaTable.points(trial.plasticity()),
                LambdaTable.nats(trial.averageTokenLoss()),
                Html.number(trial.penaltyGradRatio()))) {
            html.append("<td class=\"")
                    .append(style)
                    .append("\">")
                    .append(value)
                    .append("</td>");
        }
        html.append("<td>")
                .append(best ? "best" : Html.escape(trial.failure().orElse("")))
                .append("</td></tr>\n");
    }

    /** Over the index of the trial: λ 0 has no place on a logarithmic axis. */
    private static Curve curve(List<LambdaTrial> trials, Function<LambdaTrial, OptionalDouble> value) {
        return new Curve(
                IntStream.range(0, trials.size()).asDoubleStream().toArray(),
                trials.stream()
                        .map(value)
                        .mapToDouble(number -> number.orElse(Double.NaN))
                        .toArray());
    }
}
