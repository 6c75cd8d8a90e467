package org.ewc4j.bench;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.ewc4j.config.EvaluationConfig.Split;
import org.ewc4j.config.ModelSource;
import org.ewc4j.config.RunConfig;
import org.ewc4j.data.Batch;
import org.ewc4j.data.BatchLoader;
import org.ewc4j.data.PromptTemplate;
import org.ewc4j.data.RowEncoder;
import org.ewc4j.data.StepBatch;
import org.ewc4j.data.TaskReader;
import org.ewc4j.data.TextTokenizer;
import org.ewc4j.data.TokenizedRow;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.RunFailedException;
import org.ewc4j.model.ModelDirectory;
import org.ewc4j.task.Example;
import org.ewc4j.task.Task;

/**
 * The batches that the steps are timed on, one for each round, made by the loader that training uses.
 *
 * @param maxLength columns that a loader which trims nothing would form
 * @param rows of each round
 * @param steps the same as batches
 */
record BenchBatches(int maxLength, List<List<TokenizedRow>> rows, List<StepBatch> steps) {
    private static final long SEED = 0;

    static BenchBatches of(BenchOptions options, ModelDirectory shape) {
        int rounds = RoundRobin.WARM_UP + options.rounds();
        if (options.questions().isEmpty()) {
            return full(options, shape, rounds);
        }
        RunConfig config = options.questions().get();
        int maxLength = config.training().maxLength();
        requirePositions("training.max_length", maxLength, shape);
        List<TokenizedRow> rows = questions(config, shape);
        if (rows.size() < options.batch()) {
            throw new InvalidInputException("--batch " + options.batch() + ": the tasks have " + rows.size()
                    + " training rows in all; expected at most that");
        }
        // Whole batches in file order, spread over all tasks.
        long whole = rows.size() / options.batch();
        List<List<TokenizedRow>> chosen = new ArrayList<>();
        for (int round = 0; round < rounds; round++) {
            int from = (int) (round * whole / rounds) * options.batch();
            chosen.add(rows.subList(from, from + options.batch()));
        }
        return of(maxLength, chosen, shape);
    }

    private static BenchBatches of(int maxLength, List<List<TokenizedRow>> rounds, ModelDirectory shape) {
        List<StepBatch> steps = rounds.stream()
                .map(rows -> {
                    List<Batch> one = BatchLoader.inFileOrder(
                            rows, rows.size(), shape.specialTokens().padding(), maxLength);
                    return new StepBatch(0, one);
                })
                .toList();
        return new BenchBatches(maxLength, rounds, steps);
    }

    /** Random ids; the first position of a row has no token before it that could predict it, every other one is scored. */
    private static BenchBatches full(BenchOptions options, ModelDirectory shape, int rounds) {
        requirePositions("--length", options.length(), shape);
        Random random = new Random(SEED);
        List<List<TokenizedRow>> all = new ArrayList<>();
        for (int round = 0; round < rounds; round++) {
            List<TokenizedRow> rows = new ArrayList<>();
            for (int row = 0; row < options.batch(); row++) {
                int[] ids =
                        random.ints(options.length(), 0, shape.vocabularySize()).toArray();
                rows.add(new TokenizedRow(ids, 1));
            }
            all.add(rows);
        }
        return of(options.length(), all, shape);
    }

    private static List<TokenizedRow> questions(RunConfig config, ModelDirectory shape) {
        ModelDirectory named =
                ModelDirectory.open(ModelSource.random(config.model().path(), SEED));
        List<TokenizedRow> rows = new ArrayList<>();
        try (TextTokenizer tokenizer = TextTokenizer.load(named.path())) {
            tokenizer.requireFits(shape.vocabularySize());
            RowEncoder encoder = new RowEncoder(
                    tokenizer,
                    named.specialTokens().endOfSequence(),
                    config.training().maxLength());
            for (Task task : TaskReader.read(
                    config.tasks(), config.text(), PromptTemplate.parse(config.prompt()), Set.of(Split.TRAIN))) {
                for (Example example : task.train()) {
                    rows.add(encoder.encode(task.name(), example));
                }
                task.text().ifPresent(text -> rows.addAll(encoder.pack(text.train())));
            }
        }
        return rows;
    }

    private static void requirePositions(String what, int length, ModelDirectory shape) {
        if (length > shape.positions()) {
            throw new InvalidInputException(what + " " + length + ": the shape has positions for " + shape.positions()
                    + " tokens; expected at most that");
        }
    }

    /** Real tokens of a batch, on average over the rounds. */
    double tokens() {
        return steps.stream().mapToLong(StepBatch::tokens).average().orElseThrow();
    }

    /** Scored positions of a batch, on average over the rounds. */
    double scoredPositions() {
        return steps.stream().mapToLong(StepBatch::scoredPositions).average().orElseThrow();
    }

    /** Columns of a batch, on average over the rounds; left off are those that are padding in all its rows. */
    double columns() {
        return steps.stream()
                .mapToInt(step -> step.microBatches().get(0).columns())
                .average()
                .orElseThrow();
    }

    /** Writes the ids of every round, warm-up first. */
    void write(Path file) {
        ObjectNode root = new JsonMapper().createObjectNode();
        root.put("warm_up", RoundRobin.WARM_UP);
        root.put("max_length", maxLength);
        ArrayNode batches = root.putArray("batches");
        for (List<TokenizedRow> round : rows) {
            ArrayNode batch = batches.addArray();
            for (TokenizedRow row : round) {
                ObjectNode one = batch.addObject();
                one.put("prompt", row.promptLength());
                ArrayNode ids = one.putArray("ids");
                for (int id : row.ids()) {
                    ids.add(id);
                }
            }
        }
        try {
            Files.writeString(file, root.toString());
        } catch (IOException e) {
            throw new RunFailedException(file + ": cannot be written: " + e.getMessage(), e);
        }
    }
}
