package org.ewc4j.config;

import org.ewc4j.error.InvalidInputException;
import org.ewc4j.tensor.NamePattern;

/**
 * An entry of {@code ewc.groups}: parameters whose λ has a factor of its own. A value out of its range is an {@code
 * InvalidInputException} that names the key.
 *
 * @param pattern which names it means
 * @param lambdaFactor by which λ is multiplied for them, 0 or more; 0: they are not held at all
 */
public record ParameterGroup(NamePattern pattern, double lambdaFactor) {
    public ParameterGroup {
        if (!SettingType.LAMBDA_FACTOR.accepts(lambdaFactor)) {
            throw new InvalidInputException("ewc.groups.lambda_factor: expected " + SettingType.LAMBDA_FACTOR.expected()
                    + ", got " + lambdaFactor);
        }
    }

    public static ParameterGroup of(String pattern, double lambdaFactor) {
        return new ParameterGroup(new NamePattern(pattern), lambdaFactor);
    }
}
