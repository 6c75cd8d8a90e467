package org.ewc4j.checkpoint;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.RunFailedException;
import org.ewc4j.jfr.FlightEvents;
import org.ewc4j.jfr.FlightSpan;
import org.ewc4j.tensor.Arena;
import org.ewc4j.tensor.ArenaFile;
import org.ewc4j.tensor.AtomicFile;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The checkpoints of a run: {@code checkpoint-000001/}, {@code checkpoint-000002/}, … each a {@link StateFolder}, and
 * {@code kept/} with what several of them share. A checkpoint is written under a hidden name, forced to the disk and renamed;
 * then those beyond the newest few are removed.
 *
 * <p>{@link #save} copies what changes and returns; the copy is written on a thread of this store's own while training goes on.
 * One write is under way at most: the next save waits for it. Used by one thread at a time; whoever opens it closes it, while
 * the folder is locked ({@link FolderLock}).
 */
public final class CheckpointStore implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(CheckpointStore.class);
    private static final Pattern NAME = Pattern.compile("checkpoint-(\\d{6,18})");
    private static final String KEPT = "kept";

    private final Path folder;
    private final int keep;
    private final Map<String, StateFolder.Reference> written = new HashMap<>();
    private final Set<Long> damaged = new HashSet<>();
    private long last;
    private BackgroundTask underWay; // null where there is none

    /**
     * @param folder made when the first checkpoint is written
     * @param keep how many checkpoints are kept, at least 1
     * @throws InvalidInputException where the folder cannot be read
     */
    public CheckpointStore(Path folder, int keep) {
        this.folder = folder;
        this.keep = keep;
        this.last = numbers().stream().max(Comparator.naturalOrder()).orElse(0L);
    }

    /** Whether there is a checkpoint, whole or not. */
    public boolean isEmpty() {
        return last == 0;
    }

    private List<Long> numbers() {
        if (!Files.isDirectory(folder)) {
            return List.of();
        }
        try (Stream<Path> entries = Files.list(folder)) {
            return entries.map(entry -> NAME.matcher(entry.getFileName().toString()))
                    .filter(Matcher::matches)
                    .map(matcher -> Long.parseLong(matcher.group(1)))
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw new InvalidInputException(folder + ": cannot be read: " + e.getMessage(), e);
        }
    }

    private Path path(long number) {
        return folder.resolve(String.format(Locale.ROOT, "checkpoint-%06d", number));
    }

    /**
     * The newest checkpoint that is whole, and that {@code accept} does not refuse.
     *
     * @param accept looks closer; throws an InvalidInputException for one that is no good
     * @param refused told of each newer one that is not whole, with the reason; the next write removes it
     */
    public Optional<StateFolder> newestWhole(Consumer<StateFolder> accept, Consumer<String> refused) {
        List<Long> numbers = numbers();
        for (int i = numbers.size() - 1; i >= 0; i--) {
            try {
                StateFolder found = StateFolder.open(path(numbers.get(i)));
                accept.accept(found);
                found.files().forEach((name, reference) -> {
                    if (reference.file().startsWith("../")) {
                        written.put(reference.file(), reference);
                    }
                });
                return Optional.of(found);
            } catch (InvalidInputException e) {
                damaged.add(numbers.get(i));
                refused.accept(e.getMessage());
            }
        }
        return Optional.empty();
    }

    /**
     * Takes a state as it is now, and has it written while the caller goes on. Waits where the one before is still being
     * written; and where there is no memory for a copy of what changes, until this one is.
     *
     * @param state what is small
     * @param arenas those with a revision must stay as they are until {@link #await} returns
     * @param first done on the writing thread before the checkpoint becomes visible
     * @throws RunFailedException where the one before could not be written
     */
    public void save(ObjectNode state, List<KeptArena> arenas, Runnable first) {
        await();
        List<Arena> copies = new ArrayList<>();
        List<KeptArena> taken = arenas;
        boolean copied = true;
        try {
            taken = copied(arenas, copies);
        } catch (RunFailedException e) {
            copies.forEach(Arena::close);
            copies.clear();
            if (arenas.stream().anyMatch(kept -> kept.arena().device().isCuda())) {
                throw e;
            }
            LOG.warn("training waits for this checkpoint to be written: {}", e.getMessage());
            copied = false;
        }
        List<KeptArena> content = taken;
        underWay = BackgroundTask.start("ewc4j-checkpoint", () -> {
            try {
                first.run();
                write(state, content);
            } finally {
                copies.forEach(Arena::close);
            }
        });
        if (!copied) {
            await();
        }
    }

    private List<KeptArena> copied(List<KeptArena> arenas, List<Arena> copies) {
        List<KeptArena> taken = new ArrayList<>();
        for (KeptArena kept : arenas) {
            boolean stays =
                    kept.revision().isPresent() && !kept.arena().device().isCuda();
            if (stays || written.containsKey(keptFile(kept))) {
                taken.add(kept);
            } else {
                Arena copy = kept.arena().hostCopy();
                copies.add(copy);
                taken.add(new KeptArena(kept.name(), copy, kept.revision()));
            }
        }
        return taken;
    }

    /**
     * Waits until nothing is being written.
     *
     * @throws RunFailedException where it could not be written; the checkpoints before stand
     */
    public void await() {
        if (underWay != null) {
            BackgroundTask task = underWay;
            underWay = null;
            task.await();
        }
    }

    /**
     * Without waiting.
     *
     * @throws RunFailedException where the last write has ended, and failed
     */
    public void requireWritten() {
        if (underWay != null && underWay.isDone()) {
            await();
        }
    }

    private static String keptFile(KeptArena kept) {
        return kept.revision().isEmpty()
                ? ""
                : "../" + KEPT + "/" + kept.name() + "-" + kept.revision().getAsLong() + ".safetensors";
    }

    private void write(ObjectNode state, List<KeptArena> arenas) {
        long number = last + 1;
        Path target = path(number);
        Path hidden = hidden(target);
        try (FlightSpan event = FlightEvents.checkpoint("run state", target)) {
            AtomicFile.createFolders(folder);
            // Of the rows' files too, which may be new.
            AtomicFile.forceFolder(folder.toAbsolutePath().getParent());
            StateFolder.removeFolder(hidden);
            Files.createDirectory(hidden);
            List<KeptArena> own = new ArrayList<>();
            Map<String, StateFolder.Reference> shared = new HashMap<>();
            for (KeptArena kept : arenas) {
                if (kept.revision().isPresent()) {
                    shared.put(kept.name(), keep(kept));
                } else {
                    own.add(kept);
                }
            }
            StateFolder.write(hidden, state, own, shared);
            Files.move(hidden, target, StandardCopyOption.ATOMIC_MOVE);
            AtomicFile.forceFolder(folder);
            last = number;
            event.bytes(arenas.stream().mapToLong(kept -> kept.arena().bytes()).sum());
            removeOld();
        } catch (IOException e) {
            StateFolder.removeQuietly(hidden);
            RunFailedException reason = AtomicFile.cannotWrite(target, e);
            throw new RunFailedException(reason.getMessage() + "; the checkpoints before stand", e);
        } catch (RuntimeException e) {
            StateFolder.removeQuietly(hidden);
            throw e;
        }
    }

    /** Writes what checkpoints share, once. */
    private StateFolder.Reference keep(KeptArena kept) throws IOException {
        String name = keptFile(kept);
        StateFolder.Reference known = written.get(name);
        if (known != null) {
            return known;
        }
        Path file = folder.resolve("checkpoint").resolve(name).normalize();
        Path hidden = file.resolveSibling("." + file.getFileName() + ".tmp");
        AtomicFile.createFolders(file.getParent());
        try {
            StateFolder.Reference reference = new StateFolder.Reference(name, ArenaFile.write(hidden, kept.arena()));
            Files.move(hidden, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            AtomicFile.forceFolder(file.getParent());
            written.put(name, reference);
            return reference;
        } finally {
            Files.deleteIfExists(hidden);
        }
    }

    private void removeOld() throws IOException {
        List<Long> whole =
                numbers().stream().filter(number -> !damaged.contains(number)).toList();
        List<Long> old = new ArrayList<>(whole.subList(0, Math.max(0, whole.size() - keep)));
        old.addAll(damaged);
        for (Long number : old) {
            // Renamed first: a removal that is cut short leaves nothing that looks like a checkpoint.
            Path hidden = hidden(path(number));
            StateFolder.removeFolder(hidden);
            if (Files.exists(path(number))) {
                Files.move(path(number), hidden, StandardCopyOption.ATOMIC_MOVE);
            }
        }
        damaged.clear();
        for (Path entry : StateFolder.list(folder)) {
            if (entry.getFileName().toString().startsWith(".")) {
                StateFolder.removeFolder(entry);
            }
        }
        removeUnshared();
    }

    private void removeUnshared() throws IOException {
        Set<String> needed = new HashSet<>();
        numbers().forEach(number -> needed.addAll(StateFolder.sharedBy(path(number))));
        Path kept = folder.resolve(KEPT);
        if (Files.isDirectory(kept)) {
            for (Path file : StateFolder.list(kept)) {
                String name = "../" + KEPT + "/" + file.getFileName();
                if (!needed.contains(name)) {
                    written.remove(name);
                    Files.deleteIfExists(file);
                }
            }
        }
    }

    private Path hidden(Path checkpoint) {
        return folder.resolve("." + checkpoint.getFileName() + ".tmp");
    }

    /**
     * Removes all checkpoints, as when the run has ended.
     *
     * @throws RunFailedException where one cannot be removed
     */
    public void removeAll() {
        await();
        // Renamed first: a removal that is cut short leaves nothing that looks like checkpoints.
        Path hidden = folder.resolveSibling("." + folder.getFileName() + ".removed");
        try {
            removeTree(hidden);
            if (Files.isDirectory(folder)) {
                Files.move(folder, hidden, StandardCopyOption.ATOMIC_MOVE);
                removeTree(hidden);
            }
        } catch (IOException e) {
            throw new RunFailedException(folder + ": cannot be removed: " + e.getMessage(), e);
        }
        written.clear();
        last = 0;
    }

    private static void removeTree(Path path) throws IOException {
        if (Files.isDirectory(path)) {
            for (Path entry : StateFolder.list(path)) {
                StateFolder.removeFolder(entry);
            }
            Files.delete(path);
        }
    }

    /** Waits for what is being written; where that fails, the checkpoint is not there, and nothing is thrown. */
    @Override
    public void close() {
        try {
            await();
        } catch (RunFailedException e) {
            // Whoever closes is on the way out: the checkpoint before is the one to go on from.
        }
    }
}
