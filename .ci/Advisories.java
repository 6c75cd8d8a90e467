import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.maven.artifact.versioning.DefaultArtifactVersion;
import org.apache.maven.artifact.versioning.InvalidVersionSpecificationException;
import org.apache.maven.artifact.versioning.VersionRange;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.Yaml;
import org.yaml.snakeyaml.constructor.SafeConstructor;
import org.yaml.snakeyaml.error.YAMLException;

/**
 * Compares libraries with GitLab's database of advisories, files of YAML in {@code maven/GROUP/ARTIFACT}, by Maven's
 * reading of ranges, and what is in range with a list of what was judged.
 *
 * <p>{@code java -cp MAVEN/lib/*:SNAKEYAML.jar Advisories.java DATABASE CHECKSUMS JUDGED MAVEN}, run by .ci/advisories.
 */
class Advisories {
    private static final Pattern RANGE = Pattern.compile("[\\[(][^\\])]*[\\])]");
    private static final Pattern PUBLISHED = Pattern.compile("^pubdate: \"?([-0-9]{10})", Pattern.MULTILINE);

    /** The name is GROUP:ARTIFACT. */
    private record Component(String name, String version) {
        @Override
        public String toString() {
            return name + " " + version;
        }
    }

    private record Advisory(Path file, Set<String> identifiers, String range, String title, String mended) {}

    private record Judgement(int line, Component component, String identifier) {}

    /** What keeps from comparing. */
    private static final class RefusedException extends RuntimeException {
        private static final long serialVersionUID = 1;

        RefusedException(String message) {
            super(message);
        }
    }

    public static void main(String[] arguments) {
        int status;
        try {
            Path database = Path.of(arguments[0], "maven");
            if (!Files.isDirectory(database)) {
                throw new RefusedException(database + " is no folder: give a work tree of the database, which"
                        + " git clone --depth 1 https://gitlab.com/gitlab-org/advisories-community makes");
            }
            Set<Component> components =
                    new TreeSet<>(Comparator.comparing(Component::name).thenComparing(Component::version));
            addLocked(Path.of(arguments[1]), components);
            addMaven(Path.of(arguments[3]), components);
            status = compare(database, components, Path.of(arguments[2]));
        } catch (RefusedException refused) {
            System.err.println("advisories: " + refused.getMessage());
            status = 2;
        } catch (IOException failed) {
            System.err.println("advisories: cannot read a file: " + failed);
            status = 2;
        }
        System.exit(status);
    }

    /** The jars of a list of checksums: GROUP/ARTIFACT/VERSION/FILE, with slashes in the group too. */
    private static void addLocked(Path checksums, Set<Component> components) throws IOException {
        for (String line : Files.readAllLines(checksums)) {
            if (line.endsWith(".jar")) {
                Path version = Path.of(line.substring(line.indexOf("  ") + 2)).getParent();
                Path artifact = version.getParent();
                String group = artifact.getParent().toString().replace('/', '.');
                components.add(new Component(
                        group + ":" + artifact.getFileName(), version.getFileName().toString()));
            }
        }
    }

    /** Maven's own jars, by what they say that is in them: their files' names have no group. */
    private static void addMaven(Path maven, Set<Component> components) throws IOException {
        List<Path> jars = new ArrayList<>(files(maven.resolve("lib"), ".jar"));
        jars.addAll(files(maven.resolve("boot"), ".jar"));
        for (Path jar : jars) {
            boolean says = false;
            try (JarFile file = new JarFile(jar.toFile())) {
                for (JarEntry entry : file.stream().toList()) {
                    if (entry.getName().matches("META-INF/maven/.*/pom\\.properties")) {
                        Properties of = new Properties();
                        of.load(file.getInputStream(entry));
                        components.add(new Component(
                                of.getProperty("groupId") + ":" + of.getProperty("artifactId"),
                                of.getProperty("version")));
                        says = true;
                    }
                }
            }
            if (!says) {
                System.out.println("not compared: Maven's " + jar.getFileName() + ", which does not say whose it is");
            }
        }
    }

    private static int compare(Path database, Set<Component> components, Path judged) throws IOException {
        String newest = newest(database);
        List<Judgement> judgements = judgements(judged);
        Set<Judgement> met = new HashSet<>();
        int pairs = 0;
        int inRange = 0;
        int open = 0;
        for (Component component : components) {
            for (Advisory advisory : advisories(database, component)) {
                pairs++;
                String why = inRange(advisory, component);
                if (why.isEmpty()) {
                    continue;
                }
                inRange++;
                Set<Judgement> fitting = judgements.stream()
                        .filter(each -> each.component().equals(component)
                                && advisory.identifiers().contains(each.identifier()))
                        .collect(Collectors.toSet());
                met.addAll(fitting);
                open += fitting.isEmpty() ? 1 : 0;
                System.out.printf(
                        "%s: %s: %s, mended in %s: %s%n",
                        fitting.isEmpty() ? "NOT JUDGED" : "judged",
                        component,
                        why,
                        advisory.mended(),
                        advisory.title());
            }
        }
        judgements.removeAll(met);
        for (Judgement each : judgements) {
            System.out.printf(
                    "STALE: %s:%d: %s is not there, or not in range of %s: delete it%n",
                    judged, each.line(), each.component(), each.identifier());
        }
        System.out.printf(
                "%d components, %d pairs of one and an advisory, the newest of the database published on %s%n",
                components.size(), pairs, newest);
        System.out.printf(
                "%d in range, %d of them not judged%s%n",
                inRange, open, open == 0 ? "" : ": raise the version, or say in " + judged + " why it stays");
        return open == 0 && judgements.isEmpty() ? 0 : 1;
    }

    /** Identifiers and range, or empty where it does not hold. One that cannot be read counts: somebody has to look. */
    private static String inRange(Advisory advisory, Component component) {
        String range;
        try {
            range = contains(advisory.range(), component.version()) ? advisory.range() : "";
        } catch (InvalidVersionSpecificationException unread) {
            range = "a range that cannot be read, '%s' (read %s)".formatted(advisory.range(), advisory.file());
        }
        return range.isEmpty() ? "" : String.join(" ", advisory.identifiers()) + ", " + range;
    }

    /** Maven is given each part by itself: it refuses a union that overlaps or is out of order, as some here. */
    private static boolean contains(String range, String version) throws InvalidVersionSpecificationException {
        Matcher part = RANGE.matcher(range);
        if (range.isBlank() || !part.replaceAll("").matches("[,\\s]*")) {
            throw new InvalidVersionSpecificationException("not ranges in brackets");
        }
        boolean in = false;
        part.reset();
        while (part.find()) {
            in |= VersionRange.createFromVersionSpec(part.group().replaceAll("\\s", ""))
                    .containsVersion(new DefaultArtifactVersion(version));
        }
        return in;
    }

    private static List<Advisory> advisories(Path database, Component component) throws IOException {
        List<Advisory> advisories = new ArrayList<>();
        for (Path file : files(database.resolve(component.name().replace(':', '/')), ".yml")) {
            advisories.add(read(file));
        }
        return advisories;
    }

    private static Advisory read(Path file) throws IOException {
        Object content;
        try (InputStream in = Files.newInputStream(file)) {
            content = new Yaml(new SafeConstructor(new LoaderOptions())).load(in);
        } catch (YAMLException e) {
            content = null;
        }
        if (!(content instanceof Map<?, ?> fields)) {
            throw new RefusedException(file + " is no YAML with fields, as an advisory is: take the database anew");
        }
        Set<String> identifiers = new LinkedHashSet<>(texts(fields.get("identifiers")));
        identifiers.addAll(texts(fields.get("identifier")));
        List<String> mended = texts(fields.get("fixed_versions"));
        return new Advisory(
                file,
                identifiers,
                String.join("", texts(fields.get("affected_range"))),
                String.join("", texts(fields.get("title"))),
                mended.isEmpty() ? "none that it names" : String.join(" ", mended));
    }

    /** A field's text or texts, each in one line. */
    private static List<String> texts(Object field) {
        List<?> values = field instanceof List<?> list ? list : field == null ? List.of() : List.of(field);
        return values.stream()
                .map(value -> String.valueOf(value).replaceAll("[\\s\\p{Cntrl}]+", " ").strip())
                .toList();
    }

    /** Not the day of the last change: a clone without history does not know it, and a copy has none. */
    private static String newest(Path database) throws IOException {
        String newest = "";
        try (Stream<Path> below = Files.walk(database)) {
            for (Path file : below.filter(path -> path.toString().endsWith(".yml")).toList()) {
                Matcher published = PUBLISHED.matcher(Files.readString(file, StandardCharsets.ISO_8859_1));
                if (published.find() && published.group(1).compareTo(newest) > 0) {
                    newest = published.group(1);
                }
            }
        }
        if (newest.isEmpty()) {
            throw new RefusedException("no advisory with a pubdate is below " + database + ": take the database anew");
        }
        return newest;
    }

    /** Lines of GROUP:ARTIFACT VERSION IDENTIFIER[,IDENTIFIER] REASON. */
    private static List<Judgement> judgements(Path judged) throws IOException {
        List<Judgement> judgements = new ArrayList<>();
        List<String> lines = Files.readAllLines(judged);
        for (int k = 0; k < lines.size(); k++) {
            if (lines.get(k).isBlank() || lines.get(k).startsWith("#")) {
                continue;
            }
            String[] words = lines.get(k).strip().split("\\s+", 4);
            if (words.length < 4) {
                throw new RefusedException(
                        "%s:%d: expected GROUP:ARTIFACT VERSION IDENTIFIER[,IDENTIFIER] REASON; write the line so"
                                .formatted(judged, k + 1));
            }
            for (String identifier : words[2].split(",")) {
                judgements.add(new Judgement(k + 1, new Component(words[0], words[1]), identifier));
            }
        }
        return judgements;
    }

    private static List<Path> files(Path folder, String ending) throws IOException {
        if (!Files.isDirectory(folder)) {
            return List.of();
        }
        try (Stream<Path> entries = Files.list(folder)) {
            return entries.filter(path -> path.toString().endsWith(ending)).sorted().toList();
        }
    }
}
