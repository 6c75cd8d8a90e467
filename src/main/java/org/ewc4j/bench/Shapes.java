package org.ewc4j.bench;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.ewc4j.config.ModelSource;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.error.RunFailedException;
import org.ewc4j.model.ModelDirectory;

/**
 * Sizes of public models, as the config.json that each is published with, dropout off. The weights are drawn at random:
 * what a step costs does not depend on them. {@code bench/pytorch_step.py} reads the same file.
 */
public final class Shapes {
    private static final long SEED = 0;

    private Shapes() {}

    /** In the order of the file, by family and size. */
    public static List<String> names() {
        List<String> names = new ArrayList<>();
        all().fieldNames().forEachRemaining(names::add);
        return names;
    }

    /** Opens a shape as a model directory that starts at random. */
    static ModelDirectory open(String name) {
        if (!all().has(name)) {
            throw new InvalidInputException(
                    "--shape " + name + ": no such shape; expected one of " + String.join(", ", names()));
        }
        Path folder = null;
        try {
            folder = Files.createTempDirectory("ewc4j-shape-");
            Files.writeString(folder.resolve("config.json"), all().get(name).toString());
            return ModelDirectory.open(ModelSource.random(folder, SEED));
        } catch (IOException e) {
            throw new RunFailedException(
                    "the shape's config.json cannot be written to a temporary folder: " + e.getMessage(), e);
        } finally {
            delete(folder); // read when opened, not needed again
        }
    }

    private static void delete(Path folder) {
        if (folder != null) {
            try {
                Files.deleteIfExists(folder.resolve("config.json"));
                Files.delete(folder);
            } catch (IOException e) {
                folder.toFile().deleteOnExit();
            }
        }
    }

    private static ObjectNode all() {
        try (InputStream stream = Shapes.class.getResourceAsStream("shapes.json")) {
            return (ObjectNode) new JsonMapper().readTree(stream);
        } catch (IOException e) {
            throw new IllegalStateException("shapes.json does not read", e);
        }
    }
}
