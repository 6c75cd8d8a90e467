package org.ewc4j.config;

import java.util.OptionalDouble;
import org.ewc4j.error.InvalidInputException;

/**
 * Key {@code ewc.lambda}: a number, or {@code auto} for one that a run chooses by trying several on its first two tasks.
 *
 * @param number λ; none: to be chosen
 */
public record LambdaSetting(OptionalDouble number) {
    /** To be chosen. */
    public static final LambdaSetting AUTO = new LambdaSetting(OptionalDouble.empty());

    static final String AUTO_NAME = "auto";

    public static LambdaSetting of(double lambda) {
        return new LambdaSetting(OptionalDouble.of(lambda));
    }

    public boolean isAuto() {
        return number.isEmpty();
    }

    /** @throws InvalidInputException where it is still to be chosen */
    double value() {
        return number.orElseThrow(
                () -> new InvalidInputException("ewc.lambda: auto: a λ is chosen on the first two tasks"
                        + " of a run (`ewc4j train`, ContinualRun); elsewhere give a number, such as 5000"));
    }

    /** As it stands in a configuration. */
    @Override
    public String toString() {
        return isAuto() ? AUTO_NAME : Double.toString(number.getAsDouble());
    }
}
