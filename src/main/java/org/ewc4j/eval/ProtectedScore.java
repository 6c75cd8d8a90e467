package org.ewc4j.eval;

/**
 * The score on held-out data of what the starting checkpoint knows, key {@code ewc.protect}.
 *
 * @param afterTask index of the task learned last; −1 for the starting checkpoint
 * @param tokenLoss mean token loss over the scored positions, in nats
 */
public record ProtectedScore(int afterTask, double tokenLoss) {
    /** Of the starting checkpoint. */
    public static final int START = -1;

    /** exp of the token loss. */
    public double perplexity() {
        return Math.exp(tokenLoss);
    }
}
