package org.ewc4j.data;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.Quoted;
import org.ewc4j.task.Example;

/**
 * Turns questions into token ids: the prompt as the tokenizer encodes a text, then a space and the answer without special
 * tokens, then end-of-sequence. What is too long is cut from the left, so that the answer is never cut. Plain text is packed.
 * Thread-safe as its tokenizer is, which it does not close.
 */
public final class RowEncoder {
    private final TextTokenizer tokenizer;
    private final int eosId;
    private final int maxLength;

    /** @param maxLength tokens of a training row at most; at least 2 */
    public RowEncoder(TextTokenizer tokenizer, int eosId, int maxLength) {
        this.tokenizer = tokenizer;
        this.eosId = eosId;
        this.maxLength = maxLength;
    }

    /** Prompt and answer as ids, nothing cut; the answer with its end-of-sequence. */
    record Parts(int[] prompt, int[] answer) {
        int length() {
            return prompt.length + answer.length;
        }
    }

    /**
     * @throws InvalidInputException if training and evaluation cannot both stay within the model's positions
     */
    public static void requireFits(int maxLength, int maxNewTokens, int modelPositions) {
        if (maxLength > modelPositions) {
            throw new InvalidInputException("training.max_length: is " + maxLength
                    + ", but the model has positions for " + modelPositions + " tokens; expected at most that");
        }
        if (maxNewTokens >= modelPositions) {
            throw new InvalidInputException(
                    "evaluation.max_new_tokens: is " + maxNewTokens + ", which leaves no room for a"
                            + " prompt in the model's " + modelPositions + " positions; expected less than that");
        }
    }

    /**
     * A training row.
     *
     * @param taskName for messages
     * @throws InvalidInputException if the answer with end-of-sequence leaves no room for a prompt token
     */
    public TokenizedRow encode(String taskName, Example example) {
        return row(taskName, example, parts(example));
    }

    /**
     * What the model is given before it generates: the prompt, cut from the left.
     *
     * @param limit tokens at most, see {@link #promptLimit}
     */
    public int[] evaluationPrompt(Example example, int limit) {
        return cut(tokenizer.encodePrompt(example.prompt()), limit);
    }

    /** min(max_length, modelPositions − maxNewTokens): room for what is generated is kept. */
    public int promptLimit(int maxNewTokens, int modelPositions) {
        return Math.min(maxLength, modelPositions - maxNewTokens);
    }

    Parts parts(Example example) {
        int[] prompt = tokenizer.encodePrompt(example.prompt());
        int[] text = tokenizer.encode(" " + example.answer());
        int[] answer = Arrays.copyOf(text, text.length + 1);
        answer[text.length] = eosId;
        return new Parts(prompt, answer);
    }

    TokenizedRow row(String taskName, Example example, Parts parts) {
        int answer = parts.answer().length;
        if (parts.prompt().length == 0) {
            throw new InvalidInputException(
                    where(taskName, example)
                            + ": the prompt has no token, so nothing precedes the answer; give a question or a longer template");
        }
        if (answer >= maxLength) {
            throw new InvalidInputException(where(taskName, example) + ": its answer takes " + answer
                    + " tokens with end-of-sequence, which leaves no room for a prompt token in training.max_length "
                    + maxLength + "; shorten the answer or raise max_length to at least " + (answer + 1));
        }
        int prompt = Math.min(parts.prompt().length, maxLength - answer);
        int[] ids = Arrays.copyOf(cut(parts.prompt(), prompt), prompt + answer);
        System.arraycopy(parts.answer(), 0, ids, prompt, answer);
        return new TokenizedRow(ids, prompt);
    }

    /**
     * Plain text as rows: each document as the tokenizer encodes a text (with a BOS, say), end-of-sequence behind it, all of it
     * in a row and cut every {@code max_length} tokens. Every token is scored that has another before it in its row. The last
     * row may be short; of a single token, which nothing would be scored of, there is none.
     */
    public List<TokenizedRow> pack(List<String> documents) {
        List<TokenizedRow> rows = new ArrayList<>();
        int[] row = new int[maxLength];
        int filled = 0;
        for (String document : documents) {
            int[] text = tokenizer.encodePrompt(document);
            for (int i = 0; i <= text.length; i++) {
                row[filled++] = i < text.length ? text[i] : eosId;
                if (filled == maxLength) {
                    rows.add(new TokenizedRow(row.clone(), 1));
                    filled = 0;
                }
            }
        }
        if (filled > 1) {
            rows.add(new TokenizedRow(Arrays.copyOf(row, filled), 1));
        }
        return rows;
    }

    static int[] cut(int[] ids, int limit) {
        return ids.length <= limit ? ids : Arrays.copyOfRange(ids, ids.length - limit, ids.length);
    }

    private static String where(String taskName, Example example) {
        return "task " + Quoted.of(taskName) + ", question " + Quoted.of(example.question());
    }

    int maxLength() {
        return maxLength;
    }
}
