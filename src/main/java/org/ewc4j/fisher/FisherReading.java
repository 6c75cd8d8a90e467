package org.ewc4j.fisher;

/**
 * How far a Fisher pass has come: what its arena holds.
 *
 * @param examples read, in whole batches
 * @param tokenLosses Σ of their token losses under the labels of the data, in nats
 */
public record FisherReading(int examples, double tokenLosses) {
    /** At the begin. */
    public static final FisherReading NONE = new FisherReading(0, 0);
}
