package org.ewc4j.hostile;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;

/** Makes inputs out of seeds, a few changes each: bytes, pieces, numbers and texts that are worth trying. */
final class Mutator {
    private static final String[] PIECES = {
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "\\",
        "null",
        "true",
        "{}",
        "[]",
        "\u0000",
        "\n",
        "\r",
        "\u2028",
        "\u001b[31m",
        "..",
        "../..",
        "/",
        "/etc/passwd",
        "*a",
        "&a ",
        "!!java.net.URL ",
        "<<: ",
        "- ",
        "? ",
        "|",
        ">",
        "%YAML 9.9\n",
        "---\n",
        "\\u0000",
        "\\ud800",
        "\uFEFF",
        "task",
        "question",
        "F32",
        "BF16",
        "shape",
        "data_offsets",
        "weight_map",
        "__metadata__"
    };
    private static final String[] NUMBERS = {
        "-1",
        "0",
        "1",
        "255",
        "2147483647",
        "2147483648",
        "-2147483649",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551616",
        "1e9",
        "1e308",
        "1e309",
        "1e999999999",
        "-0.0",
        "0.5",
        "NaN",
        "Infinity",
        "1.0",
        "10001",
        "0x10",
        "1_000",
        "100000000",
        "4611686018427387904",
        "99999999999999999999999999999999"
    };
    /** The most layers that are taken, and each has names. */
    private static final String MANY = "10000";

    /** One input of so many may be large, by its seed or by what is repeated in it: those take longer than all others. */
    private static final int LARGE_ONE_OF = 64;

    private static final int LARGE_BYTES = 2048;

    private final List<byte[]> seeds;
    private final List<byte[]> smallSeeds;

    /** @param seeds the valid file first */
    Mutator(List<byte[]> seeds) {
        this.seeds = seeds;
        this.smallSeeds = IntStream.range(0, seeds.size())
                .filter(seed -> seed == 0 || seeds.get(seed).length <= LARGE_BYTES)
                .mapToObj(seeds::get)
                .toList();
    }

    /** The same input for the same state of {@code random}. */
    byte[] next(Random random) {
        boolean large = random.nextInt(LARGE_ONE_OF) == 0;
        List<byte[]> from = large ? seeds : smallSeeds;
        // Mostly from the valid file, which the other seeds are far from.
        byte[] input = from.get(random.nextInt(large ? 2 : 8) == 0 ? random.nextInt(from.size()) : 0);
        for (int changes = 1 + random.nextInt(6); changes > 0; changes--) {
            input = change(input, random, large);
        }
        return input;
    }

    private byte[] change(byte[] input, Random random, boolean large) {
        int from = random.nextInt(input.length + 1);
        int to = Math.min(input.length, from + 1 + random.nextInt(random.nextBoolean() ? 4 : 64));
        return switch (random.nextInt(10)) {
            case 0, 1 -> flip(input, random);
            case 2 -> splice(input, from, to, "");
            case 3 -> splice(input, from, from, PIECES[random.nextInt(PIECES.length)]);
            case 4 -> splice(input, from, to, PIECES[random.nextInt(PIECES.length)]);
            case 5, 6 ->
                number(input, from, large && random.nextBoolean() ? MANY : NUMBERS[random.nextInt(NUMBERS.length)]);
            case 7 -> splice(input, from, from, text(input, from, to).repeat(1 + random.nextInt(large ? 200 : 4)));
            case 8 ->
                splice(input, from, from, PIECES[random.nextInt(4)].repeat(1 + random.nextInt(large ? 3000 : 40)));
            default -> Arrays.copyOf(input, from);
        };
    }

    private static byte[] flip(byte[] input, Random random) {
        byte[] changed = input.clone();
        if (changed.length > 0) {
            changed[random.nextInt(Math.min(changed.length, random.nextBoolean() ? 16 : changed.length))] =
                    (byte) (random.nextBoolean() ? random.nextInt(256) : random.nextInt(2) * 255);
        }
        return changed;
    }

    /** Another number in the place of the next one. */
    private static byte[] number(byte[] input, int from, String number) {
        int begin = from;
        while (begin < input.length && (input[begin] < '0' || input[begin] > '9')) {
            begin++;
        }
        int end = begin;
        while (end < input.length && input[end] >= '0' && input[end] <= '9') {
            end++;
        }
        return splice(input, begin, end, number);
    }

    private static String text(byte[] input, int from, int to) {
        return new String(input, from, to - from, StandardCharsets.ISO_8859_1);
    }

    private static byte[] splice(byte[] input, int from, int to, String piece) {
        ByteArrayOutputStream changed = new ByteArrayOutputStream(input.length + piece.length());
        changed.write(input, 0, from);
        changed.writeBytes(piece.getBytes(StandardCharsets.UTF_8));
        changed.write(input, to, input.length - to);
        return changed.toByteArray();
    }
}
