package org.ewc4j.checkpoint;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.StreamWriteFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.JsonFile;
import org.ewc4j.tensor.Arena;
import org.ewc4j.tensor.ArenaFile;
import org.ewc4j.tensor.AtomicFile;
import org.ewc4j.tensor.Checksum;
import org.ewc4j.tensor.UninterruptedWork;

/**
 * A state as it lies in a folder: {@code state.json}, written last, with what is small and the CRC-32C of itself and of each
 * file; and an {@link ArenaFile} for each arena, in the folder or, where it was written before, in {@code ../kept}.
 * docs/reliability.md has the format.
 */
public final class StateFolder {
    static final String STATE = "state.json";
    static final String FORMAT = "ewc4j-checkpoint";
    static final int FORMAT_VERSION = 1;

    private static final long MAX_BYTES = 256L << 20;
    private static final Pattern OWN_FILE = Pattern.compile("[a-z][a-z0-9_]*\\.safetensors");
    private static final Pattern KEPT_FILE = Pattern.compile("\\.\\./kept/[a-z][a-z0-9_]*-\\d{1,19}\\.safetensors");
    static final JsonMapper JSON = JsonMapper.builder(JsonFactory.builder()
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    // Rows kept for replay are one text: of any length, not of 20 million characters at most
                    .streamReadConstraints(StreamReadConstraints.builder()
                            .maxStringLength((int) MAX_BYTES)
                            .build())
                    .enable(StreamWriteFeature.USE_FAST_DOUBLE_WRITER)
                    .build())
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    /**
     * A file of a state.
     *
     * @param file relative to the state's folder
     */
    record Reference(String file, Checksum checksum) {}

    private final Path path;
    private final JsonNode state;
    private final Map<String, Reference> files;

    private StateFolder(Path path, JsonNode state, Map<String, Reference> files) {
        this.path = path;
        this.state = state;
        this.files = files;
    }

    /** An empty object to put a state into. */
    public static ObjectNode newState() {
        return JSON.createObjectNode();
    }

    /**
     * Writes a state into a folder that exists and is empty, and forces it to the disk.
     *
     * @param arenas on the CPU, those that are not in {@code written}
     * @param written files that hold other arenas of the state
     */
    static void write(Path folder, ObjectNode state, List<KeptArena> arenas, Map<String, Reference> written)
            throws IOException {
        Map<String, Reference> files = new LinkedHashMap<>(written);
        for (KeptArena kept : arenas) {
            String file = kept.name() + ".safetensors";
            files.put(kept.name(), new Reference(file, ArenaFile.write(folder.resolve(file), kept.arena())));
        }
        byte[] json = json(state, files);
        if (json.length > MAX_BYTES) {
            throw new IOException("its " + STATE + " would have more than " + (MAX_BYTES >> 20)
                    + " MiB; a smaller training.replay keeps fewer rows");
        }
        AtomicFile.write(folder.resolve(STATE), json);
    }

    private static byte[] json(ObjectNode state, Map<String, Reference> files) {
        ObjectNode content = newState();
        content.set("state", state);
        ObjectNode arenas = content.putObject("arenas");
        files.forEach((name, reference) -> arenas.putObject(name)
                .put("file", reference.file())
                .put("bytes", reference.checksum().bytes())
                .put("crc32c", reference.checksum().crc32c()));
        ObjectNode root = newState();
        root.put("format", FORMAT).put("format_version", FORMAT_VERSION);
        root.put("crc32c", Checksum.of(compact(content)).crc32c());
        root.set("content", content);
        return (root.toPrettyString() + "\n").getBytes(StandardCharsets.UTF_8);
    }

    /** The bytes that the checksum of a state.json is of. */
    static byte[] compact(JsonNode node) {
        try {
            return JSON.writeValueAsBytes(node);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a tree is JSON", e);
        }
    }

    /**
     * Writes a state that stands for itself; it appears when all of it is on the disk. An interrupt does not break it.
     *
     * @param folder must not exist; its parent must
     * @throws InvalidInputException where it does
     * @throws RunFailedException where it cannot be written
     */
    public static void save(Path folder, ObjectNode state, List<KeptArena> arenas) {
        Path target = folder.toAbsolutePath().normalize();
        if (Files.exists(target)) {
            throw new InvalidInputException(folder + ": exists already; give a folder that does not");
        }
        Path hidden = target.resolveSibling("." + target.getFileName() + ".tmp");
        List<KeptArena> here = new ArrayList<>();
        List<Arena> copies = new ArrayList<>();
        try {
            for (KeptArena kept : arenas) {
                Arena arena = kept.arena();
                if (arena.device().isCuda()) {
                    arena = arena.hostCopy();
                    copies.add(arena);
                }
                here.add(KeptArena.changing(kept.name(), arena));
            }
            UninterruptedWork.run(() -> {
                try {
                    removeFolder(hidden);
                    Files.createDirectory(hidden);
                    write(hidden, state, here, Map.of());
                    Files.move(hidden, target, StandardCopyOption.ATOMIC_MOVE);
                    AtomicFile.forceFolder(target.getParent());
                } catch (IOException e) {
                    removeQuietly(hidden);
                    throw AtomicFile.cannotWrite(folder, e);
                } catch (RuntimeException e) {
                    removeQuietly(hidden);
                    throw e;
                }
            });
        } finally {
            copies.forEach(Arena::close);
        }
    }

    /** Removes a folder of files; one that is not there is as good. */
    static void removeFolder(Path path) throws IOException {
        if (Files.isDirectory(path)) {
            for (Path file : list(path)) {
                Files.delete(file);
            }
            Files.delete(path);
        }
    }

    static void removeQuietly(Path path) {
        try {
            removeFolder(path);
        } catch (IOException e) {
            // The failure that brought us here is the one to report; what is hidden is removed by the next write.
        }
    }

    static List<Path> list(Path folder) throws IOException {
        try (Stream<Path> entries = Files.list(folder)) {
            return entries.toList();
        }
    }

    /**
     * Opens a state and checks all of it, every file to its last byte.
     *
     * @throws InvalidInputException where something is missing or damaged
     */
    public static StateFolder open(Path folder) {
        Path file = folder.resolve(STATE);
        JsonNode root = parse(file);
        if (!root.path("format").asText().equals(FORMAT)
                || root.path("format_version").asLong() != FORMAT_VERSION) {
            throw new InvalidInputException(
                    file + ": is no " + FORMAT + " of version " + FORMAT_VERSION + ", the one that this ewc4j reads");
        }
        JsonNode content = root.path("content");
        if (!Checksum.of(compact(content)).crc32c().equals(root.path("crc32c").asText())) {
            throw new InvalidInputException(file + ": is damaged: its crc32c does not match");
        }
        Map<String, Reference> files = new LinkedHashMap<>();
        content.path("arenas").properties().forEach(entry -> {
            JsonNode arena = entry.getValue();
            Reference reference = new Reference(
                    arena.path("file").asText(),
                    new Checksum(
                            arena.path("bytes").asLong(), arena.path("crc32c").asText()));
            requireWhole(folder, reference);
            files.put(entry.getKey(), reference);
        });
        return new StateFolder(folder, content.path("state"), files);
    }

    private static JsonNode parse(Path file) {
        return JsonFile.readObject(JSON, file, MAX_BYTES, "a checkpoint's " + STATE);
    }

    private static void requireWhole(Path folder, Reference reference) {
        String name = reference.file();
        if (!OWN_FILE.matcher(name).matches() && !KEPT_FILE.matcher(name).matches()) {
            throw new InvalidInputException(folder.resolve(STATE) + ": names a file outside the checkpoints");
        }
        Path file = folder.resolve(name).normalize();
        if (!Files.isRegularFile(file)) {
            throw new InvalidInputException(file + ": is missing");
        }
        Checksum found = Checksum.of(file);
        if (found.bytes() != reference.checksum().bytes()) {
            throw new InvalidInputException(file + ": has " + found.bytes() + " bytes, expected "
                    + reference.checksum().bytes());
        }
        if (!found.equals(reference.checksum())) {
            throw new InvalidInputException(file + ": is damaged: its crc32c does not match");
        }
    }

    /** Files in {@code ../kept} that the checkpoint in a folder needs; none where it cannot be read. */
    static List<String> sharedBy(Path folder) {
        try {
            List<String> files = new ArrayList<>();
            parse(folder.resolve(STATE))
                    .path("content")
                    .path("arenas")
                    .forEach(arena -> files.add(arena.path("file").asText()));
            return files;
        } catch (InvalidInputException e) {
            return List.of();
        }
    }

    public Path path() {
        return path;
    }

    /** state.json, to name in a refusal. */
    public Path file() {
        return path.resolve(STATE);
    }

    /** What was given to write. */
    public StateNode state() {
        return new StateNode(this, "", state);
    }

    /** Whether it holds an arena of this name. */
    public boolean has(String arena) {
        return files.containsKey(arena);
    }

    Map<String, Reference> files() {
        return files;
    }

    /**
     * Reads arenas, bit for bit as they were.
     *
     * @throws InvalidInputException where one is not there, or is of another layout or type
     */
    public void fill(List<KeptArena> arenas) {
        for (KeptArena kept : arenas) {
            Reference reference = files.get(kept.name());
            if (reference == null) {
                throw new InvalidInputException(file() + ": holds no " + kept.name());
            }
            ArenaFile.read(path.resolve(reference.file()).normalize(), kept.arena());
        }
    }
}
