package org.ewc4j.model;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.ewc4j.tensor.Uploads;

/**
 * Greedy generation as transformers' {@code generate} does it: a batch padded on the left, positions counted from the
 * first real token, keys and values cached, each row ended by an end-of-sequence token.
 */
final class GreedyDecoder {
    private final Architecture architecture;
    private final Architecture.Decoder decoder;
    private final OutputLayer outputLayer;
    private final Dropout dropout;
    private final SpecialTokens tokens;
    private final Numerics numerics;
    private final Uploads uploads;

    GreedyDecoder(
            Architecture architecture,
            Architecture.Decoder decoder,
            OutputLayer outputLayer,
            Dropout dropout,
            SpecialTokens tokens,
            Numerics numerics,
            Uploads uploads) {
        this.architecture = architecture;
        this.decoder = decoder;
        this.outputLayer = outputLayer;
        this.dropout = dropout;
        this.tokens = tokens;
        this.numerics = numerics;
        this.uploads = uploads;
    }

    /**
     * Continues every prompt.
     *
     * @param prompts token ids, each at least one and, with the new tokens, at most the model's positions
     * @param maxNewTokens at least 1
     * @return per prompt the new ids, up to and including the end of sequence that stopped it
     */
    List<int[]> generate(List<int[]> prompts, int maxNewTokens) {
        int rows = prompts.size();
        int longest = prompts.stream().mapToInt(prompt -> prompt.length).max().orElse(0);
        if (rows == 0) {
            return List.of();
        }
        if (prompts.stream().anyMatch(prompt -> prompt.length == 0)
                || maxNewTokens < 1
                || longest + (long) maxNewTokens > architecture.positions()) {
            throw new IllegalArgumentException("prompts of 1 to " + architecture.positions()
                    + " positions less the new tokens are expected, got one of " + longest + " and " + maxNewTokens
                    + " new tokens");
        }
        int[] lengths = prompts.stream().mapToInt(prompt -> prompt.length).toArray();
        List<List<Integer>> generated = new ArrayList<>();
        prompts.forEach(prompt -> generated.add(new ArrayList<>()));
        dropout.training(false);
        try (NoGradGuard guard = new NoGradGuard();
                KeyValueCache cache = new KeyValueCache(
                        numerics,
                        architecture.layers(),
                        rows,
                        architecture.keyValueHeads(),
                        longest + maxNewTokens,
                        architecture.headSize())) {
            long[] next = first(prompts, lengths, longest, cache);
            for (int step = 0; ; step++) {
                if (!take(next, generated, step) || step + 1 == maxNewTokens) {
                    break;
                }
                for (int row = 0; row < rows; row++) {
                    lengths[row]++;
                }
                next = next(next, lengths, longest + step + 1, cache);
            }
        }
        return generated.stream()
                .map(ids -> ids.stream().mapToInt(Integer::intValue).toArray())
                .toList();
    }

    /** Takes the tokens of the rows that go on; returns whether any does after it. */
    private boolean take(long[] next, List<List<Integer>> generated, int step) {
        boolean goesOn = false;
        for (int row = 0; row < next.length; row++) {
            List<Integer> ids = generated.get(row);
            boolean ended = ids.size() < step || (step > 0 && tokens.stop().contains(ids.get(step - 1)));
            if (!ended) {
                ids.add((int) next[row]);
                goesOn |= !tokens.stop().contains((int) next[row]);
            }
        }
        return goesOn;
    }

    private long[] first(List<int[]> prompts, int[] lengths, int columns, KeyValueCache cache) {
        long[] ids = new long[prompts.size() * columns];
        Arrays.fill(ids, tokens.padding());
        for (int row = 0; row < prompts.size(); row++) {
            int[] prompt = prompts.get(row);
            for (int i = 0; i < prompt.length; i++) {
                ids[row * columns + columns - prompt.length + i] = prompt[i];
            }
        }
        try (StagedBatch staged = StagedBatch.of(ids, lengths, uploads)) {
            return read(staged, prompts.size(), cache);
        }
    }

    private long[] next(long[] ids, int[] lengths, int columns, KeyValueCache cache) {
        try (StagedBatch staged = StagedBatch.next(ids, lengths, columns, uploads)) {
            return read(staged, ids.length, cache);
        }
    }

    /** Reads the pass's tokens into the cache and gives the likeliest next token of each row. */
    private long[] read(StagedBatch staged, int rows, KeyValueCache cache) {
        try (PointerScope scope = new PointerScope()) {
            ForwardPass pass = ForwardPass.of(staged, architecture.slidingWindow(), numerics, dropout, cache);
            Tensor hidden = decoder.hidden(pass);
            cache.advance(pass.columns());
            Tensor last = hidden.select(1, hidden.size(1) - 1);
            Tensor best = torch.argmax(outputLayer.logits(last), new LongOptional(-1), false)
                    .cpu()
                    .contiguous();
            long[] ids = new long[rows];
            best.data_ptr_long().get(ids);
            return ids;
        }
    }
}
