package org.ewc4j.report;

import java.util.List;

/**
 * What is known before the first step.
 *
 * @param taskNames in order
 * @param parameters number of trained parameters, a tied tensor once
 * @param lambda λ
 * @param totalSteps optimizer steps over all tasks
 */
public record RunStart(List<String> taskNames, long parameters, double lambda, long totalSteps) {
    public RunStart {
        taskNames = List.copyOf(taskNames);
    }
}
