package org.ewc4j;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** What the build takes from a registry is what .mvn/checksums/checksums.sha256 says; Maven holds it to that. */
class SupplyChainTest {
    private static final Path LOCK = Path.of(".mvn/checksums/checksums.sha256");
    private static final Pattern PLUGIN = Pattern.compile(
            "<plugin>(?:\\s|<!--.*?-->)*<groupId>([^<]*)</groupId>\\s*<artifactId>([^<]*)</artifactId>\\s*<version>([^<]*)<",
            Pattern.DOTALL);

    /** From a file's name in a repository to its SHA-256. */
    private static Map<String, String> locked() throws IOException {
        return Files.readAllLines(LOCK).stream()
                .map(line -> line.split("  ", 2))
                .collect(Collectors.toMap(line -> line[1], line -> line[0]));
    }

    @Test
    void everyLibraryIsTheOneThatIsLocked() throws Exception {
        Map<String, String> locked = locked();
        List<Path> libraries = Arrays.stream(
                        System.getProperty("java.class.path").split(File.pathSeparator))
                .filter(entry -> entry.endsWith(".jar"))
                .map(Path::of)
                .toList();
        assertThat(libraries).hasSizeGreaterThan(20);
        for (Path library : libraries) {
            String name = inRepository(library);
            assertThat(locked)
                    .as("%s is locked; where a dependency changed: .mvn/checksums/record.sh", name)
                    .containsEntry(name, sha256(library));
        }
    }

    /** A repository's path is group, artifact, version and file: what stands before the group ends where a lock's name fits. */
    private static String inRepository(Path library) throws IOException {
        return Files.readAllLines(LOCK).stream()
                .map(line -> line.substring(line.indexOf("  ") + 2))
                .filter(library::endsWith)
                .findFirst()
                .orElse(library.getFileName().toString());
    }

    private static String sha256(Path file) throws Exception {
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        try (var in = Files.newInputStream(file)) {
            byte[] buffer = new byte[1 << 20];
            for (int count = in.read(buffer); count >= 0; count = in.read(buffer)) {
                digest.update(buffer, 0, count);
            }
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    /** And what runs the tests: Surefire takes it only when one runs. */
    @Test
    void everyPluginIsLocked() throws IOException {
        String pom = Files.readString(Path.of("pom.xml"));
        Matcher plugin = PLUGIN.matcher(pom);
        List<String> jars = new ArrayList<>();
        while (plugin.find()) {
            String version = plugin.group(3).startsWith("${") ? property(pom, plugin.group(3)) : plugin.group(3);
            jars.add(jar(plugin.group(1), plugin.group(2), version));
            if (plugin.group(2).equals("maven-surefire-plugin")) {
                jars.add(jar("org.apache.maven.surefire", "surefire-junit-platform", version));
            }
        }
        Set<String> locked = locked().keySet();
        assertThat(jars).hasSizeGreaterThan(10);
        assertThat(jars)
                .filteredOn(jar -> !locked.contains(jar))
                .as("plugins that are not locked; where one changed: .mvn/checksums/record.sh")
                .isEmpty();
    }

    private static String property(String pom, String reference) {
        String name = reference.substring(2, reference.length() - 1);
        return pom.substring(pom.indexOf("<" + name + ">") + name.length() + 2, pom.indexOf("</" + name + ">"));
    }

    private static String jar(String group, String artifact, String version) {
        return "%s/%s/%s/%2$s-%3$s.jar".formatted(group.replace('.', '/'), artifact, version);
    }

    @Test
    void everyCallOfMavenVerifies() throws IOException {
        assertThat(Files.readString(Path.of(".mvn/maven.config")))
                .contains(
                        "--strict-checksums",
                        "postProcessor.trustedChecksums=true",
                        "failIfMissing=true",
                        ".mvn/checksums");
        assertThat(Files.readString(Path.of(".mvn/wrapper/maven-wrapper.properties")))
                .containsPattern("distributionSha256Sum=[0-9a-f]{64}");
    }

    /** Not a range, not the newest: versions are written out. */
    @Test
    void everyVersionIsPinned() throws IOException {
        assertThat(Files.readString(Path.of("pom.xml")))
                .doesNotContainPattern("<version>[^<]*(LATEST|RELEASE|SNAPSHOT|[\\[(,])[^<]*</version>");
    }
}
