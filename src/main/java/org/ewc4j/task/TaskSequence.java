package org.ewc4j.task;

import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.Quoted;

/**
 * The tasks of a run in the order in which they are learned: at least one, each with something to learn, names unique and of
 * one line.
 */
public final class TaskSequence implements Iterable<Task> {
    private final List<Task> tasks;

    /** @throws InvalidInputException if there is no task, a task has no training row or no proper name, or two share a name */
    public TaskSequence(List<Task> tasks) {
        this.tasks = List.copyOf(tasks);
        if (this.tasks.isEmpty()) {
            throw new InvalidInputException("there is no task to learn; give at least one");
        }
        Set<String> names = new HashSet<>();
        for (Task task : this.tasks) {
            requireName(task.name());
            if (!names.add(task.name())) {
                throw new InvalidInputException("the task name " + Quoted.of(task.name())
                        + " is there twice; give each task a name of its own");
            }
            if (task.train().isEmpty() && !task.isText()) {
                throw new InvalidInputException("task " + Quoted.of(task.name())
                        + " is empty: it has no training row; add rows or leave it out");
            }
        }
    }

    /** Names go to terminals and into tables. */
    private static void requireName(String name) {
        if (name.isBlank() || name.codePoints().anyMatch(Character::isISOControl)) {
            throw new InvalidInputException("the task name " + Quoted.of(name)
                    + " is blank or has a line break or another control character; give the task a name of one line");
        }
    }

    public static TaskSequence of(Task... tasks) {
        return new TaskSequence(List.of(tasks));
    }

    public int size() {
        return tasks.size();
    }

    public Task get(int index) {
        return tasks.get(index);
    }

    public List<Task> tasks() {
        return tasks;
    }

    /** Names in the order of the tasks. */
    public List<String> names() {
        return tasks.stream().map(Task::name).toList();
    }

    /**
     * For where the test split is asked for. Of a task of text it is found out when the text is packed.
     *
     * @throws InvalidInputException naming the first task of questions without a test row
     */
    public void requireTestRows() {
        for (Task task : tasks) {
            if (task.test().isEmpty() && !task.isText()) {
                throw new InvalidInputException(
                        "task " + Quoted.of(task.name())
                                + " has no test row, but evaluation.splits asks for test; add test rows or set evaluation.splits to [train]");
            }
        }
    }

    @Override
    public Iterator<Task> iterator() {
        return tasks.iterator();
    }

    @Override
    public String toString() {
        return "TaskSequence" + names();
    }
}
