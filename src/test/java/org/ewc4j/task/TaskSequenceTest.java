package org.ewc4j.task;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.ewc4j.error.InvalidInputException;
import org.junit.jupiter.api.Test;

class TaskSequenceTest {
    private static final Example ROW = new Example("q", "Q: q", "a");

    private static Task task(String name) {
        return new Task(name, List.of(ROW), List.of(ROW));
    }

    @Test
    void keepsTheOrder() {
        assertThat(TaskSequence.of(task("b"), task("a")).names()).containsExactly("b", "a");
    }

    @Test
    void refusesNoTaskAnEmptyTaskAndANameTwice() {
        assertThatThrownBy(TaskSequence::of)
                .isInstanceOf(InvalidInputException.class)
                .hasMessage("there is no task to learn; give at least one");
        assertThatThrownBy(() -> TaskSequence.of(task("a"), new Task("b\"", List.of(), List.of(ROW))))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage("task \"b\\\"\" is empty: it has no training row; add rows or leave it out");
        assertThatThrownBy(() -> TaskSequence.of(task("a"), task("b"), task("a")))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage("the task name \"a\" is there twice; give each task a name of its own");
    }

    @Test
    void refusesANameThatIsNoLineOfText() {
        for (String name : List.of("", " ", "a\nb", "a\u001b[31mred")) {
            assertThatThrownBy(() -> TaskSequence.of(task(name)))
                    .isInstanceOf(InvalidInputException.class)
                    .hasMessageStartingWith("the task name \"")
                    .hasMessageEndingWith("is blank or has a line break or another control character;"
                            + " give the task a name of one line");
        }
        assertThat(TaskSequence.of(task("首都 🎉")).names()).containsExactly("首都 🎉");
    }

    @Test
    void testRowsAreRequiredOnlyWhenAskedFor() {
        TaskSequence tasks = TaskSequence.of(task("a"), new Task("b", List.of(ROW), List.of()));
        assertThatThrownBy(tasks::requireTestRows)
                .isInstanceOf(InvalidInputException.class)
                .hasMessage("task \"b\" has no test row, but evaluation.splits asks for test; "
                        + "add test rows or set evaluation.splits to [train]");
    }
}
