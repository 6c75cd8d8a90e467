package org.ewc4j.report;

import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;
import org.ewc4j.eval.AccuracyMatrix;

/** A matrix of scores as a table of coloured cells: rows are "after task i", columns the task that was asked. */
final class HeatMap {
    /** Anchors of viridis: even to the eye, in grey, and to the colour-blind. */
    private static final int[] VIRIDIS = {
        0x440154, 0x482878, 0x3e4989, 0x31688e, 0x26828e, 0x1f9e89, 0x35b779, 0x6ece58, 0xb5de2b, 0xfde725
    };

    /** Above this many tasks the cells are small and the columns numbered. */
    private static final int DENSE = 9;
    /** Above this many the table takes the page's whole width. */
    private static final int WHOLE = 16;

    private HeatMap() {}

    /** Exact match: 0 is dark, 100 is bright. */
    static String ofExactMatch(List<String> tasks, AccuracyMatrix matrix) {
        return table(tasks, matrix, 0, 100, tasks.size() > DENSE ? "%.0f" : "%.1f");
    }

    /** Token loss: bright is low, on the scale of the values that are there. */
    static String ofTokenLoss(List<String> tasks, AccuracyMatrix matrix) {
        return table(tasks, matrix, highest(matrix), 0, tasks.size() > DENSE ? "%.1f" : "%.2f");
    }

    /** Perplexity: bright is low, from 1, the lowest that there is. */
    static String ofPerplexity(List<String> tasks, AccuracyMatrix matrix) {
        return table(tasks, matrix, highest(matrix), 1, tasks.size() > DENSE ? "%.1f" : "%.2f");
    }

    private static double highest(AccuracyMatrix matrix) {
        double highest = 0;
        for (int i = 0; i < matrix.tasks(); i++) {
            for (int j = 0; j < matrix.tasks(); j++) {
                highest = Math.max(highest, matrix.get(i, j).orElse(0));
            }
        }
        return highest;
    }

    private static String table(List<String> tasks, AccuracyMatrix matrix, double dark, double bright, String format) {
        if (matrix.isEmpty()) {
            return "<p class=\"none\">Not scored.</p>";
        }
        boolean dense = tasks.size() > DENSE;
        StringBuilder html = new StringBuilder("<div class=\"wide\"><table class=\"heat").append(dense ? " dense" : "");
        html.append(tasks.size() > WHOLE ? " whole" : "");
        html.append("\"><thead><tr><th></th>");
        for (int j = 0; j < tasks.size(); j++) {
            html.append("<th scope=\"col\" title=\"")
                    .append(Html.escape(tasks.get(j)))
                    .append("\">");
            html.append(dense ? Integer.toString(j) : Html.escape(tasks.get(j))).append("</th>");
        }
        html.append("</tr></thead><tbody>\n");
        for (int i = 0; i < tasks.size(); i++) {
            html.append("<tr><th scope=\"row\" title=\"after ")
                    .append(Html.escape(tasks.get(i)))
                    .append("\"><small>")
                    .append(i);
            html.append("</small> ").append(Html.escape(tasks.get(i))).append("</th>");
            for (int j = 0; j < tasks.size(); j++) {
                appendCell(html, matrix.get(i, j), i == j, dark, bright, format);
            }
            html.append("</tr>\n");
        }
        return html.append("</tbody></table></div>").toString();
    }

    private static void appendCell(
            StringBuilder html, OptionalDouble value, boolean diagonal, double dark, double bright, String format) {
        String style = diagonal ? "own" : "";
        if (value.isEmpty()) {
            html.append("<td class=\"").append(style).append(" blank\">·</td>");
            return;
        }
        double share = dark == bright ? 1 : (value.getAsDouble() - dark) / (bright - dark);
        int colour = colour(Math.max(0, Math.min(1, share)));
        html.append("<td class=\"")
                .append(style)
                .append("\" style=\"background:")
                .append(hex(colour));
        html.append(";color:")
                .append(luminance(colour) > 0.32 ? "#111" : "#fff")
                .append("\">");
        html.append(String.format(Locale.ROOT, format, value.getAsDouble())).append("</td>");
    }

    /** The colour of a share from 0 to 1. */
    static int colour(double share) {
        double at = share * (VIRIDIS.length - 1);
        int low = Math.min((int) at, VIRIDIS.length - 2);
        int colour = 0;
        for (int shift = 16; shift >= 0; shift -= 8) {
            int from = VIRIDIS[low] >> shift & 0xff;
            int to = VIRIDIS[low + 1] >> shift & 0xff;
            colour |= (int) Math.round(from + (to - from) * (at - low)) << shift;
        }
        return colour;
    }

    static String hex(int colour) {
        return String.format(Locale.ROOT, "#%06x", colour);
    }

    /** Relative luminance as WCAG defines it, to choose the text that can be read on it. */
    private static double luminance(int colour) {
        return 0.2126 * linear(colour >> 16 & 0xff)
                + 0.7152 * linear(colour >> 8 & 0xff)
                + 0.0722 * linear(colour & 0xff);
    }

    private static double linear(int channel) {
        double share = channel / 255.0;
        return share <= 0.04045 ? share / 12.92 : Math.pow((share + 0.055) / 1.055, 2.4);
    }
}
