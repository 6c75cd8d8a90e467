package org.ewc4j.data;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.ewc4j.error.InvalidInputException;

/**
 * A {@code tokenizer.json} as it is handed to the tokenizers library: truncation and padding, which a training script may
 * have left in it, set to null; and the size of its vocabulary, which the library does not tell. One streaming pass, as
 * these files reach tens of megabytes.
 *
 * @param json the file's text in UTF-8
 * @param vocabularySize the highest id in the vocabulary and the added tokens, plus one
 */
record TokenizerFile(byte[] json, int vocabularySize) {
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
            throw new InvalidInputException(file + line + ": is broken: malformed JSON: " + JsonLines.reason(e), e);
        } catch (IOException e) {
            throw new InvalidInputException(file + ": cannot be read: " + e.getMessage(), e);
        }
    }

    /** Copies event by event and looks at ids on the way. */
    private static final class Pass {
        /** That of /added_tokens/N/id. */
        private static final int DEEPEST_KEY = 3;

        private final JsonParser parser;
        private final JsonGenerator generator;
        private int highest = -1;

        Pass(JsonParser parser, JsonGenerator generator) {
            this.parser = parser;
            this.generator = generator;
        }

        int run() throws IOException {
            JsonToken token = parser.nextToken();
            while (token != null) {
                generator.copyCurrentEvent(parser);
                // No key of interest lies deeper, and making a path costs its length: of a text that is all depth, its
                // square.
                if (token == JsonToken.FIELD_NAME && parser.getParsingContext().getNestingDepth() <= DEEPEST_KEY) {
                    field(parser.getParsingContext().pathAsPointer().toString());
                }
                token = parser.nextToken();
            }
            return highest;
        }

        private void field(String pointer) throws IOException {
            if (pointer.equals("/truncation") || pointer.equals("/padding")) {
                parser.nextToken();
                parser.skipChildren();
                generator.writeNull();
            } else if (pointer.equals("/model/vocab")) {
                vocabulary();
            } else if (pointer.startsWith("/added_tokens/") && pointer.endsWith("/id")) {
                id(parser.nextToken());
            }
        }

        /** An object from token to id, or (Unigram) a list of [token, score] whose index is the id. */
        private void vocabulary() throws IOException {
            JsonToken token = parser.nextToken();
            generator.copyCurrentEvent(parser);
            boolean list = token == JsonToken.START_ARRAY;
            if (!list && token != JsonToken.START_OBJECT) {
                return;
            }
            int index = 0;
            for (token = parser.nextToken();
                    token != JsonToken.END_ARRAY && token != JsonToken.END_OBJECT && token != null; ) {
                if (list) {
                    generator.copyCurrentStructure(parser);
                    highest = Math.max(highest, index++);
                } else if (token == JsonToken.VALUE_NUMBER_INT) {
                    id(token);
                } else {
                    generator.copyCurrentEvent(parser);
                }
                token = parser.nextToken();
            }
            if (token != null) {
                generator.copyCurrentEvent(parser);
            }
        }

        private void id(JsonToken token) throws IOException {
            if (token == JsonToken.VALUE_NUMBER_INT) {
                highest = Math.max(highest, parser.getIntValue());
            }
            generator.copyCurrentEvent(parser);
        }
    }
}
