package org.ewc4j.data;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.Quoted;

/**
 * One row of a file of JSON Lines.
 *
 * @param location file and line, for messages
 * @param fields its object
 */
public record Row(String location, ObjectNode fields) {
    /** The field as text. A number or a truth value counts as its text, so that {@code "task": 0} and a year may be bare. */
    public String text(String field) {
        JsonNode value = fields.get(field);
        if (value == null) {
            throw new InvalidInputException(
                    location + ": field " + Quoted.of(field) + " is missing; the row has " + names());
        }
        if (value.isTextual() || value.isNumber() || value.isBoolean()) {
            return value.asText();
        }
        throw new InvalidInputException(location + ": field " + Quoted.of(field) + ": expected text or a number, got "
                + (value.isNull() ? "null" : value.isArray() ? "a list" : "an object"));
    }

    private String names() {
        List<String> names = new ArrayList<>();
        fields.fieldNames().forEachRemaining(name -> names.add(Quoted.of(name)));
        return names.isEmpty() ? "no field" : String.join(", ", names.subList(0, Math.min(names.size(), 12)));
    }
}
