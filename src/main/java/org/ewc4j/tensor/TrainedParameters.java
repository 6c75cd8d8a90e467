package org.ewc4j.tensor;

import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.tensor.ParameterLayout.Parameter;

/**
 * Which parameters of a layout are trained. The others keep their bits: they have no gradient, no update, no decay and no
 * Fisher. Immutable and safe for any thread.
 */
public final class TrainedParameters {
    private final ParameterLayout layout;
    private final List<Parameter> parameters;
    private final Set<String> names = new HashSet<>();

    private TrainedParameters(ParameterLayout layout, List<Parameter> parameters) {
        this.layout = layout;
        this.parameters = List.copyOf(parameters);
        parameters.forEach(parameter -> names.add(parameter.name()));
    }

    public static TrainedParameters all(ParameterLayout layout) {
        return new TrainedParameters(layout, layout.parameters());
    }

    /**
     * All but those that a pattern matches.
     *
     * @param frozen of key {@code training.freeze}
     * @throws InvalidInputException where a pattern matches no parameter, or nothing is left to train
     */
    public static TrainedParameters without(List<NamePattern> frozen, ParameterLayout layout) {
        NamePattern.requireMatches("training.freeze", frozen, layout);
        TrainedParameters trained = new TrainedParameters(
                layout,
                layout.parameters().stream()
                        .filter(parameter -> frozen.stream().noneMatch(pattern -> pattern.matches(parameter.name())))
                        .toList());
        if (trained.parameters.isEmpty()) {
            throw new InvalidInputException(
                    "training.freeze: its patterns match every parameter, so that nothing is trained; leave some out");
        }
        return trained;
    }

    /** In the order of the layout. */
    public List<Parameter> parameters() {
        return parameters;
    }

    public boolean contains(String name) {
        return names.contains(name);
    }

    /** Whether none is frozen. */
    public boolean isAll() {
        return parameters.size() == layout.parameters().size();
    }

    /** Elements of all of them. */
    public long elements() {
        return parameters.stream().mapToLong(Parameter::elements).sum();
    }

    /** Where each stands among the layout's parameters. */
    public int[] indices() {
        List<Parameter> all = layout.parameters();
        return parameters.stream().mapToInt(all::indexOf).toArray();
    }

    /**
     * The number of each that the first matching pattern gives, otherwise 1.
     *
     * @param key where the patterns stand
     * @param numbers one for each pattern
     * @return one for each parameter of {@link #parameters}; null where there is no pattern
     * @throws InvalidInputException where a pattern matches no parameter of the model
     */
    public double[] byPattern(String key, List<NamePattern> patterns, double[] numbers) {
        NamePattern.requireMatches(key, patterns, layout);
        if (patterns.isEmpty()) {
            return null;
        }
        double[] result = new double[parameters.size()];
        Arrays.fill(result, 1);
        for (int i = 0; i < result.length; i++) {
            String name = parameters.get(i).name();
            for (int p = 0; p < numbers.length; p++) {
                if (patterns.get(p).matches(name)) {
                    result[i] = numbers[p];
                    break;
                }
            }
        }
        return result;
    }
}
