package org.ewc4j.data;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.ewc4j.config.EvaluationConfig.Split;
import org.ewc4j.config.TaskSource;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.task.Example;
import org.ewc4j.task.Task;
import org.ewc4j.task.TaskSequence;

/** Reads tasks from files and renders their prompts. Stateless. */
public final class TaskReader {
    private TaskReader() {}

    /**
     * Reads every task.
     *
     * @param splits what will be scored; training rows are always read, test rows only where this holds
     *     {@link Split#TEST}
     * @throws InvalidInputException naming file and line of a row that cannot be used; or a task that is empty, has no
     *     test row though the test split is asked for, or shares its name
     */
    public static TaskSequence read(TaskSource source, PromptTemplate template, Set<Split> splits) {
        boolean test = splits.contains(Split.TEST);
        List<Task> tasks = read(source, template, test);
        TaskSequence sequence = new TaskSequence(tasks);
        if (test) {
            sequence.requireTestRows();
        }
        return sequence;
    }

    /**
     * Reads the validation questions of each task: those of the files that a source names for it.
     *
     * @return by task name; empty where the source names no such file
     * @throws InvalidInputException naming file and line of a row that cannot be used
     */
    public static Map<String, List<Example>> readValidation(TaskSource source, PromptTemplate template) {
        Map<String, List<Example>> questions = new LinkedHashMap<>();
        if (source instanceof TaskSource.SingleFile single) {
            single.validation()
                    .ifPresent(file -> JsonLines.forEach(
                            file,
                            row -> questions
                                    .computeIfAbsent(row.text(single.taskField()), name -> new ArrayList<>())
                                    .add(example(row, single.questionField(), single.answerField(), template))));
        } else if (source instanceof TaskSource.PerTask list) {
            for (TaskSource.TaskFiles task : list.tasks()) {
                task.validation()
                        .ifPresent(file -> JsonLines.forEach(
                                file,
                                row -> questions
                                        .computeIfAbsent(task.name(), name -> new ArrayList<>())
                                        .add(example(row, list.questionField(), list.answerField(), template))));
            }
        }
        return questions;
    }

    private static List<Task> read(TaskSource source, PromptTemplate template, boolean test) {
        if (source instanceof TaskSource.SingleFile file) {
            return readSingle(file, template, test);
        } else if (source instanceof TaskSource.PerTask files) {
            return readPerTask(files, template, test);
        }
        return IncrementalJsonReader.read(((TaskSource.IncrementalJson) source).path(), template, test);
    }

    private static List<Task> readSingle(TaskSource.SingleFile source, PromptTemplate template, boolean test) {
        Map<String, List<Example>> train = new LinkedHashMap<>();
        Map<String, List<Example>> tests = new LinkedHashMap<>();
        JsonLines.forEach(source.path(), row -> {
            String task = row.text(source.taskField());
            train.computeIfAbsent(task, name -> new ArrayList<>())
                    .add(example(row, source.questionField(), source.answerField(), template));
            List<Example> testRows = tests.computeIfAbsent(task, name -> new ArrayList<>());
            if (test) {
                testRows.add(example(row, source.testQuestionField(), source.answerField(), template));
            }
        });
        if (train.isEmpty()) {
            throw new InvalidInputException(source.path() + ": holds no row, so there is no task to learn");
        }
        List<Task> tasks = new ArrayList<>();
        train.forEach((name, rows) -> tasks.add(new Task(name, rows, tests.get(name))));
        return tasks;
    }

    private static List<Task> readPerTask(TaskSource.PerTask source, PromptTemplate template, boolean test) {
        List<Task> tasks = new ArrayList<>();
        for (TaskSource.TaskFiles files : source.tasks()) {
            List<Example> train = new ArrayList<>();
            JsonLines.forEach(
                    files.train(),
                    row -> train.add(example(row, source.questionField(), source.answerField(), template)));
            List<Example> testRows = new ArrayList<>();
            if (test && files.test().isPresent()) {
                JsonLines.forEach(
                        files.test().get(),
                        row -> testRows.add(example(row, source.testQuestionField(), source.answerField(), template)));
            }
            tasks.add(new Task(files.name(), train, testRows));
        }
        return tasks;
    }

    static Example example(Row row, String questionField, String answerField, PromptTemplate template) {
        String question = row.text(questionField);
        return new Example(question, template.render(question, row::text), row.text(answerField));
    }
}
