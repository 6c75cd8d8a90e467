package org.ewc4j;

import java.io.File;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import org.ewc4j.config.EwcConfig;
import org.ewc4j.config.ModelSource;
import org.ewc4j.config.SaveConfig.StoredType;

/** ewc4j twice in one JVM, each by a class loader of its own; see {@link TwoClassLoadersTest}. */
public final class TwoClassLoaders {
    private TwoClassLoaders() {}

    /** {@code args}: a folder to write to. Prints what each of the two learned, as a digest of its weights. */
    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 2; i++) {
            // Not closed: its learner's classes are looked at by JavaCPP's thread to the end.
            URLClassLoader loader = new URLClassLoader("copy " + i, classPath(), ClassLoader.getPlatformClassLoader());
            Thread.currentThread().setContextClassLoader(loader);
            Object digest = loader.loadClass(TwoClassLoaders.class.getName())
                    .getMethod("learn", String.class)
                    .invoke(null, args[0] + "/" + i);
            System.out.println(digest);
        }
    }

    private static URL[] classPath() {
        return Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
                .map(entry -> {
                    try {
                        return Path.of(entry).toUri().toURL();
                    } catch (MalformedURLException e) {
                        throw new IllegalStateException(e);
                    }
                })
                .toArray(URL[]::new);
    }

    /** Called in each loader. */
    public static String learn(String folder) throws Exception {
        Path place = Path.of(folder);
        try (ContinualLearner learner = ContinualLearner.open(
                ModelSource.random(TinyRun.model(place.resolve("model"), "gpt2"), 1),
                TinyRun.training(),
                EwcConfig.defaults().withLambda(100))) {
            TinyRun.tasks(2, 10).forEach(learner::learn);
            learner.saveModel(place.resolve("out"), StoredType.FLOAT32);
        }
        byte[] weights = Files.readAllBytes(place.resolve("out/model.safetensors"));
        return HexFormat.of()
                .formatHex(java.security.MessageDigest.getInstance("SHA-256").digest(weights));
    }
}
