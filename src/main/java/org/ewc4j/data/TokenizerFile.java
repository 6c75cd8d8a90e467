package org.ewc4j.data;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParseException;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonStreamContext;
import com.fasterxml.jackson.core.JsonToken;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.JsonFile;

/**
 * A {@code tokenizer.json} as it is handed to the tokenizers library: truncation and padding, which a training script may
 * have left in it, set to null; and the size of its vocabulary, which the library does not tell. One streaming pass, as
 * these files reach tens of megabytes.
 *
 * @param json the file's text in UTF-8
 * @param vocabularySize the highest id in the vocabulary and the added tokens, plus one
 */
record TokenizerFile(byte[] json, int vocabularySize) {
    /** Less than the library's own limit, 128. */
    private static final int MAX_DEPTH = 100;

    static TokenizerFile read(Path file) {
        try {
            byte[] source = Files.readAllBytes(file);
            ByteArrayOutputStream copy = new ByteArrayOutputStream(source.length);
            JsonFactory json = new JsonFactory();
            try (JsonParser parser = json.createParser(source);
                    JsonGenerator generator = json.createGenerator(copy)) {
                int highest = new Pass(parser, generator).run();
                generator.flush();
                if (highest < 0) {
                    throw new InvalidInputException(file + ": is broken: it has no model.vocab with token ids");
                }
                return new TokenizerFile(copy.toByteArray(), highest + 1);
            }
        } catch (JsonProcessingException e) {
            String line = e.getLocation() == null ? "" : ":" + e.getLocation().getLineNr();
            throw new InvalidInputException(file + line + ": is broken: malformed JSON: " + JsonFile.reason(e), e);
        } catch (IOException e) {
            throw new InvalidInputException(file + ": cannot be read: " + e.getMessage(), e);
        }
    }

    /** Copies event by event and looks at ids on the way. */
    private static final class Pass {
        private final JsonParser parser;
        private final JsonGenerator generator;
        private int highest = -1;

        Pass(JsonParser parser, JsonGenerator generator) {
            this.parser = parser;
            this.generator = generator;
        }

        /**
         * Copies an event, unless it is one at which the library would not fail in order: its JSON reader takes less than
         * Jackson, and in some places, within {@code decoder} say, its error is a panic, which ends the process.
         */
        private void copy() throws IOException {
            switch (parser.currentToken()) {
                case FIELD_NAME, VALUE_STRING -> requireWholeCharacters();
                case VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT -> requireNumber();
                case START_OBJECT, START_ARRAY -> requireShallow();
                default -> {}
            }
            generator.copyCurrentEvent(parser);
        }

        private void copyStructure() throws IOException {
            int depth = 0;
            while (true) {
                copy();
                depth += parser.currentToken().isStructStart()
                        ? 1
                        : parser.currentToken().isStructEnd() ? -1 : 0;
                if (depth == 0) {
                    return;
                }
                parser.nextToken(); // throws where the file ends within
            }
        }

        private void requireWholeCharacters() throws IOException {
            String text = parser.getText();
            for (int i = 0; i < text.length(); i++) {
                if (Character.isHighSurrogate(text.charAt(i))
                        && i + 1 < text.length()
                        && Character.isLowSurrogate(text.charAt(i + 1))) {
                    i++;
                } else if (Character.isSurrogate(text.charAt(i))) {
                    throw new JsonParseException(parser, "a text holds half of a surrogate pair");
                }
            }
        }

        private void requireNumber() throws IOException {
            boolean fits = parser.currentToken() == JsonToken.VALUE_NUMBER_INT
                    ? parser.getNumberType() != JsonParser.NumberType.BIG_INTEGER
                    : Double.isFinite(parser.getDoubleValue());
            if (!fits) {
                throw new JsonParseException(parser, "a number is beyond 64 bits");
            }
        }

        private void requireShallow() throws IOException {
            if (parser.getParsingContext().getNestingDepth() > MAX_DEPTH) {
                throw new JsonParseException(parser, "nested deeper than " + MAX_DEPTH);
            }
        }

        int run() throws IOException {
            JsonToken token = parser.nextToken();
            while (token != null) {
                copy();
                if (token == JsonToken.FIELD_NAME) {
                    field(parser.getParsingContext());
                }
                token = parser.nextToken();
            }
            return highest;
        }

        /** Looks at names on the way up, not at a path: making one for each key would cost its length each time. */
        private void field(JsonStreamContext object) throws IOException {
            String name = object.getCurrentName();
            JsonStreamContext parent = object.getParent();
            if (parent.inRoot() && (name.equals("truncation") || name.equals("padding"))) {
                parser.nextToken();
                parser.skipChildren();
                generator.writeNull();
            } else if (name.equals("vocab") && isWithin(parent, "model")) {
                vocabulary();
            } else if (name.equals("id") && parent.inArray() && isWithin(parent.getParent(), "added_tokens")) {
                id(parser.nextToken());
            }
        }

        /** Whether that is the outermost object, within its field of this name. */
        private static boolean isWithin(JsonStreamContext object, String field) {
            return object.inObject() && object.getParent().inRoot() && field.equals(object.getCurrentName());
        }

        /** An object from token to id, or (Unigram) a list of [token, score] whose index is the id. */
        private void vocabulary() throws IOException {
            JsonToken token = parser.nextToken();
            copy();
            boolean list = token == JsonToken.START_ARRAY;
            if (!list && token != JsonToken.START_OBJECT) {
                return;
            }
            int index = 0;
            for (token = parser.nextToken();
                    token != JsonToken.END_ARRAY && token != JsonToken.END_OBJECT && token != null; ) {
                if (list) {
                    copyStructure();
                    highest = Math.max(highest, index++);
                } else if (token == JsonToken.VALUE_NUMBER_INT) {
                    id(token);
                } else {
                    copy();
                }
                token = parser.nextToken();
            }
            if (token != null) {
                copy();
            }
        }

        private void id(JsonToken token) throws IOException {
            if (token == JsonToken.VALUE_NUMBER_INT) {
                highest = Math.max(highest, parser.getIntValue());
            }
            copy();
        }
    }
}
