package org.ewc4j.hostile;

import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Path;

/** The inputs that once broke something, or that chance does not find: src/test/resources/org/ewc4j/hostile/PARSER/. */
final class HostileInputs {
    private HostileInputs() {}

    static Path folder() {
        URL place = HostileInputs.class.getResource("README");
        try {
            return Path.of(place.toURI()).getParent();
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }
}
