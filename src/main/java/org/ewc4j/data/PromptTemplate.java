package org.ewc4j.data;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.Quoted;

/**
 * What the model reads before it answers, with fields of the row in braces: {@code Question: {question}\n Short Answer:}.
 * <code>{question}</code> is always the question of the split (whatever its field is called), any other
 * <code>{field}</code> the row's field of that name; <code>{{</code> and <code>}}</code> stand for the braces themselves.
 * Immutable.
 */
public final class PromptTemplate {
    static final String QUESTION = "question";

    private record Part(String text, boolean field) {}

    private final String source;
    private final List<Part> parts;

    private PromptTemplate(String source, List<Part> parts) {
        this.source = source;
        this.parts = List.copyOf(parts);
    }

    /** @throws InvalidInputException if braces do not match, a field has no name, or there is no field at all */
    public static PromptTemplate parse(String template) {
        List<Part> parts = new ArrayList<>();
        StringBuilder text = new StringBuilder();
        int i = 0;
        while (i < template.length()) {
            char c = template.charAt(i);
            if ((c == '{' || c == '}') && i + 1 < template.length() && template.charAt(i + 1) == c) {
                text.append(c);
                i += 2;
            } else if (c == '{') {
                int end = template.indexOf('}', i);
                String name = end < 0 ? "" : template.substring(i + 1, end);
                if (name.isBlank() || name.indexOf('{') >= 0) {
                    throw refused(template, "has a { without a field name and } behind it; write {{ for a brace");
                }
                parts.add(new Part(text.toString(), false));
                parts.add(new Part(name, true));
                text.setLength(0);
                i = end + 1;
            } else if (c == '}') {
                throw refused(template, "has a } without a {; write }} for a brace");
            } else {
                text.append(c);
                i++;
            }
        }
        if (parts.isEmpty()) {
            throw refused(template, "has no {field}, so every prompt would be the same; put {question} in it");
        }
        parts.add(new Part(text.toString(), false));
        return new PromptTemplate(template, parts);
    }

    private static InvalidInputException refused(String template, String why) {
        return new InvalidInputException("prompt: the template " + Quoted.of(template) + " " + why);
    }

    /** The fields it names. */
    public Set<String> fields() {
        Set<String> fields = new TreeSet<>();
        parts.stream().filter(Part::field).map(Part::text).forEach(fields::add);
        return fields;
    }

    /** The prompt for a question of which nothing else is known; other fields than {@code question} are refused. */
    public String render(String question) {
        return render(question, field -> {
            throw refused(source, "names {" + field + "}, but only a question was given");
        });
    }

    /**
     * The prompt of a row.
     *
     * @param question value of <code>{question}</code>
     * @param otherField value of any other field; throws where the row has none of that name
     */
    public String render(String question, Function<String, String> otherField) {
        StringBuilder prompt = new StringBuilder();
        for (Part part : parts) {
            if (!part.field()) {
                prompt.append(part.text());
            } else if (part.text().equals(QUESTION)) {
                prompt.append(question);
            } else {
                prompt.append(otherField.apply(part.text()));
            }
        }
        return prompt.toString();
    }

    @Override
    public String toString() {
        return source;
    }
}
