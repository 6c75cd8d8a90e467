package org.ewc4j.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * A line chart as inline SVG: scales with the page, prints sharply, and its labels stay text. Written here instead of
 * drawn by a chart library because those draw through AWT, which needs fonts that a server or a container without a
 * desktop lacks, and which would put a picture of each chart into the page; this one is the same bytes everywhere.
 */
final class LineChart {
    private static final int WIDTH = 540;
    private static final int LEFT = 60;
    private static final int RIGHT = 14;
    private static final int TOP = 24;
    private static final int BOTTOM = 40;
    /** About the width of a character of a label, to leave out labels that would run into each other. */
    private static final double CHARACTER = 6.4;

    /** Of a line's name, which stands at each of its points. */
    private static final int NAME_CHARACTERS = 40;

    private static final double LARGEST = 1e300;
    private static final double SMALLEST_RANGE = 1e-300;

    private record Line(String name, String colour, Curve curve, boolean faint) {}

    private record Mark(double x, String name) {}

    private final String xLabel;
    private final String yLabel;
    private final int height;
    private final List<Line> lines = new ArrayList<>();
    private final List<Mark> sections = new ArrayList<>();
    private boolean points;
    private List<String> xNames = List.of();
    private double minX = Double.POSITIVE_INFINITY;
    private double maxX = Double.NEGATIVE_INFINITY;
    private double maxY = Double.NEGATIVE_INFINITY;
    private double minY = 0;
    private boolean fixedY;

    LineChart(String xLabel, String yLabel, int height) {
        this.xLabel = xLabel;
        this.yLabel = yLabel;
        this.height = height;
    }

    /** Adds a line; a faint one stands behind, without an entry in the legend where its name is empty. */
    LineChart line(String name, String colour, Curve curve, boolean faint) {
        lines.add(new Line(name, colour, curve, faint));
        for (double x : curve.x()) {
            minX = Math.min(minX, x);
            maxX = Math.max(maxX, x);
        }
        for (double y : curve.y()) {
            if (!fixedY && isDrawn(y)) {
                minY = Math.min(minY, y);
                maxY = Math.max(maxY, y);
            }
        }
        return this;
    }

    /** A loss on its way to infinity is left out before the axis itself overflows. */
    private static boolean isDrawn(double y) {
        return Math.abs(y) < LARGEST;
    }

    /** Marks each point, and names every whole x: for few points, such as one a task. */
    LineChart withPoints() {
        points = true;
        return this;
    }

    /** Names for the whole x from 0 on, in place of their numbers. */
    LineChart xNames(List<String> names) {
        xNames = List.copyOf(names);
        return this;
    }

    /** Fixes the y axis, to be called before lines are added. */
    LineChart yRange(double from, double to) {
        minY = from;
        maxY = to;
        fixedY = true;
        return this;
    }

    /** Begins a section of this name, such as a task, at {@code x}. */
    LineChart section(double x, String name) {
        sections.add(new Mark(x, name));
        return this;
    }

    /** The chart with its legend, or a line that says that there is nothing to show. */
    String html() {
        if (minX > maxX || !(maxY >= minY)) {
            return "<p class=\"none\">Nothing recorded.</p>";
        }
        if (maxY - minY < SMALLEST_RANGE) {
            maxY = minY + 1;
        }
        if (maxX == minX) {
            minX -= 0.5;
            maxX += 0.5;
        }
        StringBuilder svg = new StringBuilder();
        svg.append("<svg viewBox=\"0 0 ").append(WIDTH).append(' ').append(height);
        svg.append("\" role=\"img\" aria-label=\"")
                .append(Html.escape(yLabel + " by " + xLabel))
                .append("\">\n");
        appendGrid(svg);
        appendSections(svg);
        lines.stream().filter(Line::faint).forEach(line -> appendLine(svg, line));
        lines.stream().filter(line -> !line.faint()).forEach(line -> appendLine(svg, line));
        appendAxisTitles(svg);
        return svg.append("</svg>\n").append(legend()).toString();
    }

    private void appendGrid(StringBuilder svg) {
        double step = niceStep((maxY - minY) / 5);
        double top = fixedY ? maxY : Math.ceil(maxY / step - 1e-9) * step;
        maxY = top;
        for (long k = (long) Math.ceil(minY / step - 1e-9); k * step <= top + step * 1e-9; k++) {
            String y = at(y(k * step));
            svg.append("<line class=\"grid\" x1=\"")
                    .append(LEFT)
                    .append("\" x2=\"")
                    .append(WIDTH - RIGHT);
            svg.append("\" y1=\"").append(y).append("\" y2=\"").append(y).append("\"/>");
            appendText(svg, "tick end", LEFT - 8.0, y(k * step) + 4, Html.number(k * step));
        }
        double stepX = points ? Math.max(1, niceStep((maxX - minX) / 12)) : Math.max(1, niceStep((maxX - minX) / 6));
        for (long k = (long) Math.ceil(minX / stepX); k * stepX <= maxX; k++) {
            appendText(svg, "tick middle", x(k * stepX), height - BOTTOM + 17.0, xLabel(k * stepX));
        }
    }

    private String xLabel(double x) {
        if (!points) {
            return Html.number(x);
        }
        int whole = (int) Math.round(x);
        return whole >= 0 && whole < xNames.size() ? xNames.get(whole) : Integer.toString(whole);
    }

    private void appendSections(StringBuilder svg) {
        for (int k = 0; k < sections.size(); k++) {
            double from = x(sections.get(k).x());
            double to = k + 1 < sections.size() ? x(sections.get(k + 1).x()) : WIDTH - RIGHT;
            if (k > 0) {
                svg.append("<line class=\"section\" x1=\"")
                        .append(at(from))
                        .append("\" x2=\"")
                        .append(at(from));
                svg.append("\" y1=\"")
                        .append(TOP - 14)
                        .append("\" y2=\"")
                        .append(height - BOTTOM)
                        .append("\"/>");
            }
            int room = (int) ((to - from - 8) / CHARACTER);
            if (room >= 5) {
                appendText(
                        svg,
                        "name",
                        from + 5,
                        TOP - 6.0,
                        Html.shorten(sections.get(k).name(), room));
            }
        }
        svg.append('\n');
    }

    private void appendLine(StringBuilder svg, Line line) {
        svg.append("<path class=\"")
                .append(line.faint() ? "faint" : "line")
                .append("\" stroke=\"")
                .append(line.colour());
        svg.append("\" d=\"");
        boolean pen = false;
        Curve curve = line.curve();
        for (int i = 0; i < curve.size(); i++) {
            if (!isDrawn(curve.y()[i])) {
                pen = false;
                continue;
            }
            svg.append(pen ? 'L' : 'M').append(at(x(curve.x()[i]))).append(' ').append(at(y(curve.y()[i])));
            pen = true;
        }
        svg.append("\"/>\n");
        for (int i = 0; points && i < curve.size(); i++) {
            if (isDrawn(curve.y()[i])) {
                svg.append("<circle r=\"3.2\" cx=\"")
                        .append(at(x(curve.x()[i])))
                        .append("\" cy=\"");
                svg.append(at(y(curve.y()[i])))
                        .append("\" fill=\"")
                        .append(line.colour())
                        .append("\"><title>");
                svg.append(Html.escape(Html.shorten(line.name(), NAME_CHARACTERS)))
                        .append(": ")
                        .append(Html.number(curve.y()[i]));
                svg.append("</title></circle>");
            }
        }
    }

    private void appendAxisTitles(StringBuilder svg) {
        svg.append("<line class=\"axis\" x1=\"")
                .append(LEFT)
                .append("\" x2=\"")
                .append(WIDTH - RIGHT)
                .append("\" y1=\"");
        svg.append(height - BOTTOM).append("\" y2=\"").append(height - BOTTOM).append("\"/>");
        appendText(svg, "title middle", (LEFT + WIDTH - RIGHT) / 2.0, height - 6.0, xLabel);
        double middle = (TOP + height - BOTTOM) / 2.0;
        svg.append("<text class=\"title middle\" transform=\"translate(14 ")
                .append(at(middle))
                .append(") rotate(-90)\">");
        svg.append(Html.escape(yLabel)).append("</text>\n");
    }

    private String legend() {
        StringBuilder legend = new StringBuilder("<div class=\"legend\">");
        for (Line line : lines) {
            if (!line.name().isEmpty()) {
                legend.append("<span><i style=\"background:")
                        .append(line.colour())
                        .append("\"></i>");
                legend.append(Html.escape(Html.shorten(line.name(), NAME_CHARACTERS)))
                        .append("</span> ");
            }
        }
        return legend.append("</div>").toString();
    }

    private static void appendText(StringBuilder svg, String style, double x, double y, String text) {
        svg.append("<text class=\"")
                .append(style)
                .append("\" x=\"")
                .append(at(x))
                .append("\" y=\"")
                .append(at(y));
        svg.append("\">").append(Html.escape(text)).append("</text>");
    }

    private double x(double value) {
        // A chart of points keeps its first and last away from the frame.
        double pad = points ? 18 : 0;
        return LEFT + pad + (value - minX) / (maxX - minX) * (WIDTH - LEFT - RIGHT - 2 * pad);
    }

    private double y(double value) {
        return height - BOTTOM - (value - minY) / (maxY - minY) * (height - TOP - BOTTOM);
    }

    /** The next of 1, 2, 5 · 10ⁿ. */
    private static double niceStep(double rough) {
        double magnitude = Math.pow(10, Math.floor(Math.log10(rough)));
        double share = rough / magnitude;
        return magnitude * (share <= 1 ? 1 : share <= 2 ? 2 : share <= 5 ? 5 : 10);
    }

    private static String at(double coordinate) {
        String text = String.format(Locale.ROOT, "%.1f", coordinate);
        return text.endsWith(".0") ? text.substring(0, text.length() - 2) : text;
    }
}
