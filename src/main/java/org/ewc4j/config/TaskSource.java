package org.ewc4j.config;

import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.Quoted;

/** Key {@code tasks}: where the tasks come from. Nothing is read until {@code TaskReader} is asked to. */
public sealed interface TaskSource {
    String DEFAULT_TASK_FIELD = "task";
    String DEFAULT_QUESTION_FIELD = "question";
    String DEFAULT_ANSWER_FIELD = "answer";

    /** Field with the question in rows of JSON Lines. */
    default String questionField() {
        return DEFAULT_QUESTION_FIELD;
    }

    /** Field with the answer in rows of JSON Lines. */
    default String answerField() {
        return DEFAULT_ANSWER_FIELD;
    }

    /**
     * One JSONL file. Each row is a training question of the task that its task field names, and a test question too.
     * Tasks come in the order in which they first appear.
     *
     * @param path the file
     * @param taskField field with the task's name
     * @param questionField field with the training question
     * @param testQuestionField field with the test question, often a rewording of the training question
     * @param answerField field with the answer to both
     */
    record SingleFile(Path path, String taskField, String questionField, String testQuestionField, String answerField)
            implements TaskSource {
        /** A file with the default fields {@code task}, {@code question} (train and test) and {@code answer}. */
        public static SingleFile of(Path path) {
            return new SingleFile(
                    path, DEFAULT_TASK_FIELD, DEFAULT_QUESTION_FIELD, DEFAULT_QUESTION_FIELD, DEFAULT_ANSWER_FIELD);
        }
    }

    /**
     * JSONL files per task, or plain text, in the order given.
     *
     * @param tasks names are unique
     * @param questionField field with the question in training files
     * @param testQuestionField field with the question in test files
     * @param answerField field with the answer in both
     */
    record PerTask(List<TaskFiles> tasks, String questionField, String testQuestionField, String answerField)
            implements TaskSource {
        public PerTask {
            tasks = List.copyOf(tasks);
            if (tasks.isEmpty()) {
                throw new InvalidInputException("tasks.list: names no task; give at least one {name, train, test}");
            }
            Set<String> names = new HashSet<>();
            for (TaskFiles task : tasks) {
                if (!names.add(task.name())) {
                    throw new InvalidInputException("tasks.list: the task name " + Quoted.of(task.name())
                            + " is there twice; give each task a name of its own");
                }
            }
        }

        /** Files with the default fields {@code question} and {@code answer}. */
        public static PerTask of(List<TaskFiles> tasks) {
            return new PerTask(tasks, DEFAULT_QUESTION_FIELD, DEFAULT_QUESTION_FIELD, DEFAULT_ANSWER_FIELD);
        }
    }

    /**
     * The incremental-learning JSON of EWC-for-LLM research: one object
     * <code>{"0": {"train": {"input": [...], "target": [...]}, "test": {...}}, "1": ...}</code>. Tasks come in numeric
     * order where every key is a whole number, otherwise in the order of the file. {@code input} is the question.
     *
     * @param path the file
     */
    record IncrementalJson(Path path) implements TaskSource {}

    /**
     * The files of one task.
     *
     * @param name the task's name
     * @param train training rows
     * @param test test rows; may be absent where the test split is not asked for, or the files are text
     * @param text whether the files are plain text, keys {@code text} and {@code test_text}
     */
    record TaskFiles(String name, Path train, Optional<Path> test, boolean text) {
        /** Files of questions. */
        public TaskFiles(String name, Path train, Optional<Path> test) {
            this(name, train, test, false);
        }
    }
}
