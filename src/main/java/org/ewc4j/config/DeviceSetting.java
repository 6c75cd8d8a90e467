package org.ewc4j.config;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Key {@code device}: where a learner computes. Whether this machine has it is found out when a learner is opened. */
public sealed interface DeviceSetting {
    /** The first CUDA device where there is one that can be used, otherwise the CPU. */
    record Auto() implements DeviceSetting {
        @Override
        public String toString() {
            return "auto";
        }
    }

    record Cpu() implements DeviceSetting {
        @Override
        public String toString() {
            return "cpu";
        }
    }

    /**
     * One CUDA device, or nothing.
     *
     * @param index CUDA's number of it, from 0 to 127
     */
    record Cuda(int index) implements DeviceSetting {
        @Override
        public String toString() {
            return "cuda:" + index;
        }
    }

    /** What {@link #parse} takes, for messages. */
    String EXPECTED = "auto, cpu or cuda:N";

    /** {@code auto}, {@code cpu}, {@code cuda:N}, or {@code cuda} for the first; empty for anything else. */
    static Optional<DeviceSetting> parse(String text) {
        Matcher cuda = Pattern.compile("cuda(?::(\\d{1,3}))?").matcher(text);
        if (text.equals("auto")) {
            return Optional.of(new Auto());
        } else if (text.equals("cpu")) {
            return Optional.of(new Cpu());
        } else if (cuda.matches()) {
            int index = cuda.group(1) == null ? 0 : Integer.parseInt(cuda.group(1));
            return index <= Byte.MAX_VALUE ? Optional.of(new Cuda(index)) : Optional.empty();
        }
        return Optional.empty();
    }
}
