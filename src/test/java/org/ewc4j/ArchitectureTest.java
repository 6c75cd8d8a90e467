package org.ewc4j;

import static com.tngtech.archunit.base.DescribedPredicate.describe;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.methods;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaAccess;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import com.tngtech.archunit.lang.CompositeArchRule;
import com.tngtech.archunit.lang.syntax.elements.GivenClassesConjunction;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** Holds the code to the layers of docs/architecture.md, section 3. */
@AnalyzeClasses(packages = "org.ewc4j", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {
    /** From the top down. Packages on one line may see each other, without cycles; nobody sees a line above its own. */
    private static final List<List<String>> LAYERS = List.of(
            packages("cli"),
            List.of("org.ewc4j", "org.ewc4j.bench.."),
            packages("report"),
            packages("eval", "train"),
            packages("consolidation"),
            packages("fisher"),
            packages("model"),
            packages("config", "task", "data", "checkpoint"),
            packages("tensor"),
            packages("kernel"),
            packages("jfr"),
            packages("error"));

    /** What a package-info says, in this order: owns …, does not own … (or owns no …), may call …. */
    private static final Pattern SAYS_ITS_PLACE = Pattern.compile(
            "\\bowns\\b.*\\b(does not own|owns no)\\b.*\\bmay\\W+call\\b", Pattern.CASE_INSENSITIVE | Pattern.DOTALL);

    @ArchTest
    static final ArchRule NO_LAYER_LOOKS_UP = layering();

    @ArchTest
    static final ArchRule EVERY_CLASS_HAS_A_LAYER =
            noClasses().should().resideOutsideOfPackages(packagesAbove(LAYERS.size()));

    @ArchTest
    static final ArchRule NO_CYCLES =
            slices().matching("org.ewc4j.(*)..").should().beFreeOfCycles();

    @ArchTest
    static final ArchRule JAVACPP_STAYS_LOW = noClasses()
            .that()
            .resideOutsideOfPackages("org.ewc4j.tensor..", "org.ewc4j.model..", "org.ewc4j.kernel..")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("org.bytedeco..");

    @ArchTest
    static final ArchRule NATIVE_METHODS_ARE_THE_KERNELS = methods()
            .that()
            .haveModifier(JavaModifier.NATIVE)
            .should()
            .beDeclaredInClassesThat()
            .resideInAPackage("org.ewc4j.kernel..")
            .allowEmptyShould(true);

    @ArchTest
    static final ArchRule ONLY_THE_COMMAND_LINE_ENDS_THE_PROCESS = outsideCli()
            .should()
            .callMethodWhere(target("System.exit, Runtime.exit or Runtime.halt", access -> {
                String owner = access.getTargetOwner().getFullName();
                return (owner.equals("java.lang.System") || owner.equals("java.lang.Runtime"))
                        && List.of("exit", "halt").contains(access.getName());
            }));

    @ArchTest
    static final ArchRule ONLY_THE_COMMAND_LINE_PRINTS = outsideCli()
            .should()
            .accessTargetWhere(target("System.out, System.err or printStackTrace()", access -> {
                boolean stream = access.getTargetOwner().getFullName().equals("java.lang.System")
                        && List.of("out", "err").contains(access.getName());
                boolean trace = access.getTarget().getFullName().endsWith(".printStackTrace()");
                return stream || trace;
            }));

    @ArchTest
    static final ArchRule ONLY_THE_COMMAND_LINE_PARSES_FLAGS =
            outsideCli().should().dependOnClassesThat().resideInAPackage("picocli..");

    /** Whose jumps then do no harm; intervals are System.nanoTime's. */
    @ArchTest
    static final ArchRule ONLY_THE_COMMAND_LINE_ASKS_FOR_THE_TIME_OF_DAY = outsideCli()
            .should()
            .callMethodWhere(target("the clock of the machine", access -> {
                String owner = access.getTargetOwner().getFullName();
                return owner.equals("java.lang.System") && access.getName().equals("currentTimeMillis")
                        || owner.startsWith("java.time.") && access.getName().equals("now");
            }));

    @ArchTest
    static final ArchRule NAMES_SAY_WHAT_A_CLASS_IS =
            noClasses().should().haveNameMatching(".*(Utils?|Helpers?|Managers?)(\\$.*)?");

    /** Read from the sources: the compiler leaves no class of a package-info without annotations. */
    @ArchTest
    static void everyPackageSaysWhatItOwns(JavaClasses ignored) throws IOException {
        Path root = Path.of("src/main/java");
        List<String> silent = new ArrayList<>();
        try (Stream<Path> files = Files.walk(root)) {
            List<Path> packages = files.filter(file -> file.toString().endsWith(".java"))
                    .map(Path::getParent)
                    .distinct()
                    .toList();
            for (Path folder : packages) {
                Path info = folder.resolve("package-info.java");
                String text = Files.exists(info) ? Files.readString(info) : "";
                if (!SAYS_ITS_PLACE.matcher(text).find()) {
                    silent.add(root.relativize(folder).toString());
                }
            }
            assertThat(packages).isNotEmpty();
        }
        assertThat(silent)
                .as("packages without a package-info.java that says what it owns, does not own and may call")
                .isEmpty();
    }

    private static ArchRule layering() {
        ArchRule rule = null;
        for (int layer = 1; layer < LAYERS.size(); layer++) {
            ArchRule looksDown = noClasses()
                    .that(resideInAnyPackage(LAYERS.get(layer).toArray(String[]::new)))
                    .should()
                    .dependOnClassesThat(resideInAnyPackage(packagesAbove(layer)))
                    .allowEmptyShould(true);
            rule = rule == null ? looksDown : CompositeArchRule.of(rule).and(looksDown);
        }
        return rule;
    }

    private static String[] packagesAbove(int layer) {
        return LAYERS.subList(0, layer).stream().flatMap(List::stream).toArray(String[]::new);
    }

    private static List<String> packages(String... names) {
        return Stream.of(names).map(name -> "org.ewc4j." + name + "..").toList();
    }

    private static GivenClassesConjunction outsideCli() {
        return noClasses().that().resideOutsideOfPackage("org.ewc4j.cli..");
    }

    private static <T extends JavaAccess<?>> DescribedPredicate<T> target(String description, Predicate<T> test) {
        return describe(description, test);
    }
}
