package org.ewc4j.report;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalDouble;
import org.ewc4j.config.EwcConfig.FisherKind;
import org.ewc4j.config.FisherOptions.Normalize;
import org.ewc4j.consolidation.ConsolidationFolder;
import org.ewc4j.consolidation.ConsolidationRecord;
import org.ewc4j.consolidation.FisherDistribution;
import org.ewc4j.consolidation.FisherSummary;
import org.ewc4j.consolidation.HeldFisher;
import org.ewc4j.consolidation.MergeSchedule;
import org.ewc4j.error.Quoted;
import org.ewc4j.fisher.FisherRecord;
import org.ewc4j.tensor.AtomicFile;

/**
 * What a kept Fisher looks like, as text for a terminal and as one HTML file that needs no network: quantiles by layer and
 * kind of parameter, the share of zeros, how stable λ is, and where the importance lies.
 */
public final class FisherPage {
    private static final double[] QUANTILES = {0.05, 0.5, 0.95};
    private static final int BAR = 32;
    private static final int WIDTH = 720;
    private static final int ROW = 22;
    private static final int LABELS = 170;

    private final ConsolidationFolder folder;
    private final FisherSummary summary;
    private final OptionalDouble stability;

    /** @param stability λ·F_max·η, where λ and the learning rate were given */
    public FisherPage(ConsolidationFolder folder, FisherSummary summary, OptionalDouble stability) {
        this.folder = folder;
        this.summary = summary;
        this.stability = stability;
    }

    /** Tables and a bar chart. */
    public String text() {
        StringBuilder text = new StringBuilder();
        line(text, "%s", folder.path());
        line(text, "%s", contents());
        folder.record().fishers().forEach(held -> line(text, "  %s", about(held)));
        line(text, "%s", whole());
        warnings().forEach(sentence -> line(text, "%s", sentence));
        stability.ifPresent(value -> line(text, "%s", stable(value)));
        table(text, "layer", summary.layers());
        table(text, "kind of parameter", summary.kinds());
        line(text, "");
        line(text, "Mean of F by layer, as a share of the largest:");
        double largest = largestMean(summary.layers());
        int width = labelWidth("layer", summary.layers());
        summary.layers().forEach((name, distribution) -> {
            double share = largest == 0 ? 0 : distribution.mean() / largest;
            line(text, "%-" + width + "s  %s %.2g", name, "█".repeat((int) Math.round(share * BAR)), share);
        });
        return text.toString();
    }

    private String contents() {
        ConsolidationRecord record = folder.record();
        return String.format(
                Locale.ROOT,
                "%s, %,d parameters; %d Fisher%s, merged by %s%s; ewc4j %s",
                record.architecture(),
                folder.layout().elements(),
                record.fishers().size(),
                record.fishers().size() == 1 ? "" : "s",
                record.schedule().kind().name().toLowerCase(Locale.ROOT).replace('_', '-'),
                record.schedule() instanceof MergeSchedule.Sum
                        ? String.format(Locale.ROOT, " (c = %.4g)", record.constant())
                        : "",
                record.version());
    }

    private static String about(HeldFisher held) {
        FisherRecord estimate = held.estimate();
        StringBuilder text = new StringBuilder(Quoted.of(held.task()))
                .append(": ")
                .append(estimate.kind().name().toLowerCase(Locale.ROOT));
        switch (estimate.kind()) {
            case BATCH -> text.append(" in batches of ").append(estimate.batchSize());
            case SAMPLED ->
                text.append(" by ").append(estimate.samples()).append(estimate.samples() == 1 ? " draw" : " draws");
            case EXAMPLE, UNIFORM -> {}
        }
        if (estimate.kind() != FisherKind.UNIFORM) {
            text.append(" of ").append(String.format(Locale.ROOT, "%,d examples", estimate.examples()));
            text.append(", unit ").append(estimate.unit().name().toLowerCase(Locale.ROOT));
        }
        if (estimate.normalize() != Normalize.NONE) {
            text.append(", normalize ").append(estimate.normalize().name().toLowerCase(Locale.ROOT));
        }
        estimate.clamp().ifPresent(most -> text.append(", clamp ").append(most));
        text.append(estimate.shuffled() ? ", shuffled" : "");
        text.append(String.format(Locale.ROOT, ", weight %s", held.weight()));
        held.tokenLoss().ifPresent(loss -> text.append(String.format(Locale.ROOT, "; token loss %.3g nats", loss)));
        held.mean().ifPresent(mean -> text.append(String.format(Locale.ROOT, "; mean of F %.3g", mean)));
        return text.toString();
    }

    private String whole() {
        FisherDistribution all = summary.all();
        return String.format(
                Locale.ROOT,
                "F: mean %.3g, median %.3g, largest %.3g, %.2f %% zeros; root-mean-square gradient %.3g",
                all.mean(),
                all.quantile(0.5),
                all.largest(),
                100 * all.zeroShare(),
                summary.gradientScale());
    }

    private List<String> warnings() {
        List<String> sentences = new ArrayList<>();
        if (summary.all().largest() == 0) {
            sentences.add("This Fisher has vanished: every element is 0, so that EWC holds on to nothing.");
        }
        for (HeldFisher held : folder.record().fishers()) {
            if (held.isOfRowsKnownByHeart()) {
                sentences.add(String.format(
                        Locale.ROOT,
                        "The rows of %s were known by heart (token loss %.3g nats, below %s): their empirical Fisher has about"
                                + " %.2g %% of the information that a sampled one has; ewc.fisher: sampled, or fewer epochs, leaves"
                                + " more.",
                        Quoted.of(held.task()),
                        held.tokenLoss().orElseThrow(),
                        HeldFisher.KNOWN_BY_HEART,
                        100 * Math.expm1(held.tokenLoss().orElseThrow())));
            }
            if (held.estimate().shuffled()) {
                sentences.add("The Fisher of " + Quoted.of(held.task())
                        + " was shuffled (ewc.fisher_shuffle): a control, which protects nothing in particular.");
            }
        }
        return sentences;
    }

    private static String stable(double value) {
        return String.format(
                Locale.ROOT,
                "λ·F_max·learning rate = %.3g: %s",
                value,
                value > 2
                        ? "above 2, plain gradient steps along the stiffest parameter would overshoot its anchor further each"
                                + " time; AdamW, whose steps are bounded, swings about it by about the learning rate"
                        : "at most 2, a plain gradient step towards the anchor overshoots nowhere for good");
    }

    private static void table(StringBuilder text, String title, Map<String, FisherDistribution> groups) {
        int width = labelWidth(title, groups);
        line(text, "");
        line(
                text,
                "%-" + width + "s  %12s  %9s  %9s  %9s  %9s  %9s  %8s",
                title,
                "parameters",
                "5 %",
                "median",
                "95 %",
                "largest",
                "mean",
                "zeros %");
        groups.forEach((name, distribution) -> line(
                text,
                "%-" + width + "s  %,12d  %9.2e  %9.2e  %9.2e  %9.2e  %9.2e  %8.2f",
                name,
                distribution.elements(),
                distribution.quantile(QUANTILES[0]),
                distribution.quantile(QUANTILES[1]),
                distribution.quantile(QUANTILES[2]),
                distribution.largest(),
                distribution.mean(),
                100 * distribution.zeroShare()));
    }

    private static int labelWidth(String title, Map<String, FisherDistribution> groups) {
        return Math.max(
                title.length(),
                groups.keySet().stream().mapToInt(String::length).max().orElse(0));
    }

    private static double largestMean(Map<String, FisherDistribution> groups) {
        return groups.values().stream()
                .mapToDouble(FisherDistribution::mean)
                .max()
                .orElse(0);
    }

    private static void line(StringBuilder text, String format, Object... values) {
        text.append(String.format(Locale.ROOT, format, values).stripTrailing()).append('\n');
    }

    /**
     * Writes the page.
     *
     * @throws org.ewc4j.error.RunFailedException where the file cannot be written
     */
    public void write(Path file) {
        AtomicFile.write(file, html().getBytes(StandardCharsets.UTF_8));
    }

    String html() {
        StringBuilder body = new StringBuilder();
        folder.record().fishers().forEach(held -> paragraph(body, about(held)));
        paragraph(body, whole());
        warnings().forEach(sentence -> paragraph(body, sentence));
        stability.ifPresent(value -> paragraph(body, stable(value)));
        body.append("<h2>Where the importance lies</h2>\n");
        bars(body, "Mean of F by layer", summary.layers());
        bars(body, "Mean of F by kind of parameter", summary.kinds());
        body.append("<h2>By layer</h2>\n");
        htmlTable(body, "layer", summary.layers());
        body.append("<h2>By kind of parameter</h2>\n");
        htmlTable(body, "kind", summary.kinds());
        return ReportPage.page(
                "Fisher of " + folder.path(),
                contents(),
                body.toString(),
                "A quantile is known to 0.2 %; a bar is the mean of F on a logarithmic scale.");
    }

    private static void paragraph(StringBuilder body, String sentence) {
        body.append("<p>").append(Html.escape(sentence)).append("</p>\n");
    }

    /** On a logarithmic scale from the smallest mean above 0, as means span many powers of ten. */
    private static void bars(StringBuilder body, String title, Map<String, FisherDistribution> groups) {
        double largest = Math.log10(Math.max(Double.MIN_NORMAL, largestMean(groups)));
        double smallest = groups.values().stream()
                .mapToDouble(FisherDistribution::mean)
                .filter(mean -> mean > 0)
                .map(Math::log10)
                .min()
                .orElse(largest);
        double from = Math.floor(smallest) - 1;
        int height = ROW * groups.size() + 8;
        body.append(String.format(
                Locale.ROOT,
                "<figure><figcaption><b>%s</b></figcaption><svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">%n",
                title,
                WIDTH,
                height,
                title));
        int y = 4;
        for (Map.Entry<String, FisherDistribution> group : groups.entrySet()) {
            double mean = group.getValue().mean();
            double share = mean > 0 ? (Math.log10(mean) - from) / (largest - from) : 0;
            double length = Math.max(0, Math.min(1, share)) * (WIDTH - LABELS - 80);
            body.append(String.format(
                    Locale.ROOT,
                    "<text class=\"end\" x=\"%d\" y=\"%d\">%s</text><rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\""
                            + " fill=\"%s\"/><text x=\"%.1f\" y=\"%d\">%s</text>%n",
                    LABELS - 8,
                    y + 15,
                    Html.escape(Html.shorten(group.getKey(), 30)),
                    LABELS,
                    y + 3,
                    length,
                    ROW - 6,
                    HeatMap.hex(HeatMap.colour(0.2 + 0.6 * Math.max(0, Math.min(1, share)))),
                    LABELS + length + 6,
                    y + 15,
                    Html.number(mean)));
            y += ROW;
        }
        body.append("</svg></figure>\n");
    }

    private static void htmlTable(StringBuilder body, String title, Map<String, FisherDistribution> groups) {
        body.append("<div class=\"wide\"><table class=\"plain\"><thead><tr><th>")
                .append(title)
                .append("</th>");
        for (String head : new String[] {"parameters", "5 %", "median", "95 %", "largest", "mean", "zeros %"}) {
            body.append("<th class=\"number\">").append(head).append("</th>");
        }
        body.append("</tr></thead><tbody>\n");
        groups.forEach((name, distribution) -> {
            body.append("<tr><th>").append(Html.escape(name)).append("</th>");
            cell(body, String.format(Locale.ROOT, "%,d", distribution.elements()));
            for (double share : QUANTILES) {
                cell(body, Html.number(distribution.quantile(share)));
            }
            cell(body, Html.number(distribution.largest()));
            cell(body, Html.number(distribution.mean()));
            cell(body, String.format(Locale.ROOT, "%.2f", 100 * distribution.zeroShare()));
            body.append("</tr>\n");
        });
        body.append("</tbody></table></div>\n");
    }

    private static void cell(StringBuilder body, String value) {
        body.append("<td class=\"number\">").append(value).append("</td>");
    }
}
