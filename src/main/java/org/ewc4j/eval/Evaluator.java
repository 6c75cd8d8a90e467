package org.ewc4j.eval;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.IntConsumer;
import org.ewc4j.config.EvaluationConfig;
import org.ewc4j.config.EvaluationConfig.Split;
import org.ewc4j.data.Batch;
import org.ewc4j.data.BatchLoader;
import org.ewc4j.data.EncodedTask;
import org.ewc4j.data.RowLimit;
import org.ewc4j.data.StepBatch;
import org.ewc4j.data.TextTokenizer;
import org.ewc4j.data.TokenizedRow;
import org.ewc4j.error.RunFailedException;
import org.ewc4j.error.RunInterruptedException;
import org.ewc4j.model.CausalLm;
import org.ewc4j.task.Example;
import org.ewc4j.task.Task;

/**
 * Asks the model a task's questions: greedy answers for the exact match, and the token loss of the expected answers. Of text
 * the token loss alone.
 * Dropout off. Used by the learner's thread; closes nothing.
 */
public final class Evaluator {
    private static final String EVALUATION = "the evaluation";

    private final CausalLm model;
    private final TextTokenizer tokenizer;
    private final EvaluationConfig config;
    private final int maxLength;
    private final RowLimit memory = new RowLimit();

    /** @param maxLength that the rows were encoded with */
    public Evaluator(CausalLm model, TextTokenizer tokenizer, EvaluationConfig config, int maxLength) {
        this.model = model;
        this.tokenizer = tokenizer;
        this.config = config;
        this.maxLength = maxLength;
    }

    /** How many rows of a batch there is memory for: batches of other sizes leave other last bits of a token loss. */
    public RowLimit memory() {
        return memory;
    }

    /**
     * Scores one split of one task.
     *
     * @param afterTask index of the task learned last
     * @param index of the task that is asked about
     * @param progress told after each batch how many questions it answered, or rows of text it read
     * @throws RunFailedException where the token loss is not finite
     * @throws RunInterruptedException behind the batch during which the thread was interrupted
     */
    public TaskScore score(
            int afterTask, int index, Task task, EncodedTask encoded, Split split, IntConsumer progress) {
        if (task.isText()) {
            double loss = requireFinite(tokenLoss(encoded.rows(split), progress), task.name(), split);
            return new TaskScore(afterTask, index, task.name(), split, Double.NaN, loss, List.of());
        }
        List<Prediction> predictions = predictions(afterTask, index, task, encoded.prompts(split), split, progress);
        double loss = tokenLoss(encoded.rows(split), rows -> {});
        return new TaskScore(
                afterTask,
                index,
                task.name(),
                split,
                ExactMatch.percent(predictions),
                requireFinite(loss, task.name(), split),
                predictions);
    }

    private List<Prediction> predictions(
            int afterTask, int index, Task task, List<int[]> prompts, Split split, IntConsumer progress) {
        List<Example> examples = split == Split.TRAIN ? task.train() : task.test();
        List<Prediction> predictions = new ArrayList<>(examples.size());
        int to;
        for (int from = 0; from < prompts.size(); from = to) {
            RunInterruptedException.throwIfInterrupted("evaluation of task '" + task.name() + "'");
            List<int[]> answers = answers(prompts, from);
            to = from + answers.size();
            for (int i = from; i < to; i++) {
                String generated = ExactMatch.strip(tokenizer.decode(answers.get(i - from)));
                Example example = examples.get(i);
                predictions.add(new Prediction(
                        afterTask,
                        index,
                        task.name(),
                        split,
                        example.question(),
                        example.answer(),
                        generated,
                        ExactMatch.agrees(example.answer(), generated)));
            }
            progress.accept(to - from);
        }
        return predictions;
    }

    /** Of the prompts from one on, as many as are asked at once; fewer where there is no memory for those. */
    private List<int[]> answers(List<int[]> prompts, int from) {
        while (true) {
            int count = Math.min(Math.min(config.batchSize(), memory.rows()), prompts.size() - from);
            try {
                return model.generate(prompts.subList(from, from + count), config.maxNewTokens());
            } catch (RuntimeException | OutOfMemoryError e) {
                memory.halve(e, count, EVALUATION);
            }
        }
    }

    /**
     * The mean token loss over the scored positions of rows, in nats: every token weighs the same.
     *
     * @param progress told after each batch how many rows it had
     */
    public double tokenLoss(List<TokenizedRow> rows, IntConsumer progress) {
        double sum = 0;
        long scored = 0;
        model.training(false);
        for (Batch batch : BatchLoader.inFileOrder(
                rows, config.batchSize(), model.specialTokens().padding(), maxLength)) {
            RunInterruptedException.throwIfInterrupted("evaluation");
            sum += loss(batch);
            scored += batch.scoredPositions();
            progress.accept(batch.rows());
        }
        return sum / scored;
    }

    private double loss(Batch batch) {
        while (true) {
            StepBatch parts = new StepBatch(0, List.of(batch)).inMicroBatchesOf(memory.rows());
            try {
                return parts.microBatches().stream().mapToDouble(model::loss).sum();
            } catch (RuntimeException | OutOfMemoryError e) {
                memory.halve(e, parts.largestMicroBatch(), EVALUATION);
            }
        }
    }

    private static double requireFinite(double loss, String task, Split split) {
        if (!Double.isFinite(loss)) {
            throw new RunFailedException("task '" + task + "', evaluation of the "
                    + split.name().toLowerCase(Locale.ROOT) + " split: the token loss is " + loss
                    + "; the parameters are no longer usable");
        }
        return loss;
    }
}
