package org.ewc4j.cli;

import com.fasterxml.jackson.databind.node.TextNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.ewc4j.error.Quoted;
import org.ewc4j.eval.Prediction;
import org.ewc4j.eval.TaskScore;
import org.ewc4j.report.ProgressListener;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code ewc4j evaluate}. */
@Command(
        name = "evaluate",
        mixinStandardHelpOptions = true,
        versionProvider = Main.Version.class,
        header = "Ask a model the questions of tasks, and score its answers.",
        description = {
            "",
            "Answers are decoded greedily and scored by exact match, plain text by its perplexity, as during training.",
            ""
        },
        footer = {
            "",
            "Examples:",
            "  ewc4j evaluate runs/quickstart/model examples/quickstart.yaml",
            "  ewc4j evaluate model/ facts.jsonl --question-field q_test --answer-field answer --wrong 5",
            "  ewc4j evaluate model/ general.txt --set training.max_length=512"
        })
final class EvaluateCommand implements Callable<Integer> {
    private final Console console;
    private final Engine engine;

    @Parameters(index = "0", paramLabel = "MODEL", description = "A Hugging Face model directory.")
    private Path model;

    @Parameters(
            index = "1",
            paramLabel = "TASKS",
            description =
                    "A configuration (.yaml), of which tasks, prompt and evaluation are used; or a tasks file (JSONL, or"
                            + " incremental-learning JSON); or plain text (.txt).")
    private Path tasks;

    @Option(names = "--max-new-tokens", paramLabel = "N", description = "The longest answer.")
    private Integer maxNewTokens;

    @Option(
            names = "--prompt",
            paramLabel = "TEMPLATE",
            description = "The prompt, with {question} or another {field}.")
    private String prompt;

    @Option(names = "--task-field", paramLabel = "FIELD", description = "Field with the task's name.")
    private String taskField;

    @Option(names = "--question-field", paramLabel = "FIELD", description = "Field with the training question.")
    private String questionField;

    @Option(names = "--test-question-field", paramLabel = "FIELD", description = "Field with the test question.")
    private String testQuestionField;

    @Option(names = "--answer-field", paramLabel = "FIELD", description = "Field with the answer.")
    private String answerField;

    @Option(
            names = "--set",
            paramLabel = "KEY=VALUE",
            description = "Any other key of the configuration. May be repeated.")
    private List<String> settings = new ArrayList<>();

    @Option(names = "--wrong", paramLabel = "N", description = "Also show the first N wrong answers of each task.")
    private int wrong;

    EvaluateCommand(Console console, Engine engine) {
        this.console = console;
        this.engine = engine;
    }

    @Override
    public Integer call() {
        List<String> all = new ArrayList<>(settings);
        put(all, "evaluation.max_new_tokens", maxNewTokens);
        // As a JSON text, which is YAML too: a template's colons and braces must not be read as YAML.
        put(all, "prompt", prompt == null ? null : TextNode.valueOf(prompt));
        put(all, "tasks.task_field", taskField);
        put(all, "tasks.question_field", questionField);
        put(all, "tasks.test_question_field", testQuestionField);
        put(all, "tasks.answer_field", answerField);
        List<TaskScore> scores;
        try (ProgressListener progress = new ProgressListener(console.err(), console.terminal())) {
            scores = engine.evaluate(model, tasks, all, progress);
        }
        printTable(scores);
        return 0;
    }

    private static void put(List<String> settings, String key, Object value) {
        if (value != null) {
            settings.add(key + "=" + value);
        }
    }

    private void printTable(List<TaskScore> scores) {
        int width = scores.stream().mapToInt(s -> s.taskName().length()).max().orElse(4);
        String row = "%-" + Math.max(4, width) + "s  %-5s  %13s  %10s  %9s  %10s%n";
        console.out()
                .printf(Locale.ROOT, row, "task", "split", "exact match %", "token loss", "questions", "perplexity");
        for (TaskScore score : scores) {
            console.out()
                    .printf(
                            Locale.ROOT,
                            row,
                            score.taskName(),
                            score.split().name().toLowerCase(Locale.ROOT),
                            score.hasExactMatch() ? String.format(Locale.ROOT, "%.1f", score.exactMatch()) : "-",
                            String.format(Locale.ROOT, "%.4f", score.tokenLoss()),
                            score.hasExactMatch() ? score.predictions().size() : "-",
                            String.format(Locale.ROOT, "%.2f", score.perplexity()));
            score.predictions().stream()
                    .filter(prediction -> !prediction.correct())
                    .limit(wrong)
                    .forEach(this::printWrong);
        }
    }

    private void printWrong(Prediction prediction) {
        console.out().println("    " + Quoted.line(prediction.question().strip()));
        console.out()
                .println("      expected " + Quoted.line(prediction.expected()) + ", generated "
                        + Quoted.line(prediction.generated()));
    }
}
