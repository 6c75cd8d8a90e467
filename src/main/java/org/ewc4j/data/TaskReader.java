package org.ewc4j.data;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.ewc4j.config.EvaluationConfig.Split;
import org.ewc4j.config.ProtectConfig;
import org.ewc4j.config.TaskSource;
import org.ewc4j.config.TextConfig;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.task.Example;
import org.ewc4j.task.Task;
import org.ewc4j.task.TaskSequence;
import org.ewc4j.task.TaskText;

/** Reads tasks from files and renders their prompts. Stateless. */
public final class TaskReader {
    /** Name of the data of {@code ewc.protect}, also in a consolidation. */
    private static final String PROTECTED = "protected";

    private TaskReader() {}

    /** As {@link #read(TaskSource, TextConfig, PromptTemplate, Set)}, text by the defaults. */
    public static TaskSequence read(TaskSource source, PromptTemplate template, Set<Split> splits) {
        return read(source, TextConfig.defaults(), template, splits);
    }

    /**
     * Reads every task.
     *
     * @param text how a task of text is read
     * @param splits what will be scored; training rows are always read, test rows only where this holds
     *     {@link Split#TEST}
     * @throws InvalidInputException naming file and line of a row that cannot be used; or a task that is empty, has no
     *     test row though the test split is asked for, or shares its name
     */
    public static TaskSequence read(TaskSource source, TextConfig text, PromptTemplate template, Set<Split> splits) {
        boolean test = splits.contains(Split.TEST);
        List<Task> tasks = read(source, text, template, test, test);
        TaskSequence sequence = new TaskSequence(tasks);
        if (test) {
            sequence.requireTestRows();
        }
        return sequence;
    }

    /**
     * Reads what a run that scores these splits learns, and no test row. What such a run holds out of a text to score it is
     * held out here too.
     *
     * @throws InvalidInputException as of {@link #read}
     */
    public static TaskSequence readLearned(
            TaskSource source, TextConfig text, PromptTemplate template, Set<Split> splits) {
        return new TaskSequence(read(source, text, template, false, splits.contains(Split.TEST)));
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

    /** @param holdsOut whether a share of a text without a test text of its own is held out */
    private static List<Task> read(
            TaskSource source, TextConfig text, PromptTemplate template, boolean test, boolean holdsOut) {
        if (source instanceof TaskSource.SingleFile file) {
            return readSingle(file, template, test);
        } else if (source instanceof TaskSource.PerTask files) {
            return files.tasks().stream()
                    .map(task -> task.text()
                            ? readText(task, text, test, holdsOut)
                            : readQuestions(task, files, template, test))
                    .toList();
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

    private static Task readQuestions(
            TaskSource.TaskFiles files, TaskSource.PerTask source, PromptTemplate template, boolean test) {
        List<Example> train = new ArrayList<>();
        JsonLines.forEach(
                files.train(), row -> train.add(example(row, source.questionField(), source.answerField(), template)));
        List<Example> testRows = new ArrayList<>();
        if (test && files.test().isPresent()) {
            JsonLines.forEach(
                    files.test().get(),
                    row -> testRows.add(example(row, source.testQuestionField(), source.answerField(), template)));
        }
        return new Task(files.name(), train, testRows);
    }

    /**
     * Reads the data of {@code ewc.protect} as a task of the name {@code protected}: what its Fisher is taken on, and what is
     * held out to be scored.
     *
     * @param source its field names are used for questions
     */
    public static Task readProtected(
            ProtectConfig protect, TaskSource source, TextConfig text, PromptTemplate template) {
        if (protect.format() == ProtectConfig.Format.TEXT) {
            Optional<List<String>> tests = protect.test().map(file -> TextReader.documents(file, text.field()));
            double heldOut = tests.isEmpty() ? text.testShare() : 0;
            List<String> documents = TextReader.documents(protect.data(), text.field());
            return Task.ofText(PROTECTED, new TaskText(documents, tests, heldOut));
        }
        List<Example> data = readQuestions(protect.data(), source, template);
        if (protect.test().isPresent()) {
            return new Task(PROTECTED, data, readQuestions(protect.test().get(), source, template));
        }
        int read = data.size() - Math.max(1, (int) Math.round(data.size() * text.testShare()));
        if (read < 1) {
            throw new InvalidInputException(protect.data() + ": has " + data.size()
                    + " row, which leaves nothing to hold out; give ewc.protect.test, or more rows");
        }
        return new Task(PROTECTED, data.subList(0, read), data.subList(read, data.size()));
    }

    private static List<Example> readQuestions(Path file, TaskSource source, PromptTemplate template) {
        List<Example> examples = new ArrayList<>();
        JsonLines.forEach(
                file, row -> examples.add(example(row, source.questionField(), source.answerField(), template)));
        if (examples.isEmpty()) {
            throw new InvalidInputException(file + ": holds no row, so there is nothing to protect");
        }
        return examples;
    }

    private static Task readText(TaskSource.TaskFiles files, TextConfig text, boolean test, boolean holdsOut) {
        Optional<List<String>> tests =
                files.test().filter(file -> test).map(file -> TextReader.documents(file, text.field()));
        double heldOut = holdsOut && files.test().isEmpty() ? text.testShare() : 0;
        return Task.ofText(
                files.name(), new TaskText(TextReader.documents(files.train(), text.field()), tests, heldOut));
    }

    static Example example(Row row, String questionField, String answerField, PromptTemplate template) {
        String question = row.text(questionField);
        return new Example(question, template.render(question, row::text), row.text(answerField));
    }
}
