package org.ewc4j.data;

import ai.djl.huggingface.tokenizers.Encoding;
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.RunFailedException;

/**
 * The tokenizer of a model directory ({@code tokenizer.json}), run by the Hugging Face tokenizers library through DJL.
 * Its own truncation and padding are switched off; nothing is downloaded. Whoever opens it closes it; between, any number
 * of threads may use it. Use after close throws {@link IllegalStateException}.
 */
public final class TextTokenizer implements AutoCloseable {
    private static final String TOKENIZER_FILE = "tokenizer.json";

    private final Path file;
    private final HuggingFaceTokenizer tokenizer;
    private final int vocabularySize;
    /** Readers use the native tokenizer, the writer frees it: a close waits for calls under way. */
    private final ReentrantReadWriteLock lock = new ReentrantReadWriteLock();

    private boolean closed;

    private TextTokenizer(Path file, HuggingFaceTokenizer tokenizer, int vocabularySize) {
        this.file = file;
        this.tokenizer = tokenizer;
        this.vocabularySize = vocabularySize;
    }

    /**
     * Loads {@code tokenizer.json}.
     *
     * @param modelDirectory a Hugging Face model directory
     * @throws InvalidInputException if the file is missing or not a tokenizer
     */
    public static TextTokenizer load(Path modelDirectory) {
        Path file = modelDirectory.resolve(TOKENIZER_FILE);
        if (!Files.isRegularFile(file)) {
            throw missing(modelDirectory, file);
        }
        TokenizerFile content = TokenizerFile.read(file);
        try {
            return new TextTokenizer(file, TokenizerLibrary.open(content.json()), content.vocabularySize());
        } catch (RunFailedException e) {
            throw e;
        } catch (RuntimeException e) {
            String reason = String.valueOf(e.getMessage()).lines().findFirst().orElse("");
            throw new InvalidInputException(file + ": is broken, the tokenizers library says: " + reason, e);
        }
    }

    private static InvalidInputException missing(Path directory, Path file) {
        if (!Files.isDirectory(directory)) {
            return new InvalidInputException(directory + ": no such folder; expected a Hugging Face model directory");
        }
        if (Files.exists(directory.resolve("tokenizer.model")) || Files.exists(directory.resolve("vocab.json"))) {
            return new InvalidInputException(file + ": missing; convert the tokenizer beside it by: python3 -c \"from "
                    + "transformers import AutoTokenizer; AutoTokenizer.from_pretrained('" + directory
                    + "', use_fast=True).save_pretrained('" + directory + "')\"");
        }
        return new InvalidInputException(file + ": missing; a model directory needs its tokenizer.json");
    }

    /**
     * Ids of a prompt: with the special tokens that the tokenizer puts before a text (a BOS, say), without those that it
     * puts behind one, since an answer follows.
     */
    public int[] encodePrompt(String text) {
        Encoding encoding = encoding(text, true);
        long[] special = encoding.getSpecialTokenMask();
        int length = special.length;
        while (length > 0 && special[length - 1] != 0) {
            length--;
        }
        return ints(encoding.getIds(), length);
    }

    /** Ids of a text in the middle of a row: no special token added. */
    public int[] encode(String text) {
        long[] ids = encoding(text, false).getIds();
        return ints(ids, ids.length);
    }

    /** The text of ids, special tokens skipped. */
    public String decode(int... ids) {
        return decode(ids, true);
    }

    /** The text of one id, for showing; a special token by its name, part of a character as U+FFFD. */
    public String decodeToken(int id) {
        return decode(new int[] {id}, false);
    }

    /** Whether the id decodes to nothing because it is a special token. */
    public boolean isSpecial(int id) {
        return decode(id).isEmpty() && !decodeToken(id).isEmpty();
    }

    /** One more than the highest id that the tokenizer can give out, added tokens included. */
    public int vocabularySize() {
        return vocabularySize;
    }

    /** @throws InvalidInputException if an id of this tokenizer would lie beyond the model's embeddings */
    public void requireFits(int modelVocabularySize) {
        if (vocabularySize > modelVocabularySize) {
            throw new InvalidInputException(file + ": its highest token id is " + (vocabularySize - 1)
                    + ", but the model has embeddings for ids 0 to " + (modelVocabularySize - 1)
                    + " only (vocab_size in config.json); put the tokenizer there that the model was trained with");
        }
    }

    private Encoding encoding(String text, boolean specialTokens) {
        lock.readLock().lock();
        try {
            requireOpen();
            return tokenizer.encode(text, specialTokens, false);
        } finally {
            lock.readLock().unlock();
        }
    }

    private String decode(int[] ids, boolean skipSpecialTokens) {
        long[] longs = new long[ids.length];
        for (int i = 0; i < ids.length; i++) {
            longs[i] = ids[i];
        }
        lock.readLock().lock();
        try {
            requireOpen();
            return tokenizer.decode(longs, skipSpecialTokens);
        } finally {
            lock.readLock().unlock();
        }
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException("the tokenizer of " + file + " is closed");
        }
    }

    private static int[] ints(long[] ids, int length) {
        int[] result = new int[length];
        for (int i = 0; i < length; i++) {
            result[i] = Math.toIntExact(ids[i]);
        }
        return result;
    }

    @Override
    public void close() {
        lock.writeLock().lock();
        try {
            if (!closed) {
                closed = true;
                tokenizer.close();
            }
        } finally {
            lock.writeLock().unlock();
        }
    }
}
