package org.ewc4j.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.ewc4j.error.InvalidInputException;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Headers that lie about the file are refused before a byte of a tensor is read. */
class SafetensorsFileTest {
    @TempDir
    Path folder;

    private Path file;

    @BeforeEach
    void name() {
        file = folder.resolve("model.safetensors");
    }

    private void assertRefused(String... parts) {
        assertThatThrownBy(() -> SafetensorsFile.open(file))
                .isInstanceOf(InvalidInputException.class)
                .message()
                .startsWith(file + ": ")
                .contains(parts)
                .doesNotContain("\n");
    }

    @Test
    void aSoundFileIsRead() {
        Map<String, SafetensorsBytes.Stored> tensors = new LinkedHashMap<>();
        tensors.put("b", SafetensorsBytes.floats(1, 2, 3));
        tensors.put("a", SafetensorsBytes.zeros("BF16", 2, 5));
        tensors.put("scalar", SafetensorsBytes.zeros("I64", 8));
        tensors.put("empty", SafetensorsBytes.zeros("U8", 1, 0, 4));
        SafetensorsBytes.write(file, tensors);
        try (SafetensorsFile opened = SafetensorsFile.open(file)) {
            assertThat(opened.entries().keySet()).containsExactly("b", "a", "scalar", "empty");
            assertThat(opened.entries().get("b").shape()).isEqualTo(List.of(2L, 3L));
            assertThat(opened.entries().get("a").type()).isEqualTo(StoredType.BF16);
            assertThat(opened.entries().get("a").elements()).isEqualTo(5);
        }
    }

    /** In the headers ' stands for the double quote. */
    @ParameterizedTest(name = "{0}")
    @CsvSource(
            delimiter = '|',
            value = {
                "not JSON | {'a': | 0 | the header is not valid JSON",
                "no object | [1, 2] | 0 | not a JSON object",
                "trailing text | {} {} | 0 | the header is not valid JSON",
                "a tensor twice | {'a':{'dtype':'U8','shape':[1],'data_offsets':[0,1]},'a':{'dtype':'U8','shape':[1],'data_offsets':[0,1]}} | 1 | Duplicate",
                "no dtype | {'a':{'shape':[1],'data_offsets':[0,1]}} | 1 | tensor 'a' unknown dtype ''",
                "an unknown dtype | {'a':{'dtype':'F3','shape':[1],'data_offsets':[0,1]}} | 1 | tensor 'a' unknown dtype 'F3'",
                "no shape | {'a':{'dtype':'U8','data_offsets':[0,1]}} | 1 | tensor 'a' has no shape",
                "a negative extent | {'a':{'dtype':'U8','shape':[-1],'data_offsets':[0,1]}} | 1 | whole numbers from 0",
                "a fraction of an extent | {'a':{'dtype':'U8','shape':[1.5],'data_offsets':[0,1]}} | 1 | whole numbers from 0",
                "a size that overflows | {'a':{'dtype':'F32','shape':[4611686018427387904,4],'data_offsets':[0,1]}} | 1 | size overflows",
                "bytes that overflow | {'a':{'dtype':'F32','shape':[4611686018427387904],'data_offsets':[0,0]}} | 0 | size overflows",
                "no offsets | {'a':{'dtype':'U8','shape':[1]}} | 1 | no data_offsets of two whole numbers",
                "one offset | {'a':{'dtype':'U8','shape':[1],'data_offsets':[0]}} | 1 | no data_offsets of two whole numbers",
                "offsets beyond 64 bits | {'a':{'dtype':'U8','shape':[1],'data_offsets':[0,99999999999999999999]}} | 1 | no data_offsets of two",
                "backward offsets | {'a':{'dtype':'U8','shape':[1],'data_offsets':[1,0]}} | 1 | run backwards",
                "negative offsets | {'a':{'dtype':'U8','shape':[1],'data_offsets':[-1,0]}} | 1 | run backwards",
                "offsets out of range | {'a':{'dtype':'U8','shape':[9],'data_offsets':[0,9]}} | 8 | ends at byte 9 of a body of 8 bytes; the file is truncated",
                "fewer bytes than the shape | {'a':{'dtype':'F32','shape':[3],'data_offsets':[0,8]}} | 8 | has 8 bytes, but dtype F32 and shape [3] need 12",
                "an overlap | {'a':{'dtype':'U8','shape':[4],'data_offsets':[0,4]},'b':{'dtype':'U8','shape':[4],'data_offsets':[3,7]}} | 7 | tensor 'b' overlaps",
                "a gap | {'a':{'dtype':'U8','shape':[4],'data_offsets':[0,4]},'b':{'dtype':'U8','shape':[2],'data_offsets':[5,7]}} | 7 | tensor 'b' leaves a gap of 1 bytes",
                "bytes of no tensor | {'a':{'dtype':'U8','shape':[4],'data_offsets':[0,4]}} | 6 | 2 bytes behind the last tensor belong to none"
            })
    void headersThatDoNotFit(String what, String header, int bodyBytes, String message) {
        SafetensorsBytes.write(file, header.replace('\'', '"'), new byte[bodyBytes]);
        assertRefused(message);
    }

    @ParameterizedTest
    @CsvSource({
        "0, is outside 2 to",
        "1, is outside 2 to",
        "100000001, is outside 2 to",
        "-1, 18446744073709551615 is outside",
        "9000000000000000000, is outside 2 to",
        "99999999, truncated: the header needs 99999999 bytes"
    })
    void headerLengthsThatLie(long claimed, String message) {
        SafetensorsBytes.write(file, claimed, "{}".getBytes(StandardCharsets.UTF_8), new byte[0]);
        assertRefused(message);
    }

    /** What a clone without Git LFS has in place of the weights. */
    @Test
    void aPointerOfGitLfs() throws IOException {
        Files.writeString(file, "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1044992\n");
        assertRefused("is a pointer of Git LFS, which stands for the weights in a clone");
    }

    @Test
    void aFileOfNothing() throws IOException {
        Files.write(file, new byte[0]);
        assertRefused("not a safetensors file: 0 bytes");
        Files.write(file, new byte[7]);
        assertRefused("not a safetensors file: 7 bytes");
        Files.delete(file);
        assertRefused("no such file");
    }

    @Test
    void aBodyCutShort() throws IOException {
        SafetensorsBytes.write(file, Map.of("weight", SafetensorsBytes.floats(1, 4, 4)));
        byte[] whole = Files.readAllBytes(file);
        Files.write(file, java.util.Arrays.copyOf(whole, whole.length - 1));
        assertRefused("tensor 'weight' ends at byte 64 of a body of 63 bytes; the file is truncated");
    }
}
