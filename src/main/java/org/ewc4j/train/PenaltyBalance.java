package org.ewc4j.train;

import java.util.Locale;
import java.util.Optional;

/**
 * How strong the penalty is beside the loss over a task: the median of ‖λF(θ−θ*)‖ ÷ ‖g‖ over its steps. Far below 1 EWC does
 * nothing, far above nothing new is learned; as the ratio grows with λ, λ ÷ median is where both would weigh alike.
 */
public final class PenaltyBalance {
    /** Below it a task is warned about: EWC does nothing. */
    static final double LEAST = 0.05;

    /** Above it a task is warned about: nothing new is learned. */
    static final double MOST = 20;

    private final StepMedian ratios = new StepMedian();

    /** Takes in a step; one without a penalty, or whose update was left out, says nothing. */
    void add(StepMetrics step) {
        if (step.lambda() != 0 && !step.skipped()) {
            ratios.add(step.penaltyGradRatio());
        }
    }

    /** The median ratio; NaN where no step was under a penalty. */
    public double median() {
        return ratios.median();
    }

    /**
     * What a person should know of a task's penalty; empty where it is in balance, or there was none.
     *
     * @param lambda λ at its highest over the task
     */
    public Optional<String> warning(String task, double lambda) {
        double median = ratios.median();
        // A task's first step is taken where the anchor lies: alone it says nothing. NaN is neither below nor above.
        if (ratios.count() < 2 || !(median < LEAST || median > MOST)) {
            return Optional.empty();
        }
        String finding = String.format(
                Locale.ROOT,
                "task '%s': ‖λF(θ−θ*)‖ is %.2g times ‖g‖ in the median step, outside of 0.05 to 20: %s at λ %.3g",
                task,
                median,
                median < LEAST ? "EWC does nothing" : "nothing new is learned",
                lambda);
        double balanced = lambda / median;
        String advice = Double.isFinite(balanced) && balanced > 0
                ? String.format(Locale.ROOT, "; λ ÷ that ratio would weigh both alike: try ewc.lambda %.1e", balanced)
                : "; the parameters did not move, or their Fisher is 0 (`ewc4j fisher inspect`)";
        return Optional.of(
                finding + advice
                        + ", or let `ewc4j sweep` look. A λ fits one kind of Fisher, unit and batch size alone (docs/methods.md)");
    }
}
