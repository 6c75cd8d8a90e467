package org.ewc4j.jfr;

/** An event that has begun and ends when it is closed. Used by the thread that began it. */
public class FlightSpan implements AutoCloseable {
    /** Of what nobody records. */
    public static final FlightSpan OFF = new FlightSpan();

    FlightSpan() {}

    /** How many bytes were written, where the event tells of that. */
    public void bytes(long written) {}

    /** Ends the event; of one that nobody records, does nothing. */
    @Override
    public void close() {}
}
