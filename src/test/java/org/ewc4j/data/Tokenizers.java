package org.ewc4j.data;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** A word-level tokenizer small enough to know by heart. */
final class Tokenizers {
    /** Truncation and padding as a training script leaves them behind, to be switched off. */
    static final String JSON = """
            {"version": "1.0",
             "truncation": {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0},
             "padding": {"strategy": {"Fixed": 6}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0, "pad_type_id": 0, "pad_token": "<eos>"},
             "added_tokens": [
              {"id": 0, "content": "<eos>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
              {"id": 6, "content": "<bos>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}],
             "normalizer": null, "pre_tokenizer": {"type": "WhitespaceSplit"},
             "post_processor": {"type": "TemplateProcessing",
              "single": [{"SpecialToken": {"id": "<bos>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "<eos>", "type_id": 0}}],
              "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
              "special_tokens": {"<bos>": {"id": "<bos>", "ids": [6], "tokens": ["<bos>"]}, "<eos>": {"id": "<eos>", "ids": [0], "tokens": ["<eos>"]}}},
             "decoder": null,
             "model": {"type": "WordLevel", "vocab": {"<eos>": 0, "?": 1, "a": 2, "b": 3, "c": 4, "d": 5}, "unk_token": "?"}}
            """;

    static final int EOS = 0;
    static final int BOS = 6;

    private Tokenizers() {}

    static TextTokenizer wordLevel(Path folder) throws IOException {
        Files.writeString(folder.resolve("tokenizer.json"), JSON);
        return TextTokenizer.load(folder);
    }
}
