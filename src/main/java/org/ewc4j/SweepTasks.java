package org.ewc4j;

import java.util.List;
import java.util.Map;
import org.ewc4j.config.EvaluationConfig.Split;
import org.ewc4j.config.RunConfig;
import org.ewc4j.data.PromptTemplate;
import org.ewc4j.data.TaskReader;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.Quoted;
import org.ewc4j.task.Example;
import org.ewc4j.task.Task;
import org.ewc4j.task.TaskSequence;

/**
 * What a sweep learns, and the questions that it chooses λ by: those of validation files where a configuration names such,
 * otherwise the training questions. Test questions are not even read.
 *
 * @param tasks in order; the questions of validation files stand in the place of the test questions
 * @param split where the questions stand
 */
record SweepTasks(List<Task> tasks, Split split) {
    SweepTasks {
        tasks = List.copyOf(tasks);
    }

    /**
     * Reads the tasks of a configuration.
     *
     * @param most how many of them, from the first on
     * @throws InvalidInputException for a mistake in the files; where some of the tasks have validation questions and others
     *     none; where there are fewer than two tasks
     */
    static SweepTasks read(RunConfig config, int most) {
        PromptTemplate template = PromptTemplate.parse(config.prompt());
        TaskSequence all = ContinualRun.readLearned(config);
        if (all.size() < 2) {
            throw new InvalidInputException(
                    "there is one task only, " + Quoted.of(all.names().get(0))
                            + ", and λ acts from the second on; give at least two to choose a λ by");
        }
        List<Task> tasks = all.tasks().subList(0, Math.min(most, all.size()));
        Map<String, List<Example>> validation = TaskReader.readValidation(config.tasks(), template);
        if (validation.isEmpty()) {
            return new SweepTasks(tasks, Split.TRAIN);
        }
        return new SweepTasks(
                tasks.stream()
                        .map(task -> new Task(task.name(), task.train(), questions(task, validation)))
                        .toList(),
                Split.TEST);
    }

    private static List<Example> questions(Task task, Map<String, List<Example>> validation) {
        List<Example> questions = validation.getOrDefault(task.name(), List.of());
        if (task.isText() || questions.isEmpty()) {
            throw new InvalidInputException("task " + Quoted.of(task.name())
                    + " has no validation questions, but others have; give each task some, or none");
        }
        return questions;
    }

    List<String> names() {
        return tasks.stream().map(Task::name).toList();
    }

    /** What λ is chosen by, in a word. */
    String questions() {
        return split == Split.TRAIN ? "train" : "validation";
    }
}
