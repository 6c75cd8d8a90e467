package org.ewc4j.report;

import java.util.Locale;
import java.util.OptionalDouble;
import org.ewc4j.eval.LambdaChoice;
import org.ewc4j.eval.LambdaTrial;

/** The λ that were tried, as text for a terminal. */
public final class LambdaTable {
    private LambdaTable() {}

    /** All of them with the best marked. */
    public static String of(LambdaChoice choice) {
        StringBuilder text = new StringBuilder(String.format(
                Locale.ROOT,
                "On the %s questions of %d tasks at the end:%n%10s %9s %11s %11s %10s %14s%n",
                choice.questions(),
                choice.tasks().size(),
                "λ",
                "average",
                "forgetting",
                "plasticity",
                "loss",
                "penalty ÷ grad"));
        for (int i = 0; i < choice.trials().size(); i++) {
            LambdaTrial trial = choice.trials().get(i);
            text.append(String.format(
                    Locale.ROOT,
                    "%10s %9s %11s %11s %10s %14s%s%n",
                    Html.number(trial.lambda()),
                    points(trial.average()),
                    points(trial.forgetting()),
                    points(trial.plasticity()),
                    nats(trial.averageTokenLoss()),
                    Html.number(trial.penaltyGradRatio()),
                    i == choice.chosen() ? "  best" : trial.failure().isPresent() ? "  failed" : ""));
        }
        if (choice.unit() > 0) {
            text.append(String.format(
                    Locale.ROOT,
                    "λ₁ = %s, where penalty and loss would weigh alike along the plain branch%n",
                    Html.number(choice.unit())));
        }
        return text.toString();
    }

    /** One of them, when it was tried. */
    static String line(LambdaTrial trial) {
        return trial.failure()
                .map(failure -> "λ " + Html.number(trial.lambda()) + " failed: " + failure)
                .orElseGet(() -> String.format(
                        Locale.ROOT,
                        "λ %s  average %s %%  forgetting %s  plasticity %s %%  loss %s",
                        Html.number(trial.lambda()),
                        points(trial.average()),
                        points(trial.forgetting()),
                        points(trial.plasticity()),
                        nats(trial.averageTokenLoss())));
    }

    /** The one that was taken. */
    static String chosen(LambdaChoice choice) {
        return "λ " + Html.number(choice.best().lambda()) + " chosen of "
                + choice.trials().size() + ", by the " + choice.questions() + " questions of "
                + String.join(", ", choice.tasks());
    }

    static String points(OptionalDouble value) {
        return value.isPresent() ? String.format(Locale.ROOT, "%.1f", value.getAsDouble()) : "–";
    }

    static String nats(OptionalDouble value) {
        return value.isPresent() ? String.format(Locale.ROOT, "%.3f", value.getAsDouble()) : "–";
    }
}
