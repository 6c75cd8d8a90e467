package org.ewc4j.report;

import java.util.List;
import java.util.Optional;
import org.ewc4j.eval.LambdaChoice;

/**
 * What is known before the first step.
 *
 * @param taskNames in order
 * @param parameters number of trained parameters, a tied tensor once
 * @param lambda λ; NaN where several are tried
 * @param totalSteps optimizer steps over all tasks
 * @param choice what λ was chosen from; empty where it was given
 */
public record RunStart(
        List<String> taskNames, long parameters, double lambda, long totalSteps, Optional<LambdaChoice> choice) {
    /** With a λ that was given. */
    public RunStart(List<String> taskNames, long parameters, double lambda, long totalSteps) {
        this(taskNames, parameters, lambda, totalSteps, Optional.empty());
    }

    public RunStart {
        taskNames = List.copyOf(taskNames);
    }
}
