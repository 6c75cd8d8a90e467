package org.ewc4j.report;

import java.io.IOException;
import java.io.InputStream;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Properties;

/** The versions a run was made with, from what Maven leaves in each jar. None of the libraries is loaded by asking. */
public final class Versions {
    private static final String UNKNOWN = "unknown";
    private static final String EWC4J = fromJar("org.ewc4j", "ewc4j");

    private Versions() {}

    /** The version of ewc4j; {@code development} where it does not run from its jar. */
    public static String ewc4j() {
        return EWC4J.equals(UNKNOWN) ? "development" : EWC4J;
    }

    /** Name to version, in a fixed order: ewc4j, java, then the libraries whose versions change results. */
    public static Map<String, String> all() {
        Map<String, String> versions = new LinkedHashMap<>();
        versions.put("ewc4j", ewc4j());
        versions.put("java", Runtime.version().toString());
        versions.put("javacpp", fromJar("org.bytedeco", "javacpp"));
        versions.put("pytorch", fromJar("org.bytedeco", "pytorch"));
        versions.put("openblas", fromJar("org.bytedeco", "openblas"));
        // Its jar has no pom.properties; the properties of its native library name the version.
        versions.put("tokenizers", property("/native/lib/tokenizers.properties", "version"));
        return versions;
    }

    private static String fromJar(String group, String artifact) {
        return property("/META-INF/maven/" + group + "/" + artifact + "/pom.properties", "version");
    }

    private static String property(String resource, String key) {
        try (InputStream stream = Versions.class.getResourceAsStream(resource)) {
            if (stream == null) {
                return UNKNOWN;
            }
            Properties properties = new Properties();
            properties.load(stream);
            return properties.getProperty(key, UNKNOWN);
        } catch (IOException e) {
            return UNKNOWN;
        }
    }
}
