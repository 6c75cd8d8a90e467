package org.ewc4j.data;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.ewc4j.error.RunFailedException;

/**
 * The tokenizers library as a guest in somebody else's process. DJL takes its settings from system properties: they stand there
 * only while a tokenizer is made. Its native library has one place on the disk, and a file can be loaded by one class loader of a
 * process: the second loader that has ewc4j gets a copy.
 */
final class TokenizerLibrary {
    /** With a GPU present DJL would fetch another native library, and on some clouds it reports its start: neither is wanted. */
    private static final Map<String, String> SETTINGS =
            Map.of("RUST_FLAVOR", "cpu", "ai.djl.offline", "true", "OPT_OUT_TRACKING", "true");

    private static final String CACHE = "ENGINE_CACHE_DIR";

    /** What class loaders can tell each other by: a property of the process, which stays. */
    private static final String LOADED = "org.ewc4j.tokenizers.loaded";

    /** The same object for all class loaders, as texts of the constant pool are. */
    private static final Object PROCESS = (TokenizerLibrary.class.getName() + ".process").intern();

    private static boolean loaded;

    private TokenizerLibrary() {}

    /**
     * A tokenizer out of a tokenizer.json, without truncation and padding.
     *
     * @throws RunFailedException where the native library cannot be loaded
     * @throws RuntimeException as the library refuses the text
     */
    static HuggingFaceTokenizer open(byte[] json) {
        synchronized (PROCESS) {
            Path copy = !loaded && System.getProperty(LOADED) != null ? newFolder() : null;
            Map<String, String> before = new HashMap<>();
            SETTINGS.forEach((name, value) -> before.put(name, set(name, orGiven(name, value))));
            if (copy != null) {
                before.put(CACHE, set(CACHE, copy.toString()));
            }
            try {
                // DJL truncates to 512 tokens unless told not to, even where tokenizer.json asks for nothing.
                Map<String, String> options = Map.of("truncation", "false", "padding", "false");
                HuggingFaceTokenizer tokenizer =
                        HuggingFaceTokenizer.newInstance(new ByteArrayInputStream(json), options);
                loaded = true;
                System.setProperty(LOADED, "true");
                return tokenizer;
            } catch (IOException | LinkageError e) {
                throw notLoaded(e);
            } catch (RuntimeException e) {
                if (String.valueOf(e.getMessage()).contains("native library")) {
                    throw notLoaded(e);
                }
                throw e;
            } finally {
                before.forEach(TokenizerLibrary::set);
                remove(copy);
            }
        }
    }

    private static RunFailedException notLoaded(Throwable failure) {
        return new RunFailedException(
                "the tokenizers library could not be loaded: " + failure.getMessage()
                        + "; it is unpacked into .djl.ai of the home or the temporary folder, one of which must be writable,"
                        + " or another folder be given by the environment variable DJL_CACHE_DIR",
                failure);
    }

    private static String orGiven(String name, String value) {
        return System.getProperty(name) == null ? value : System.getProperty(name);
    }

    /** Sets a property, or with null clears it; what it was before. */
    private static String set(String name, String value) {
        return value == null ? System.clearProperty(name) : System.setProperty(name, value);
    }

    private static Path newFolder() {
        try {
            return Files.createTempDirectory("ewc4j-tokenizers");
        } catch (IOException e) {
            throw new RunFailedException(
                    "the tokenizers library could not be loaded: no folder for a second copy of it: " + e.getMessage(),
                    e);
        }
    }

    /** Once loaded, the library lives without its file. */
    private static void remove(Path folder) {
        if (folder == null) {
            return;
        }
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(file);
            }
        } catch (IOException e) {
            // It lies where temporary files do, and is cleared away with them.
        }
    }
}
