package org.ewc4j.data;

import java.util.ArrayList;
import java.util.List;

/**
 * A training row to look at before training: every token as text, and whether the loss is taken over it.
 *
 * @param tokens in the order of the row, without padding
 */
public record RowPreview(List<Token> tokens) {
    /**
     * @param text the token decoded alone; part of a character shows as U+FFFD
     * @param special whether decoding an answer skips it
     * @param scored whether its label is its id rather than −100
     */
    public record Token(int id, String text, boolean special, boolean scored) {}

    public RowPreview {
        tokens = List.copyOf(tokens);
    }

    public static RowPreview of(TokenizedRow row, TextTokenizer tokenizer) {
        List<Token> tokens = new ArrayList<>();
        for (int i = 0; i < row.ids().length; i++) {
            int id = row.ids()[i];
            tokens.add(new Token(id, tokenizer.decodeToken(id), tokenizer.isSpecial(id), i >= row.promptLength()));
        }
        return new RowPreview(tokens);
    }
}
