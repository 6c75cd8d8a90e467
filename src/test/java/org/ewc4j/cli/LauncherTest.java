package org.ewc4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The launcher's two variants, in a clone whose Maven and JDK only write down what they are told. */
class LauncherTest {
    @TempDir
    Path folder;

    private Path clone;
    private final Map<String, String> environment = new TreeMap<>();

    private record Result(int code, String out, String err) {
        String said(String name) {
            return out.lines()
                    .filter(line -> line.startsWith(name + "="))
                    .map(line -> line.substring(name.length() + 1))
                    .findFirst()
                    .orElseThrow(() -> new AssertionError(name + " is not in " + out + err));
        }
    }

    @BeforeEach
    void lay() throws IOException {
        folder = folder.toRealPath();
        clone = Files.createDirectory(folder.resolve("clone"));
        Files.copy(Path.of("ewc4j"), clone.resolve("ewc4j"), StandardCopyOption.COPY_ATTRIBUTES);
        write(
                clone.resolve("mvnw"),
                "echo \"$@\" >>maven.txt; mkdir -p target/lib; echo \"$@\" >target/lib/a.jar; touch target/ewc4j-1.jar");
        Path jdk = folder.resolve("jdk");
        write(jdk.resolve("release"), "JAVA_VERSION=\"17.0.1\"\n");
        write(jdk.resolve("include/jni.h"), "");
        program(jdk.resolve("bin/javac"), "");
        program(
                jdk.resolve("bin/java"),
                "echo \"LIBRARIES=${LD_LIBRARY_PATH-}\"; echo \"LOCALE=${LC_ALL-}\"; echo \"ARGUMENTS=$*\"");
        Path home = folder.resolve("home");
        Files.createDirectories(home.resolve(".m2/wrapper/dists"));
        environment.putAll(Map.of("JAVA_HOME", jdk.toString(), "HOME", home.toString(), "LD_LIBRARY_PATH", "/mine"));
    }

    private static void write(Path file, String text) throws IOException {
        Files.createDirectories(file.getParent());
        Files.writeString(file, text);
    }

    private static void program(Path file, String body) throws IOException {
        write(file, "#!/bin/sh\n" + body + "\n");
        assertThat(file.toFile().setExecutable(true)).isTrue();
    }

    private Path folderWith(String name, String... files) throws IOException {
        Path made = Files.createDirectories(folder.resolve(name));
        for (String file : files) {
            write(made.resolve(file), "");
        }
        return made;
    }

    private Result launch(String... arguments) throws IOException, InterruptedException {
        List<String> command =
                new ArrayList<>(List.of("bash", clone.resolve("ewc4j").toString()));
        command.addAll(List.of(arguments));
        Path err = folder.resolve("err.txt");
        ProcessBuilder builder = new ProcessBuilder(command).redirectError(err.toFile());
        builder.environment().keySet().removeAll(List.of("CUDA_HOME", "CUDA_PATH", "EWC4J_CUDA_LIBS"));
        builder.environment().putAll(environment);
        Process process = builder.start();
        process.getOutputStream().close();
        String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return new Result(process.waitFor(), out, Files.readString(err));
    }

    private List<String> builds() throws IOException {
        return Files.readAllLines(clone.resolve("maven.txt"));
    }

    @Test
    void bothVariantsAreUsedInTurnAndBuiltOnceEach() throws Exception {
        Result cpu = launch("doctor");
        Result gpu = launch("--gpu", "train", "a b.yaml");
        assertThat(launch("doctor").code()).isZero();
        assertThat(launch("--gpu", "doctor").code()).isZero();

        assertThat(builds()).hasSize(2);
        assertThat(builds().get(0)).doesNotContain("-Pgpu").endsWith("package");
        assertThat(builds().get(1)).contains("-Pgpu").endsWith("package");
        Path launch = clone.resolve("target/launch");
        assertThat(cpu.said("ARGUMENTS"))
                .contains(":" + launch.resolve("lib/*") + " ")
                .endsWith("Main doctor");
        assertThat(gpu.said("ARGUMENTS"))
                .contains(":" + launch.resolve("gpu/lib/*") + " ")
                .endsWith("Main train a b.yaml");
        assertThat(launch.resolve("lib/a.jar")).content().doesNotContain("-Pgpu");
        assertThat(launch.resolve("gpu/lib/a.jar")).content().contains("-Pgpu");
        assertThat(cpu.said("LIBRARIES")).isEqualTo("/mine");
    }

    /** CMake is skipped then: the jar's native library may be of sources that have changed since. */
    @Test
    void theJarOfTestsWithoutTheNativeBuildIsNotTaken() throws Exception {
        for (String tool : List.of("g++", "cmake", "make")) { // GoogleTest's header is there for this compiler
            program(folder.resolve("bin").resolve(tool), "");
        }
        environment.put("PATH", folder.resolve("bin") + ":" + System.getenv("PATH"));

        assertThat(launch("test", "-Dexec.skip=true").code()).isZero();
        assertThat(launch("doctor").code()).isZero();
        assertThat(builds()).hasSize(2);

        assertThat(launch("clean").code()).isZero();
        assertThat(launch("test").code()).isZero();
        assertThat(launch("doctor").code()).isZero();
        assertThat(builds()).hasSize(3);
    }

    /** As ssh brings one along: the JVM would fall back to ASCII, and find no file whose name has an umlaut. */
    @Test
    void aLocaleThatThisMachineLacksIsReplaced() throws Exception {
        environment.put("LC_ALL", "xx_XX.UTF-8");
        assertThat(launch("doctor").said("LOCALE")).isEqualTo("C.UTF-8");
        environment.put("LC_ALL", "C.utf8");
        assertThat(launch("doctor").said("LOCALE")).isEqualTo("C.utf8");
    }

    @Test
    void cudaIsTakenFromTheFoldersNamedFromTheToolkitAndFromPythonsWheels() throws Exception {
        Path first = folderWith("first");
        Path second = folderWith("se cond");
        Path toolkit = folderWith("toolkit", "lib64/libcudart.so.13");
        Path site = folderWith("site", "nvidia/cu13/lib/libcublas.so.13", "nvidia/nccl/lib/libnccl.so.2");
        program(folder.resolve("bin/python3"), "echo /nowhere; echo '" + site + "'");
        environment.put("PATH", folder.resolve("bin") + ":" + System.getenv("PATH"));
        environment.put("EWC4J_CUDA_LIBS", first + ":" + second);
        environment.put("CUDA_HOME", toolkit.toString());

        List<String> libraries =
                List.of(launch("--gpu", "doctor").said("LIBRARIES").split(":"));

        assertThat(libraries)
                .startsWith(first.toString(), second.toString(), "/mine", toolkit + "/lib64")
                .endsWith(site + "/nvidia/cu13/lib", site + "/nvidia/nccl/lib")
                .doesNotContain("");
    }

    /** CUDA 12 has libraries of the same names, which must not be mixed in. */
    @Test
    void anotherCudaIsPassedOver() throws Exception {
        Path toolkit = folderWith("toolkit", "lib64/libcudart.so.12");
        Path site = folderWith("site", "nvidia/cublas/lib/libcublas.so.12", "nvidia/nccl/lib/libnccl.so.2");
        program(folder.resolve("bin/python3"), "echo '" + site + "'");
        environment.put("PATH", folder.resolve("bin") + ":" + System.getenv("PATH"));
        environment.put("CUDA_PATH", toolkit.toString());

        assertThat(launch("--gpu", "doctor").said("LIBRARIES")).doesNotContain(toolkit.toString(), site.toString());
    }

    @Test
    void aFolderThatIsNotThereIsNamed() throws Exception {
        environment.put("EWC4J_CUDA_LIBS", folder + ":" + folder.resolve("cuda"));

        Result result = launch("--gpu", "doctor");

        assertThat(result.code()).isEqualTo(2);
        assertThat(result.err()).isEqualTo("ewc4j: EWC4J_CUDA_LIBS: no such folder: " + folder.resolve("cuda") + "\n");
        assertThat(clone.resolve("maven.txt")).doesNotExist();
    }
}
