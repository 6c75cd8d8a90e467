package org.ewc4j.config;

import java.util.List;
import org.ewc4j.config.TrainingConfig.Schedule;

/**
 * Keys {@code ewc.penalty}, {@code ewc.lambda_schedule}, {@code ewc.lambda_warmup} and {@code ewc.groups}: how the penalty
 * acts. A value out of its range is an {@code InvalidInputException} that names the key.
 *
 * @param kind what the step does with the penalty
 * @param lambdaSchedule how λ goes on over a task behind its warm-up
 * @param lambdaWarmup share of a task's steps over which λ rises linearly, 0 to 1
 * @param groups factors of λ by parameter; the first that matches a name counts
 */
public record PenaltyOptions(Kind kind, Schedule lambdaSchedule, double lambdaWarmup, List<ParameterGroup> groups) {
    public enum Kind {
        /** λF(θ−θ*) joins the gradient in front of AdamW's moments. */
        GRADIENT,
        /** AdamW steps by the loss alone, then θ is pulled towards θ* by an implicit step in AdamW's metric. */
        PROXIMAL
    }

    public PenaltyOptions {
        Settings.require("ewc.lambda_warmup", lambdaWarmup);
        groups = List.copyOf(groups);
    }

    /** As a gradient, with the same λ for every step and parameter. */
    public static PenaltyOptions defaults() {
        return SettingValues.defaults().ewc().penaltyOptions();
    }

    public PenaltyOptions withKind(Kind value) {
        return new PenaltyOptions(value, lambdaSchedule, lambdaWarmup, groups);
    }

    public PenaltyOptions withLambdaSchedule(Schedule value) {
        return new PenaltyOptions(kind, value, lambdaWarmup, groups);
    }

    public PenaltyOptions withLambdaWarmup(double value) {
        return new PenaltyOptions(kind, lambdaSchedule, value, groups);
    }

    public PenaltyOptions withGroups(List<ParameterGroup> value) {
        return new PenaltyOptions(kind, lambdaSchedule, lambdaWarmup, value);
    }
}
