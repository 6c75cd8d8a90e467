package org.ewc4j.report;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.ewc4j.config.EvaluationConfig.Split;
import org.ewc4j.eval.AccuracyMatrix;
import org.ewc4j.eval.ContinualMetrics;

/** The line charts of a report, with one colour for each run and each task throughout. */
final class ReportCharts {
    private static final int HEIGHT = 250;
    /** Points a line keeps: more than the chart has pixels. */
    private static final int POINTS = 2000;
    /** Okabe and Ito's palette less its yellow, which white paper swallows: told apart by the colour-blind too. */
    private static final String[] PALETTE = {
        "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#5b4b8a", "#444444"
    };

    private final List<RunData> runs;

    ReportCharts(List<RunData> runs) {
        this.runs = runs;
    }

    /** R[i][j] over i, a line for each task j. */
    String taskAccuracy(RunData run, Split split) {
        LineChart chart = new LineChart("after task", "exact match, %", HEIGHT)
                .yRange(0, 100)
                .withPoints();
        AccuracyMatrix matrix = run.accuracy().get(split);
        for (int task = 0; task < matrix.tasks(); task++) {
            int column = task;
            double[] y = IntStream.range(0, matrix.tasks())
                    .mapToDouble(i -> matrix.get(i, column).orElse(Double.NaN))
                    .toArray();
            chart.line(run.tasks().get(task), colour(task, matrix.tasks()), new Curve(upTo(y.length), y), false);
        }
        return chart.html();
    }

    /** mean_{j≤i} R[i][j] over i, a line for each run. */
    String averageSeen(Split split) {
        LineChart chart = new LineChart("after task", "average exact match, %", HEIGHT)
                .yRange(0, 100)
                .withPoints();
        for (int r = 0; r < runs.size(); r++) {
            AccuracyMatrix matrix = runs.get(r).accuracy().get(split);
            double[] y = IntStream.range(0, matrix.tasks())
                    .mapToDouble(i -> ContinualMetrics.averageSeen(matrix, i).orElse(Double.NaN))
                    .toArray();
            chart.line(runs.get(r).label(), colour(r, runs.size()), new Curve(upTo(y.length), y), false);
        }
        return chart.html();
    }

    /** Perplexity of the protected data by the number of tasks learned, a line for each run that has one. */
    String protectedPerplexity() {
        LineChart chart = new LineChart("tasks learned", "perplexity", HEIGHT).withPoints();
        for (int r = 0; r < runs.size(); r++) {
            double[] y =
                    Arrays.stream(runs.get(r).protectedLoss()).map(Math::exp).toArray();
            if (y.length > 0) {
                chart.line(runs.get(r).label(), colour(r, runs.size()), new Curve(upTo(y.length), y), false);
            }
        }
        return chart.html();
    }

    /** Loss and, where there is one, penalty over the steps of a run, a figure each. */
    List<String> training(RunData run, boolean single) {
        RunData.Steps steps = run.steps();
        int window = Math.max(1, steps.lmLoss().size() / 150);
        int[] starts = steps.taskStarts();
        LineChart loss = new LineChart("step", "loss, nats", HEIGHT);
        boolean penalised = steps.penalty().max() > 0 && run.lambda() > 0;
        loss.line("", PALETTE[0], steps.lmLoss().downsample(POINTS), true);
        if (penalised) {
            loss.line(
                    "total loss",
                    PALETTE[1],
                    steps.loss().runningMean(window, starts).downsample(POINTS),
                    false);
        }
        loss.line(
                "language-model loss",
                PALETTE[0],
                steps.lmLoss().runningMean(window, starts).downsample(POINTS),
                false);
        LineChart penalty = new LineChart("step", "penalty", HEIGHT);
        penalty.line("penalty", PALETTE[2], steps.penalty().downsample(POINTS), false);
        for (int k = 0; k < starts.length; k++) {
            double x = steps.lmLoss().x()[starts[k]];
            loss.section(x, steps.taskNames().get(k));
            penalty.section(x, steps.taskNames().get(k));
        }
        String label = single ? "" : ", " + run.label();
        List<String> figures = new ArrayList<>();
        figures.add(ReportPage.figure("Loss" + label, loss.html()));
        if (steps.penalty().max() > 0) {
            figures.add(ReportPage.figure("Penalty" + label, penalty.html()));
        }
        return figures;
    }

    /** A colour of the palette, or, for more lines than it has, of an even scale. */
    private static String colour(int index, int count) {
        if (count <= PALETTE.length) {
            return PALETTE[index];
        }
        // The brightest tenth of the scale is too pale for a line on white.
        return HeatMap.hex(HeatMap.colour(0.9 * index / (count - 1)));
    }

    private static double[] upTo(int count) {
        return IntStream.range(0, count).asDoubleStream().toArray();
    }
}
