package org.ewc4j.consolidation;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.ewc4j.config.FisherOptions.Normalize;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.Quoted;
import org.ewc4j.error.RunFailedException;
import org.ewc4j.fisher.FisherSettings;
import org.ewc4j.kernel.ElementType;
import org.ewc4j.kernel.Kernels;
import org.ewc4j.tensor.Arena;
import org.ewc4j.tensor.AtomicFile;
import org.ewc4j.tensor.Fingerprint;
import org.ewc4j.tensor.ParameterFingerprint;
import org.ewc4j.tensor.ParameterLayout;
import org.ewc4j.tensor.ParameterLayout.Parameter;
import org.ewc4j.tensor.SafetensorsFile;
import org.ewc4j.tensor.SafetensorsFile.Entry;
import org.ewc4j.tensor.SafetensorsWriter;
import org.ewc4j.tensor.StoredType;
import org.ewc4j.tensor.WeightReader;

/**
 * A consolidation kept in a folder: {@code fisher.safetensors} (F in fp32), {@code anchor.safetensors} (θ* in fp32, or as it
 * was kept where that is fp16 or bf16), both by the names, shapes and orientation of model.safetensors, and {@code
 * consolidation.json}, which says what they are. docs/consolidation.md has the format.
 *
 * <p>Immutable; holds no file open.
 */
public final class ConsolidationFolder {
    static final String FISHER = "fisher.safetensors";
    static final String ANCHOR = "anchor.safetensors";
    static final String RECORD = "consolidation.json";
    private static final String WEIGHTS = "model.safetensors";

    private final Path path;
    private final ConsolidationRecord record;
    private final ParameterLayout layout;

    private ConsolidationFolder(Path path, ConsolidationRecord record, ParameterLayout layout) {
        this.path = path;
        this.record = record;
        this.layout = layout;
    }

    /**
     * Writes a consolidation. {@code consolidation.json} is written last and removed first, so that a writer that was
     * killed leaves a folder that is refused, never one that mixes two states.
     *
     * @param architecture as transformers calls its class
     * @param version of ewc4j
     * @param checkpoint a folder inside or beside this one whose model.safetensors holds the very anchor, to point to in
     *     place of a copy; taken where the anchor is fp32 and no mean of several
     * @throws RunFailedException where the folder cannot be written
     */
    public static void write(
            Path folder, Consolidation consolidation, String architecture, String version, Optional<Path> checkpoint) {
        ParameterLayout layout = consolidation.fisher().layout();
        AtomicFile.createFolders(folder);
        try {
            Files.deleteIfExists(folder.resolve(RECORD));
            Files.deleteIfExists(folder.resolve(ANCHOR));
        } catch (IOException e) {
            throw new RunFailedException(folder + ": cannot be written: " + e.getMessage(), e);
        }
        SafetensorsWriter.write(folder.resolve(FISHER), consolidation.fisher(), layout.parameters(), StoredType.F32);
        Optional<Path> pointed = checkpoint.filter(place -> isAnchorOf(consolidation, place));
        if (pointed.isEmpty()) {
            StoredType type = switch (consolidation.anchor().type()) {
                case F32, I16_BLOCK256, U8_BLOCK256 -> StoredType.F32;
                case F16 -> StoredType.F16;
                case BF16 -> StoredType.BF16;
            };
            SafetensorsWriter.write(folder.resolve(ANCHOR), consolidation.anchor(), layout.parameters(), type);
        }
        ConsolidationRecord record = new ConsolidationRecord(
                version,
                architecture,
                Fingerprint.of(layout),
                consolidation.fishers(),
                consolidation.schedule(),
                consolidation.constant(),
                Fingerprint.of(folder.resolve(FISHER)),
                pointed.map(place -> folder.toAbsolutePath()
                        .relativize(place.toAbsolutePath())
                        .toString()
                        .replace('\\', '/')),
                Fingerprint.of(pointed.map(place -> place.resolve(WEIGHTS)).orElse(folder.resolve(ANCHOR))));
        AtomicFile.write(folder.resolve(RECORD), ConsolidationJson.write(record));
    }

    /**
     * That a folder may take a consolidation: it does not exist, or is empty.
     *
     * @throws InvalidInputException otherwise
     */
    public static void requireNew(Path folder) {
        if (!Files.exists(folder)) {
            return;
        }
        try (Stream<Path> entries = Files.list(folder)) {
            if (entries.findAny().isEmpty()) {
                return;
            }
        } catch (IOException e) {
            throw new InvalidInputException("output " + folder + ": expected a folder that can be read", e);
        }
        throw new InvalidInputException("output " + folder + " is not empty; give another folder");
    }

    private static boolean isAnchorOf(Consolidation consolidation, Path checkpoint) {
        boolean mean = consolidation.schedule() instanceof MergeSchedule.Sum && consolidation.held() > 1;
        return !mean
                && consolidation.anchor().type() == ElementType.F32
                && Files.isRegularFile(checkpoint.resolve(WEIGHTS));
    }

    /**
     * Opens a folder and checks what it says of itself, without reading its tensors.
     *
     * @throws InvalidInputException where something is missing, damaged or not of this format
     */
    public static ConsolidationFolder open(Path folder) {
        if (!Files.isDirectory(folder)) {
            throw new InvalidInputException(
                    folder + ": no such folder; expected a consolidation, a folder with " + RECORD + " and " + FISHER);
        }
        if (!Files.isRegularFile(folder.resolve(RECORD))) {
            throw new InvalidInputException(
                    folder + ": has no " + RECORD + "; a consolidation is a folder with that and " + FISHER
                            + ", such as task-00/consolidation of a run");
        }
        ConsolidationRecord record = ConsolidationJson.read(folder.resolve(RECORD));
        ParameterLayout layout = layoutOf(folder.resolve(FISHER));
        if (!Fingerprint.of(layout).equals(record.layoutFingerprint())) {
            throw new InvalidInputException(folder.resolve(FISHER) + ": its tensors are not those that " + RECORD
                    + " names by layout_sha256; the folder mixes two consolidations or is damaged");
        }
        return new ConsolidationFolder(folder, record, layout);
    }

    private static ParameterLayout layoutOf(Path file) {
        try (SafetensorsFile fisher = SafetensorsFile.open(file)) {
            Map<String, long[]> shapes = new LinkedHashMap<>();
            for (Entry entry : fisher.entries().values()) {
                if (entry.type() != StoredType.F32 || entry.elements() < 1) {
                    throw new InvalidInputException(file + ": tensor '" + entry.name()
                            + "': expected F32 with at least one element, got " + entry.type() + " " + entry.shape());
                }
                shapes.put(
                        entry.name(),
                        entry.shape().stream().mapToLong(Long::longValue).toArray());
            }
            if (shapes.isEmpty()) {
                throw new InvalidInputException(file + ": holds no tensor");
            }
            return ParameterLayout.of(shapes);
        }
    }

    public Path path() {
        return path;
    }

    public ConsolidationRecord record() {
        return record;
    }

    /** Names and shapes of the parameters, in the order of fisher.safetensors. */
    public ParameterLayout layout() {
        return layout;
    }

    /** The file with F, in fp32. */
    public Path fisherFile() {
        return path.resolve(FISHER);
    }

    /**
     * That this consolidation is one of such a model.
     *
     * @param what names the model in the message
     * @throws InvalidInputException naming the first difference
     */
    public void requireModel(String what, String architecture, ParameterLayout parameters) {
        if (!record.architecture().equals(architecture)) {
            throw new InvalidInputException(path + ": is of a " + record.architecture() + ", but " + what + " is a "
                    + architecture + "; give a consolidation of this model");
        }
        for (Parameter parameter : parameters.parameters()) {
            Parameter held = layout.find(parameter.name());
            if (held == null || !held.shape().equals(parameter.shape())) {
                throw new InvalidInputException(path + ": parameter " + parameter.name() + " of " + what + " has shape "
                        + parameter.shape() + ", the consolidation has "
                        + (held == null ? "none of that name" : held.shape().toString())
                        + "; give a consolidation of this model");
            }
        }
        if (layout.parameters().size() != parameters.parameters().size()) {
            throw new InvalidInputException(
                    path + ": has " + layout.parameters().size() + " parameters, " + what + " has "
                            + parameters.parameters().size() + "; give a consolidation of this model");
        }
    }

    /**
     * Whether this consolidation holds on to such parameters, or to what they were before they were saved in 16 bit: its anchor
     * is where they are, or they are those that its last Fisher was estimated at, as the last task left them. Under {@link
     * MergeSchedule.Sum}, whose anchor is a mean, those of any of its Fishers.
     *
     * @param theta in fp32, in the layout of the model
     */
    public boolean holds(Arena theta) {
        ParameterFingerprint start = ParameterFingerprint.of(theta);
        List<HeldFisher> fishers = record.fishers();
        List<HeldFisher> left = record.schedule() instanceof MergeSchedule.Sum
                ? fishers
                : fishers.subList(fishers.size() - 1, fishers.size());
        if (left.stream().anyMatch(held -> held.estimate().model().isOfSame(start))) {
            return true;
        }
        try (Arena anchor = new Arena(theta.layout())) {
            fill(anchor, anchorFile(), record.anchorFingerprint());
            return ParameterFingerprint.of(anchor).isOfSame(start);
        }
    }

    /**
     * That Fishers of such a making can join it under a schedule.
     *
     * @throws InvalidInputException naming what differs
     */
    public void requireMergeable(FisherSettings others, MergeSchedule schedule) {
        for (HeldFisher held : record.fishers()) {
            FisherSettings settings = held.estimate().settings();
            if (!settings.mergesWith(others)) {
                throw new InvalidInputException(path + ": holds a Fisher of " + said(settings) + " (task "
                        + Quoted.of(held.task()) + "), which does not merge with " + said(others)
                        + ": a λ means something else for each (by rule of thumb that of example is that of batch ÷ batch size"
                        + " ÷ scored tokens of a row squared, by token the row's scored tokens times that by sequence); set"
                        + " ewc.fisher, ewc.fisher_unit, ewc.fisher_normalize and"
                        + " ewc.fisher_shuffle to match, or estimate anew");
            }
        }
        // A single Fisher is the same under every schedule, but for what a weight makes of it.
        boolean merged = record.fishers().size() > 1 || record.fishers().get(0).weight() != 1;
        if (merged && record.schedule().kind() != schedule.kind()) {
            String name = ConsolidationJson.name(record.schedule().kind());
            String what = record.fishers().size() > 1
                    ? "its " + record.fishers().size() + " Fishers were merged"
                    : "its Fisher of weight " + record.fishers().get(0).weight() + " was taken in";
            throw new InvalidInputException(path + ": " + what + " by " + name + ", which does not go on as "
                    + ConsolidationJson.name(schedule.kind()) + "; use " + name + " (ewc.merge, --schedule)");
        }
    }

    private static String said(FisherSettings settings) {
        return "kind " + ConsolidationJson.name(settings.kind()) + ", unit " + ConsolidationJson.name(settings.unit())
                + (settings.normalize() == Normalize.NONE
                        ? ""
                        : ", normalize " + ConsolidationJson.name(settings.normalize()))
                + (settings.shuffled() ? ", shuffled" : "");
    }

    /**
     * What makes a λ mean something else for some Fisher of this consolidation and for others that join it, though they merge:
     * a line for each.
     *
     * @param whose names the others
     */
    public List<String> differences(FisherSettings others, String whose) {
        List<String> lines = new ArrayList<>();
        first(settings -> !settings.isOfLikeBatches(others))
                .ifPresent(held -> lines.add(difference(
                        held,
                        " was estimated in batches of " + held.estimate().batchSize(),
                        whose + " in batches of " + others.batchSize(),
                        ", by rule of thumb in proportion to the batch size; ewc.fisher_batch_size makes them alike")));
        first(settings -> !settings.clamp().equals(others.clamp()))
                .ifPresent(held -> lines.add(difference(
                        held,
                        " was made with " + clamp(held.estimate().clamp()),
                        whose + " with " + clamp(others.clamp()),
                        "; ewc.fisher_clamp makes them alike")));
        return lines;
    }

    private String difference(HeldFisher held, String here, String there, String remedy) {
        return path + ": the Fisher of task " + Quoted.of(held.task()) + here + ", " + there
                + ": a λ means something else for each" + remedy;
    }

    private Optional<HeldFisher> first(Predicate<FisherSettings> what) {
        return record.fishers().stream()
                .filter(held -> what.test(held.estimate().settings()))
                .findFirst();
    }

    private static String clamp(OptionalDouble clamp) {
        return clamp.isPresent() ? "ewc.fisher_clamp " + clamp.getAsDouble() : "no ewc.fisher_clamp";
    }

    /** Whether some Fisher of each was estimated at the same parameters, or both have the same anchor. */
    public boolean sharesParametersWith(ConsolidationFolder other) {
        return record.anchorFingerprint().equals(other.record.anchorFingerprint())
                || record.fishers().stream()
                        .anyMatch(held -> other.wasEstimatedAt(held.estimate().model()));
    }

    private boolean wasEstimatedAt(ParameterFingerprint parameters) {
        return record.fishers().stream()
                .anyMatch(held -> held.estimate().model().isOfSame(parameters));
    }

    /**
     * Reads F and θ*.
     *
     * @param target the parameters' places, of the same names and shapes as {@link #layout}
     * @param schedule by which later tasks join
     * @throws InvalidInputException where a file is missing, damaged or not the one that consolidation.json was written for,
     *     or a value is not finite or a Fisher negative
     */
    public Consolidation read(
            Kernels kernels, ParameterLayout target, MergeSchedule schedule, StateTypes types, StatePlaces places) {
        boolean reduces = !types.equals(StateTypes.FULL);
        Consolidation full = new Consolidation(
                target, schedule, StateTypes.FULL, reduces ? StatePlaces.on(places.device()) : places);
        try {
            fill(full.fisher(), fisherFile(), record.fisherFingerprint());
            fill(full.anchor(), anchorFile(), record.anchorFingerprint());
            if (!(full.fisher().smallest() >= 0)
                    || !Double.isFinite(kernels.norm(full.fisher().list()))) {
                throw new InvalidInputException(
                        fisherFile() + ": has a value that is negative or not finite; a Fisher has none");
            }
            if (!Double.isFinite(kernels.norm(full.anchor().list()))) {
                throw new InvalidInputException(anchorFile() + ": has a value that is not finite");
            }
            full.restore(record.fishers(), record.constant());
        } catch (RuntimeException e) {
            full.close();
            throw e;
        }
        if (!reduces) {
            return full;
        }
        try (full) {
            Consolidation reduced = new Consolidation(target, schedule, types, places);
            reduced.join(kernels, full);
            return reduced;
        }
    }

    private static void fill(Arena arena, Path file, String fingerprint) {
        try (SafetensorsFile stored = SafetensorsFile.open(file)) {
            for (Parameter parameter : arena.layout().parameters()) {
                Entry entry = stored.entries().get(parameter.name());
                if (entry == null || !entry.shape().equals(parameter.shape())) {
                    throw new InvalidInputException(file + ": tensor '" + parameter.name() + "': expected shape "
                            + parameter.shape() + ", found "
                            + (entry == null ? "none" : entry.shape().toString()));
                }
                WeightReader.read(stored, entry, arena, parameter);
            }
        }
        requireUnchanged(file, fingerprint);
    }

    /** @throws InvalidInputException where fisher.safetensors is not the file that consolidation.json was written for */
    void requireUnchangedFisher() {
        requireUnchanged(fisherFile(), record.fisherFingerprint());
    }

    private static void requireUnchanged(Path file, String fingerprint) {
        if (!Fingerprint.of(file).equals(fingerprint)) {
            throw new InvalidInputException(file + ": is not the file that " + RECORD
                    + " was written for (its sha256 differs); it was changed or damaged");
        }
    }

    private Path anchorFile() {
        if (record.anchorCheckpoint().isEmpty()) {
            return path.resolve(ANCHOR);
        }
        String pointer = record.anchorCheckpoint().get();
        try {
            Path relative = Path.of(pointer).normalize();
            boolean outside = relative.isAbsolute()
                    || relative.startsWith("../..")
                    || relative.toString().equals("..");
            Path file = path.toAbsolutePath().resolve(relative).normalize().resolve(WEIGHTS);
            if (!outside && !leadsOutside(file)) {
                return file;
            }
        } catch (InvalidPathException | IOException e) {
            // Said below, as for a path that can be but may not.
        }
        throw new InvalidInputException(
                path.resolve(RECORD) + ": key 'anchor.checkpoint': expected a folder in or beside"
                        + " the consolidation's, got " + Quoted.of(pointer));
    }

    /** Whether links on the way lead to somewhere else than the consolidation's folder and those beside it. */
    private boolean leadsOutside(Path file) throws IOException {
        return Files.exists(file)
                && !file.toRealPath().startsWith(path.toRealPath().getParent());
    }
}
