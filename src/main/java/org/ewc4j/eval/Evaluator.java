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
import org.ewc4j.data.TextTokenizer;
import org.ewc4j.error.RunFailedException;
import org.ewc4j.error.RunInterruptedException;
import org.ewc4j.model.CausalLm;
import org.ewc4j.task.Example;
import org.ewc4j.task.Task;

/**
 * Asks the model a task's questions: greedy answers for the exact match, and the token loss of the expected answers.
 * Dropout off. Used by the learner's thread; closes nothing.
 */
public final class Evaluator {
    private final CausalLm model;
    private final TextTokenizer tokenizer;
    private final EvaluationConfig config;
    private final int maxLength;

    /** @param maxLength that the rows were encoded with */
    public Evaluator(CausalLm model, TextTokenizer tokenizer, EvaluationConfig config, int maxLength) {
        this.model = model;
        this.tokenizer = tokenizer;
        this.config = config;
        this.maxLength = maxLength;
    }

    /**
     * Scores one split of one task.
     *
     * @param afterTask index of the task learned last
     * @param index of the task that is asked about
     * @param progress told after each batch how many questions it answered
     * @throws RunFailedException where the token loss is not finite
     * @throws RunInterruptedException behind the batch during which the thread was interrupted
     */
    public TaskScore score(
            int afterTask, int index, Task task, EncodedTask encoded, Split split, IntConsumer progress) {
        List<Example> examples = split == Split.TRAIN ? task.train() : task.test();
        List<int[]> prompts = encoded.prompts(split);
        List<Prediction> predictions = new ArrayList<>(examples.size());
        for (int from = 0; from < prompts.size(); from += config.batchSize()) {
            RunInterruptedException.throwIfInterrupted("evaluation of task '" + task.name() + "'");
            int to = Math.min(prompts.size(), from + config.batchSize());
            List<int[]> answers = model.generate(prompts.subList(from, to), config.maxNewTokens());
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
        return new TaskScore(
                afterTask,
                index,
                task.name(),
                split,
                ExactMatch.percent(predictions),
                requireFinite(tokenLoss(encoded, split), task, split),
                predictions);
    }

    private double tokenLoss(EncodedTask encoded, Split split) {
        double sum = 0;
        long scored = 0;
        model.training(false);
        for (Batch batch : BatchLoader.inFileOrder(
                encoded.rows(split), config.batchSize(), model.specialTokens().padding(), maxLength)) {
            RunInterruptedException.throwIfInterrupted("evaluation of task '" + encoded.name() + "'");
            sum += model.loss(batch);
            scored += batch.scoredPositions();
        }
        return sum / scored;
    }

    private static double requireFinite(double loss, Task task, Split split) {
        if (!Double.isFinite(loss)) {
            throw new RunFailedException("task '" + task.name() + "', evaluation of the "
                    + split.name().toLowerCase(Locale.ROOT) + " questions: the token loss is " + loss
                    + "; the parameters are no longer usable");
        }
        return loss;
    }
}
