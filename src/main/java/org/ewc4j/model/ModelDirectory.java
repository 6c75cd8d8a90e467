package org.ewc4j.model;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.ewc4j.config.ModelSource;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.tensor.ParameterLayout;
import org.ewc4j.tensor.StoredType;

/**
 * A Hugging Face model directory, read as far as it can be without its weights: architecture and special tokens.
 * What is missing is refused by name, with the line of Python that makes it where there is one.
 */
public final class ModelDirectory {
    static final String CONFIG = "config.json";
    static final String GENERATION_CONFIG = "generation_config.json";
    static final String TOKENIZER = "tokenizer.json";
    static final String WEIGHTS = "model.safetensors";
    static final String WEIGHTS_INDEX = "model.safetensors.index.json";

    private final ModelSource source;
    private final ConfigJson config;
    private final Architecture architecture;
    private final SpecialTokens specialTokens;
    private final ParameterLayout layout;

    private ModelDirectory(
            ModelSource source, ConfigJson config, Architecture architecture, SpecialTokens specialTokens) {
        this.layout = layout(config, architecture);
        this.source = source;
        this.config = config;
        this.architecture = architecture;
        this.specialTokens = specialTokens;
    }

    /** Reads config.json and generation_config.json and checks that the files needed are there. */
    public static ModelDirectory open(ModelSource source) {
        Path path = source.path();
        if (!Files.isDirectory(path)) {
            throw new InvalidInputException(path + ": no such model directory; expected a folder with config.json"
                    + (source.init() == ModelSource.Init.RANDOM ? "" : ", model.safetensors") + " and tokenizer.json");
        }
        if (!Files.isRegularFile(path.resolve(CONFIG))) {
            throw new InvalidInputException(path.resolve(CONFIG) + ": missing; a model directory needs it");
        }
        ConfigJson config = ConfigJson.read(path.resolve(CONFIG));
        Architecture architecture = Architecture.read(config);
        if (source.init() == ModelSource.Init.PRETRAINED) {
            requireWeights(path);
        }
        Path generationFile = path.resolve(GENERATION_CONFIG);
        ConfigJson generation = Files.isRegularFile(generationFile) ? ConfigJson.read(generationFile) : null;
        return new ModelDirectory(
                source, config, architecture, SpecialTokens.read(config, generation, architecture.vocabularySize()));
    }

    private static ParameterLayout layout(ConfigJson config, Architecture architecture) {
        Map<String, long[]> shapes = new LinkedHashMap<>();
        architecture.parameters().forEach((name, parameter) -> shapes.put(name, parameter.shape()));
        try {
            return ParameterLayout.of(shapes);
        } catch (ArithmeticException e) {
            throw new InvalidInputException(
                    config.file() + ": the sizes given there make more parameters than 64 bits can count", e);
        }
    }

    private static void requireWeights(Path path) {
        if (Files.isRegularFile(path.resolve(WEIGHTS)) || Files.isRegularFile(path.resolve(WEIGHTS_INDEX))) {
            return;
        }
        List<String> pickled;
        try (Stream<Path> files = Files.list(path)) {
            pickled = files.map(file -> file.getFileName().toString())
                    .filter(name -> name.startsWith("pytorch_model") && name.endsWith(".bin"))
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw new InvalidInputException(path + ": cannot be listed: " + e.getMessage(), e);
        }
        if (!pickled.isEmpty()) {
            throw new InvalidInputException(
                    path + ": has " + pickled.get(0) + " but no model.safetensors; convert it once with:"
                            + " python3 -c \"from transformers import AutoModelForCausalLM as M;"
                            + " M.from_pretrained('" + path + "').save_pretrained('" + path + "')\"");
        }
        throw new InvalidInputException(path.resolve(WEIGHTS) + ": missing, and no model.safetensors.index.json either;"
                + " for a random start set model: {path: ..., init: random}");
    }

    public Path path() {
        return source.path();
    }

    /**
     * Whether every weight is stored in that type; not where weights are drawn at random.
     *
     * @throws InvalidInputException where the weights are broken
     */
    public boolean isStoredIn(StoredType type) {
        if (source.init() == ModelSource.Init.RANDOM) {
            return false;
        }
        try (Checkpoint checkpoint = Checkpoint.open(this, layout)) {
            return checkpoint.isStoredIn(type);
        }
    }

    public ModelSource source() {
        return source;
    }

    public SpecialTokens specialTokens() {
        return specialTokens;
    }

    public int vocabularySize() {
        return architecture.vocabularySize();
    }

    /** The most positions that the model can tell apart. */
    public int positions() {
        return architecture.positions();
    }

    /** Trained parameters, a tied tensor once. */
    public long parameterCount() {
        return layout.elements();
    }

    /** The name of the architecture, as transformers calls its class. */
    public String architectureName() {
        return architecture.transformersClass();
    }

    public ParameterLayout layout() {
        return layout;
    }

    Architecture architecture() {
        return architecture;
    }

    ConfigJson config() {
        return config;
    }
}
