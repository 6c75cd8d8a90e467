package org.ewc4j;

import java.io.IOException;
import java.lang.reflect.Field;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.Security;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.TimeZone;
import java.util.TreeMap;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.global.torch;
import org.ewc4j.config.EwcConfig;
import org.ewc4j.config.ModelSource;
import org.ewc4j.config.SaveConfig.StoredType;
import org.ewc4j.task.Task;

/** What a host sees of its process before and after a learner lived in it; see {@link GuestInProcessTest}. */
public final class GuestInProcess {
    private GuestInProcess() {}

    /** {@code args}: a folder to write to. Prints a line "name: before -> after" for everything that changed. */
    public static void main(String[] args) throws Exception {
        Map<String, String> before = process();
        Map<String, String> torchBefore = libtorch();
        live(Path.of(args[0]));
        changed(before, process());
        changed(torchBefore, libtorch());
    }

    private static void live(Path folder) {
        try (ContinualLearner learner = ContinualLearner.open(
                ModelSource.random(TinyRun.model(folder.resolve("model"), "gpt2"), 1),
                TinyRun.training().withShuffle(true),
                EwcConfig.defaults().withLambda(100))) {
            for (Task task : TinyRun.tasks(2, 10)) {
                learner.learn(task);
            }
            learner.evaluate(Map.of(0, TinyRun.tasks(1, 10).get(0)));
            learner.generate("ra?:", 3);
            learner.saveModel(folder.resolve("out"), StoredType.FLOAT32);
        }
    }

    private static void changed(Map<String, String> before, Map<String, String> after) {
        after.forEach((name, value) -> {
            if (!value.equals(before.get(name))) {
                System.out.println(name + ": " + before.get(name) + " -> " + value);
            }
        });
    }

    private static Map<String, String> process() throws Exception {
        Map<String, String> state = new TreeMap<>();
        for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
            if (line.startsWith("Sig")) { // signals blocked, ignored and caught, and what is pending
                state.put(line.substring(0, 6), line.substring(7).strip());
            }
        }
        state.put("locale", Locale.getDefault().toString());
        state.put("time zone", TimeZone.getDefault().getID()); // which sets a property of its own at the first call
        System.getProperties().forEach((key, value) -> state.put("property " + key, value.toString()));
        state.put("security providers", Arrays.toString(Security.getProviders()));
        state.put("uncaught exceptions", String.valueOf(Thread.getDefaultUncaughtExceptionHandler()));
        state.put("standard output", System.identityHashCode(System.out) + " " + System.identityHashCode(System.err));
        state.put("working folder", Path.of("/proc/self/cwd").toRealPath().toString());
        state.put("mode of new files", umask());
        state.put("shutdown hooks", shutdownHooks());
        state.put(
                "threads that keep the JVM",
                Thread.getAllStackTraces().keySet().stream()
                        .filter(thread -> !thread.isDaemon())
                        .map(Thread::getName)
                        .sorted()
                        .toList()
                        .toString());
        return state;
    }

    private static String umask() throws IOException {
        return Files.readAllLines(Path.of("/proc/self/status")).stream()
                .filter(line -> line.startsWith("Umask"))
                .findFirst()
                .orElseThrow();
    }

    private static String shutdownHooks() throws ReflectiveOperationException {
        Field hooks = Class.forName("java.lang.ApplicationShutdownHooks").getDeclaredField("hooks");
        hooks.setAccessible(true);
        return ((Map<?, ?>) hooks.get(null)).keySet().toString();
    }

    /** What libtorch has for the whole process, its generator's draws included. */
    private static Map<String, String> libtorch() {
        Map<String, String> state = new TreeMap<>();
        try (PointerScope scope = new PointerScope()) {
            state.put(
                    "default dtype",
                    torch.typeMetaToScalarType(torch.get_default_dtype()).toString());
            var generator = torch.getDefaultCPUGenerator();
            state.put("seed", String.valueOf(generator.current_seed()));
            byte[] draws = new byte[(int) generator.get_state().numel()];
            generator.get_state().data_ptr_byte().get(draws);
            state.put("generator", String.valueOf(Arrays.hashCode(draws)));
            state.put("gradients", String.valueOf(org.bytedeco.pytorch.GradMode.is_enabled()));
            var context = torch.globalContext();
            state.put("deterministic", String.valueOf(context.deterministicAlgorithms()));
            state.put("mkldnn", String.valueOf(context.userEnabledMkldnn()));
            state.put("flash attention", String.valueOf(context.userEnabledFlashSDP()));
            state.put("autocast", String.valueOf(torch.is_autocast_cache_enabled()));
        }
        return state;
    }
}
