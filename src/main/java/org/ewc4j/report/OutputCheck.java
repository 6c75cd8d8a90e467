package org.ewc4j.report;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Arrays;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.ewc4j.checkpoint.FolderLock;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.RunFailedException;

/**
 * Whether a folder may take a run, and the removal of the run that was there. A folder counts as an ewc4j run when its
 * config.yaml opens with our marker; only files by the names that a run gives are ever removed, and one other file
 * anywhere in it, or a link, makes the whole folder untouchable.
 */
final class OutputCheck {
    /** The start of the first line of a run's config.yaml. */
    static final String MARKER = "# ewc4j-run ";

    private static final String RUN_FILE =
            "config\\.yaml|steps\\.jsonl|predictions\\.jsonl|results\\.json|report\\.html";
    private static final String MODEL_FILE =
            "model(-\\d{5}-of-\\d{5})?\\.safetensors|model\\.safetensors\\.index\\.json"
                    + "|(config|generation_config|tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab)\\.json"
                    + "|merges\\.txt|tokenizer\\.model|chat_template\\.(jinja|json)";
    private static final String STATE_FILE = "[a-z_]+\\.(safetensors|json)";
    private static final String TASK = "task-\\d{2,}";
    private static final String CHECKPOINTS = "(checkpoints|\\.checkpoints\\.removed)";

    /** Paths in a run's folder, with / between names; each file also as its hidden temporary. */
    private static final Pattern OWN_FILE = Pattern.compile(file("", RUN_FILE)
            + "|" + file("(" + TASK + "/)?model/", MODEL_FILE)
            + "|" + file(TASK + "/consolidation/", STATE_FILE)
            + "|" + file(CHECKPOINTS + "(/kept|/\\.?checkpoint-\\d+(\\.tmp)?)/", "[a-z_]+(-\\d+)?\\.(safetensors|json)")
            + "|\\.ewc4j-\\d+\\.(tmp|map)" // of requireWritable and of a mapped anchor, left by a kill
            + "|\\" + FolderLock.FILE);

    private static final Pattern OWN_FOLDER = Pattern.compile(
            "|model|" + TASK + "(/model|/consolidation)?|" + CHECKPOINTS + "(/kept|/\\.?checkpoint-\\d+(\\.tmp)?)?");

    private OutputCheck() {}

    private static String file(String folder, String names) {
        return folder + "((" + names + ")|\\.(" + names + ")\\.(tmp|partial))";
    }

    static void check(Path folder, boolean overwrite) {
        if (Files.exists(folder) && !Files.isDirectory(folder)) {
            throw new InvalidInputException("output " + folder + " is a file; give a folder by output: or --output");
        }
        FolderLock.requireFree(folder);
        requireRoom(folder, overwrite);
        requireWritable(folder);
    }

    /** That nothing is in it, or a run that is to be replaced. */
    static void requireRoom(Path folder, boolean overwrite) {
        if (!Files.exists(folder) || isEmpty(folder)) {
            return;
        }
        if (!overwrite) {
            throw new InvalidInputException("output " + folder + " is not empty; give another folder, or"
                    + (hasMarker(folder.resolve("config.yaml"))
                            ? " --resume to go on with the ewc4j run in it, or"
                            : "")
                    + " --overwrite to replace the ewc4j run in it");
        }
        requireRun(folder);
    }

    private static boolean isEmpty(Path folder) {
        try (Stream<Path> entries = Files.list(folder)) {
            return entries.allMatch(entry -> entry.endsWith(FolderLock.FILE));
        } catch (IOException e) {
            throw new InvalidInputException("output " + folder + " cannot be read; give another folder", e);
        }
    }

    private static void requireRun(Path folder) {
        if (!hasMarker(folder.resolve("config.yaml"))) {
            throw new InvalidInputException("output " + folder
                    + " is not empty and not an ewc4j run (no config.yaml written by one), so --overwrite leaves it"
                    + " alone; give another folder");
        }
        firstForeign(folder).ifPresent(foreign -> {
            throw new InvalidInputException(
                    "output " + folder + " holds " + folder.relativize(foreign)
                            + ", which no ewc4j run made, so --overwrite leaves it alone; move that away or give another folder");
        });
    }

    static boolean hasMarker(Path configuration) {
        if (!Files.isRegularFile(configuration, LinkOption.NOFOLLOW_LINKS)) {
            return false;
        }
        byte[] marker = MARKER.getBytes(StandardCharsets.UTF_8);
        try (InputStream file = Files.newInputStream(configuration)) {
            return Arrays.equals(file.readNBytes(marker.length), marker);
        } catch (IOException e) {
            throw new InvalidInputException(configuration + " cannot be read: " + e.getMessage(), e);
        }
    }

    private static Optional<Path> firstForeign(Path folder) {
        // The folder itself may be a link; what is in it may not.
        try (Stream<Path> entries = Files.walk(folder.toRealPath())) {
            Path root = folder.toRealPath();
            return entries.filter(entry -> !isOwn(root, entry))
                    .sorted()
                    .findFirst()
                    .map(entry -> folder.resolve(root.relativize(entry)));
        } catch (IOException | UncheckedIOException e) {
            throw new InvalidInputException("output " + folder + " cannot be read: " + e.getMessage(), e);
        }
    }

    private static boolean isOwn(Path root, Path entry) {
        String relative = root.relativize(entry).toString().replace('\\', '/');
        if (Files.isDirectory(entry, LinkOption.NOFOLLOW_LINKS)) {
            return OWN_FOLDER.matcher(relative).matches();
        }
        return Files.isRegularFile(entry, LinkOption.NOFOLLOW_LINKS)
                && OWN_FILE.matcher(relative).matches();
    }

    /** Tries it, in the folder or in the nearest one above that exists: permission bits do not tell of a read-only disk. */
    private static void requireWritable(Path folder) {
        Path existing = folder.toAbsolutePath().normalize();
        while (existing != null && !Files.exists(existing)) {
            existing = existing.getParent();
        }
        try {
            if (existing == null || !Files.isDirectory(existing)) {
                throw new IOException(existing + " is not a folder");
            }
            Files.delete(Files.createTempFile(existing, ".ewc4j-", ".tmp"));
        } catch (IOException e) {
            throw new InvalidInputException(
                    "output " + folder + " cannot be written; give a folder that may be written by output: or --output",
                    e);
        }
    }

    /**
     * Removes the run in {@code folder}: what says that it has ended first, its marker last, so that a removal cut short
     * leaves what can be taken up again and passes for no run that ended.
     */
    static void removeRun(Path folder) {
        requireRun(folder);
        Path marker = folder.resolve("config.yaml");
        try (Stream<Path> entries = Files.list(folder)) {
            Files.deleteIfExists(folder.resolve(RunFolder.RESULTS));
            for (Path entry : entries.filter(e -> !e.equals(marker) && !e.endsWith(FolderLock.FILE))
                    .toList()) {
                Files.walkFileTree(entry, new Deletion());
            }
            Files.deleteIfExists(marker);
        } catch (IOException e) {
            throw new RunFailedException(
                    "output " + folder + ": the run in it cannot be removed: " + e.getMessage(), e);
        }
    }

    private static final class Deletion extends SimpleFileVisitor<Path> {
        @Override
        public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
            Files.delete(file);
            return FileVisitResult.CONTINUE;
        }

        @Override
        public FileVisitResult postVisitDirectory(Path folder, IOException failure) throws IOException {
            Files.delete(folder);
            return FileVisitResult.CONTINUE;
        }
    }
}
