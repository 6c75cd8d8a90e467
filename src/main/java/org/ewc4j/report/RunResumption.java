package org.ewc4j.report;

import java.util.List;
import org.ewc4j.eval.ProtectedScore;
import org.ewc4j.eval.TaskScore;

/**
 * Where a run goes on that was stopped.
 *
 * @param tasksFinished tasks that were learned and evaluated
 * @param steps optimizer steps that were taken, over all tasks
 * @param stepsOfTask those of them of the task under way
 * @param scores so far, without their predictions
 * @param protectedScores so far
 */
public record RunResumption(
        int tasksFinished, long steps, long stepsOfTask, List<TaskScore> scores, List<ProtectedScore> protectedScores) {
    public RunResumption {
        scores = List.copyOf(scores);
        protectedScores = List.copyOf(protectedScores);
    }
}
