package org.ewc4j.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.ewc4j.ChildJvm;
import org.ewc4j.error.InvalidInputException;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FolderLockTest {
    @TempDir
    Path folder;

    @BeforeEach
    void resolve() throws IOException {
        folder = folder.toRealPath();
    }

    /** Another process. */
    public static final class Other {
        private Other() {}

        /** {@code args}: a folder. Prints why it cannot have it, or that it can. */
        public static void main(String[] args) {
            try {
                FolderLock.of(Path.of(args[0])).close();
                System.out.println("free");
            } catch (InvalidInputException e) {
                System.out.println(e.getMessage());
            }
        }
    }

    @Test
    void whatIsMadeForItIsRemovedUnlessSomethingCameIntoIt() throws IOException {
        FolderLock.of(folder.resolve("a/b")).close();
        assertThat(folder.resolve("a")).doesNotExist();

        try (FolderLock lock = FolderLock.of(folder.resolve("a/b"))) {
            Files.createDirectory(folder.resolve("a/mine"));
        }
        assertThat(folder.resolve("a")).isDirectoryContaining("glob:**mine");
        assertThat(folder.resolve("a/b")).doesNotExist();

        FolderLock.of(folder.resolve("a")).close();
        assertThat(folder.resolve("a")).isDirectoryContaining("glob:**mine");
    }

    /** Closing any channel on a file gives up all locks of the process on it. */
    @Test
    void anotherClassLoaderIsRefusedAndTakesNothingAway() throws Throwable {
        Path output = folder.resolve("out");
        URL classes = FolderLock.class.getProtectionDomain().getCodeSource().getLocation();
        try (URLClassLoader loader = new URLClassLoader(new URL[] {classes}, ClassLoader.getPlatformClassLoader())) {
            Class<?> second = loader.loadClass(FolderLock.class.getName());
            try (FolderLock lock = FolderLock.of(output)) {
                for (int i = 0; i < 2; i++) {
                    assertThatThrownBy(() -> lock(second, output)).hasMessageContaining("in use by another learner of");
                }
                System.gc();
                assertThat(ChildJvm.run(folder, List.of(), Other.class, output.toString()))
                        .singleElement()
                        .asString()
                        .contains("in use by another process");
            }
            lock(second, output).close();
        }
        assertThat(ChildJvm.run(folder, List.of(), Other.class, output.toString()))
                .containsExactly("free");
    }

    private static AutoCloseable lock(Class<?> second, Path output) throws Throwable {
        try {
            return (AutoCloseable) second.getMethod("of", Path.class).invoke(null, output);
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }
}
