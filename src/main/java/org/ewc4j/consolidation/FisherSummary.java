package org.ewc4j.consolidation;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.ewc4j.error.InvalidInputException;
import org.ewc4j.tensor.SafetensorsFile;
import org.ewc4j.tensor.SafetensorsFile.Entry;

/**
 * What a kept Fisher looks like: its distribution over the whole model, by layer, by kind of parameter, and by tensor. A
 * layer is one transformer block; the tensors before and behind the blocks stand under names of their own. A kind is a
 * tensor's name without the number of its layer.
 *
 * @param all over every parameter
 * @param layers by layer, in the order of the model
 * @param kinds by kind of parameter
 */
public record FisherSummary(
        FisherDistribution all, Map<String, FisherDistribution> layers, Map<String, FisherDistribution> kinds) {
    private static final Pattern BLOCK = Pattern.compile("(?:.*\\.)?(?:h|layers)\\.(\\d{1,9})\\.(.+)");
    private static final String EMBEDDING = "embedding";
    private static final String HEAD = "final norm, output";

    /**
     * Reads a Fisher once.
     *
     * @throws InvalidInputException where the file is damaged, or holds a value that no Fisher has
     */
    public static FisherSummary of(ConsolidationFolder folder) {
        FisherDistribution all = new FisherDistribution();
        folder.requireUnchangedFisher();
        TreeMap<Integer, FisherDistribution> blocks = new TreeMap<>();
        Map<String, FisherDistribution> kinds = new LinkedHashMap<>();
        FisherDistribution embedding = new FisherDistribution();
        FisherDistribution head = new FisherDistribution();
        try (SafetensorsFile file = SafetensorsFile.open(folder.fisherFile())) {
            for (Entry entry : file.entries().values()) {
                FisherDistribution tensor = distribution(file, entry);
                Matcher block = BLOCK.matcher(entry.name());
                FisherDistribution layer;
                String kind;
                if (block.matches()) {
                    layer = blocks.computeIfAbsent(Integer.parseInt(block.group(1)), i -> new FisherDistribution());
                    kind = block.group(2);
                } else {
                    layer = isEmbedding(entry.name()) ? embedding : head;
                    kind = entry.name();
                }
                layer.add(tensor);
                kinds.computeIfAbsent(kind, name -> new FisherDistribution()).add(tensor);
                all.add(tensor);
            }
        }
        Map<String, FisherDistribution> layers = new LinkedHashMap<>();
        put(layers, EMBEDDING, embedding);
        blocks.forEach((index, distribution) -> put(layers, "layer " + index, distribution));
        put(layers, HEAD, head);
        return new FisherSummary(all, layers, kinds);
    }

    private static void put(Map<String, FisherDistribution> layers, String name, FisherDistribution distribution) {
        if (distribution.elements() > 0) {
            layers.put(name, distribution);
        }
    }

    /** The input side: token and position embeddings by the names of GPT-2, GPT-NeoX and LLaMA. */
    private static boolean isEmbedding(String name) {
        return List.of("wte", "wpe", "embed_in", "embed_tokens").stream()
                .anyMatch(part -> name.endsWith(part + ".weight"));
    }

    private static FisherDistribution distribution(SafetensorsFile file, Entry entry) {
        FisherDistribution distribution = new FisherDistribution();
        try {
            file.forEachFloat(entry, distribution::add);
        } catch (IllegalArgumentException e) {
            throw new InvalidInputException(
                    file.path() + ": tensor '" + entry.name() + "' holds " + e.getMessage()
                            + "; a Fisher is neither negative nor infinite",
                    e);
        }
        return distribution;
    }

    /**
     * λ·F_max·η, by which one plain gradient step of learning rate η along the stiffest parameter shortens its way to the
     * anchor, as a part of it: beyond 1 it overshoots, beyond 2 gradient descent diverges there, and AdamW swings.
     */
    public double stability(double lambda, double learningRate) {
        return lambda * all.largest() * learningRate;
    }

    /** Root of the mean of F: the root-mean-square gradient it was made of. */
    public double gradientScale() {
        return Math.sqrt(all.mean());
    }
}
