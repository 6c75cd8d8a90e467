// Arguments of every verb of ewc.h, from a fuzzer's bytes: no crash, a refusal with a message and nothing written, or a
// result that stays in its place and a call that really had nothing to refuse. For libFuzzer, and with fuzz_main.cpp alone.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "call.h"

namespace ewc::fuzz {
namespace {

[[noreturn]] void broken(const char* verb, const std::string& what) {
    std::fprintf(stderr, "%s: %s; the last message: %s\n", verb, what.c_str(), ewc_last_error());
    std::abort();
}

bool overlap(const Span& a, const Span& b) {
    const char* first = static_cast<const char*>(a.address);
    const char* second = static_cast<const char*>(b.address);
    return first < second + b.bytes && second < first + a.bytes;
}

} // namespace

void Call::judge(const char* verb, ewc_status status) const {
    if (status != EWC_OK) {
        if (status != EWC_INVALID_ARGUMENT && status != EWC_UNSUPPORTED) {
            broken(verb, "status " + std::to_string(status));
        }
        if (std::string(ewc_last_error()).rfind(verb, 0) != 0) {
            broken(verb, "a message that does not begin with the verb");
        }
        if (std::memcmp(memory_.data(), before_.data(), kBytes) != 0) {
            broken(verb, "refused, and yet wrote");
        }
        return;
    }
    // In the order of the address space: who may be written where, and who shares bytes with it.
    std::vector<bool> may_change(kBytes, false);
    for (size_t i = 0; i < spans_.size(); ++i) {
        const Span& span = spans_[i];
        for (size_t k = 0; span.written && k < spans_.size(); ++k) {
            if (k != i && span.bytes > 0 && spans_[k].bytes > 0 && overlap(span, spans_[k])) {
                broken(verb, "took arguments that overlap");
            }
        }
        const size_t offset =
            static_cast<size_t>(static_cast<const char*>(span.address) - reinterpret_cast<const char*>(memory_.data()));
        for (size_t byte = 0; span.written && byte < span.bytes; ++byte) {
            may_change[offset + byte] = true;
        }
    }
    const char* now = reinterpret_cast<const char*>(memory_.data());
    const char* then = reinterpret_cast<const char*>(before_.data());
    for (size_t byte = 0; byte < kBytes; ++byte) {
        if (now[byte] != then[byte] && !may_change[byte]) {
            broken(verb, "wrote where nothing of its call is to be written");
        }
    }
}

namespace {

void convert(Bytes&, Call& call) {
    const ewc_list* destination = call.list(EWC_BF16, true);
    const ewc_list* source = call.list(EWC_F32, false);
    call.judge("ewc_convert", ewc_convert(call.exec(), destination, source));
}

void fisher_accumulate(Bytes& bytes, Call& call) {
    const uint32_t flags = bytes.once_in(20) ? bytes.below(65536) : bytes.below(2);
    const ewc_list* fisher = call.list(EWC_F32, true);
    const ewc_list* gradient = call.list(EWC_F32, flags == EWC_ZERO_GRADIENT);
    call.judge("ewc_fisher_accumulate",
               ewc_fisher_accumulate(call.exec(), fisher, gradient, bytes.number(), flags));
}

void fisher_merge(Bytes& bytes, Call& call) {
    const ewc_list* fisher = call.list(EWC_F32, true);
    const ewc_list* new_fisher = call.optional_list(EWC_F32, false);
    const double retain = bytes.number();
    call.judge("ewc_fisher_merge", ewc_fisher_merge(call.exec(), fisher, new_fisher, retain, bytes.number()));
}

void fisher_max(Bytes&, Call& call) {
    const ewc_list* fisher = call.list(EWC_F32, true);
    const ewc_list* new_fisher = call.list(EWC_F32, false);
    call.judge("ewc_fisher_max", ewc_fisher_max(call.exec(), fisher, new_fisher));
}

using AnchorVerb = ewc_status (*)(const ewc_exec*, const ewc_list*, const ewc_list*, const ewc_list*, double*, void*,
                                  size_t);

void anchor(const char* name, AnchorVerb verb, Call& call) {
    const ewc_list* held = call.list(EWC_F32, true);
    const ewc_list* theta = call.list(EWC_F32, false);
    const ewc_list* fisher = call.list(EWC_F32, false);
    double* energy = call.object<double>(true);
    size_t needed = 0, given = 0;
    const ewc_status queried = ewc_anchor_workspace(call.given_exec(), theta, &needed);
    void* workspace = call.workspace(queried, needed, &given);
    call.judge(name, verb(call.exec(), held, theta, fisher, energy, workspace, given));
}

void anchor_displace(Bytes&, Call& call) { anchor("ewc_anchor_displace", ewc_anchor_displace, call); }

void anchor_restore(Bytes&, Call& call) { anchor("ewc_anchor_restore", ewc_anchor_restore, call); }

void anchor_merge(Bytes&, Call& call) {
    const ewc_list* held = call.list(EWC_I16_BLOCK256, false);
    const ewc_list* theta = call.list(EWC_F32, false);
    const ewc_list* fisher = call.list(EWC_F32, true);
    const ewc_list* new_fisher = call.list(EWC_F32, true);
    double* energy = call.object<double>(true);
    size_t needed = 0, given = 0;
    const ewc_status queried = ewc_anchor_workspace(call.given_exec(), theta, &needed);
    void* workspace = call.workspace(queried, needed, &given);
    call.judge("ewc_anchor_merge",
               ewc_anchor_merge(call.exec(), held, theta, fisher, new_fisher, energy, workspace, given));
}

void penalty(Bytes& bytes, Call& call) {
    const ewc_list* theta = call.list(EWC_F32, false);
    const ewc_list* held = call.list(EWC_F32, false);
    const ewc_list* fisher = call.list(EWC_F32, false);
    const ewc_list* gradient = call.optional_list(EWC_F32, true);
    const double* lambda = bytes.once_in(4) ? nullptr : call.object<double>(false);
    double* value = bytes.once_in(4) ? nullptr : call.object<double>(true);
    const double factors[Call::kSegments] = {1, 0, bytes.number(), bytes.number()};
    const double* segment_lambda = bytes.once_in(3) ? factors : nullptr;
    size_t needed = 0, given = 0;
    const ewc_status queried = ewc_penalty_workspace(call.given_exec(), theta, &needed);
    void* workspace = call.workspace(queried, needed, &given);
    call.judge("ewc_penalty",
               ewc_penalty(call.exec(), theta, held, fisher, gradient, lambda, segment_lambda, value, workspace,
                           given));
}

void norm(Bytes& bytes, Call& call) {
    const ewc_list* gradient = call.list(EWC_F32, false);
    const bool alone = bytes.once_in(3);
    const ewc_list* theta = alone ? nullptr : call.list(EWC_F32, false);
    const ewc_list* held = alone ? nullptr : call.list(EWC_F32, false);
    const ewc_list* fisher = alone ? nullptr : call.list(EWC_F32, false);
    const double* lambda = alone ? nullptr : call.object<double>(false);
    double* squared = call.object<double>(true);
    const double factors[Call::kSegments] = {1, 0, bytes.number(), bytes.number()};
    const double* segment_lambda = bytes.once_in(3) ? factors : nullptr;
    size_t needed = 0, given = 0;
    const ewc_status queried = ewc_norm_workspace(call.given_exec(), gradient, &needed);
    void* workspace = call.workspace(queried, needed, &given);
    call.judge("ewc_norm", ewc_norm(call.exec(), gradient, theta, held, fisher, lambda, segment_lambda, squared,
                                    workspace, given));
}

void adamw_step(Bytes& bytes, Call& call) {
    const uint32_t known = bytes.below(2) | (bytes.once_in(2) ? EWC_PROXIMAL : 0u);
    const uint32_t flags = bytes.once_in(20) ? bytes.below(65536) : known;
    const ewc_list* theta = call.list(EWC_F32, true);
    const ewc_list* first = call.list(EWC_F32, true);
    const ewc_list* second = call.list(EWC_F32, true);
    const ewc_list* gradient = call.list(EWC_F32, (flags & ~EWC_PROXIMAL) == EWC_ZERO_GRADIENT);
    const bool plain = bytes.once_in(3);
    const ewc_list* fisher = plain ? nullptr : call.list(EWC_F32, false);
    const ewc_list* held = plain ? nullptr : call.list(EWC_F32, false);
    double factors[Call::kSegments] = {1, 1, bytes.number(), bytes.number()};
    const double* segment_values = bytes.once_in(3) ? factors : nullptr;
    ewc_adamw_options options = {sizeof(options), 0.9, 0.999, 1e-8, 0.0, segment_values, segment_values, nullptr,
                                 segment_values};
    if (bytes.once_in(10)) {
        options.struct_size = bytes.below(128);
    }
    if (bytes.once_in(10)) {
        options.beta1 = bytes.number();
        options.epsilon = bytes.number();
    }
    // Options of the first version end before it, and then it isn't looked at.
    options.theta_copy = bytes.once_in(2) && options.struct_size == sizeof(options) ? call.list(EWC_BF16, true) : nullptr;
    ewc_adamw_values* values = call.object<ewc_adamw_values>(false);
    ewc_adamw_statistics* statistics = bytes.once_in(3) ? nullptr : call.object<ewc_adamw_statistics>(true);
    size_t needed = 0, given = 0;
    const ewc_status queried = ewc_adamw_step_workspace(call.given_exec(), theta, &needed);
    void* workspace = call.workspace(queried, needed, &given);
    call.judge("ewc_adamw_step", ewc_adamw_step(call.exec(), theta, first, second, gradient, fisher, held,
                                                bytes.once_in(50) ? nullptr : &options, values, flags, statistics,
                                                workspace, given));
}

void adamw_prepare(Bytes& bytes, Call& call) {
    const uint32_t flags = bytes.once_in(20) ? bytes.below(65536) : bytes.below(4) * 8;
    const double* squared = call.object<double>(false);
    ewc_adamw_values* values = call.object<ewc_adamw_values>(true);
    int64_t* skipped = bytes.once_in(3) ? nullptr : call.object<int64_t>(true);
    call.judge("ewc_adamw_prepare",
               ewc_adamw_prepare(call.exec(), squared, bytes.number(), flags, skipped, values));
}

int64_t extent(Bytes& bytes, uint32_t most) {
    static const int64_t kWrong[] = {-1, INT64_MIN, INT64_MAX, INT64_MAX / 8, int64_t{1} << 40, INT32_MAX};
    return bytes.once_in(25) ? kWrong[bytes.below(6)] : bytes.below(most + 1);
}

bool small(int64_t extent) { return extent >= 0 && extent <= 64; }

void cross_entropy(Bytes& bytes, Call& call) {
    const int64_t rows = extent(bytes, 8), columns = extent(bytes, 12);
    const bool sane = small(rows) && small(columns);
    if (rows > 0 && columns > 0 && !sane && rows <= INT32_MAX && columns <= INT32_MAX) {
        return; // an honest call of memory that is not there
    }
    const uint32_t flags = bytes.once_in(20) ? bytes.below(65536) : bytes.below(4) * 2;
    const auto dtype = static_cast<ewc_dtype>(bytes.once_in(20) ? static_cast<int32_t>(bytes.below(65536)) - 32000
                                                                : static_cast<int32_t>(bytes.below(3)));
    const bool known = dtype >= EWC_F32 && dtype <= EWC_BF16;
    const size_t cells = sane ? static_cast<size_t>(rows * columns) : 0;
    void* logits = call.region(known ? cells * static_cast<size_t>(element_bytes(dtype)) : 0, 4,
                               (flags & EWC_LOGITS_TO_GRADIENT) != 0);
    const size_t targets_bytes = sane ? static_cast<size_t>(rows) * sizeof(int64_t) : 0;
    auto* targets = static_cast<int64_t*>(call.region(targets_bytes, sizeof(int64_t), false));
    const double* scale = (flags & EWC_LOGITS_TO_GRADIENT) == 0 ? nullptr : call.object<double>(false);
    double* loss = call.object<double>(true);
    size_t needed = 0, given = 0;
    const ewc_status queried = ewc_cross_entropy_workspace(call.given_exec(), rows, &needed);
    void* workspace = call.workspace(queried, needed, &given);
    if (targets != nullptr && targets_bytes > 0) {
        call.fill(targets, targets_bytes, [&] { return columns > 0 ? extent(bytes, static_cast<uint32_t>(columns - 1)) : 0; });
    }
    call.judge("ewc_cross_entropy", ewc_cross_entropy(call.exec(), logits, dtype, rows, columns, targets, scale, flags,
                                                      loss, workspace, given));
}

const ewc_matrix* matrix(Bytes& bytes, Call& call, int64_t positions, ewc_matrix* made) {
    made->columns = extent(bytes, 8);
    made->stride = bytes.once_in(20) ? extent(bytes, 16) : made->columns;
    made->dtype = static_cast<ewc_dtype>(bytes.once_in(20) ? static_cast<int32_t>(bytes.below(65536)) - 32000 : 0);
    const bool sane = small(positions) && small(made->columns) && small(made->stride);
    const bool any = sane && positions > 0 && made->columns > 0 && made->stride >= made->columns;
    const int64_t elements = any ? (positions - 1) * made->stride + made->columns : 0;
    made->data = call.region(static_cast<size_t>(elements * element_bytes(made->dtype)), 4, false);
    return made;
}

void accumulate_linear(Bytes& bytes, Call& call) {
    const int64_t examples = bytes.once_in(20) ? -static_cast<int64_t>(bytes.below(9)) : bytes.below(4);
    int64_t offsets[4] = {bytes.below(2), 0, 0, 0};
    for (int i = 1; i < 4; ++i) {
        offsets[i] = bytes.once_in(20) ? extent(bytes, 8) : offsets[i - 1] + (small(offsets[i - 1]) ? bytes.below(4) : 0);
    }
    const int64_t positions = examples < 0 ? 0 : offsets[examples];
    ewc_matrix matrices[2];
    const ewc_matrix* left = bytes.once_in(40) ? nullptr : matrix(bytes, call, positions, &matrices[0]);
    const ewc_matrix* right = bytes.once_in(4) ? nullptr : matrix(bytes, call, positions, &matrices[1]);
    const int64_t columns = right == nullptr ? 1 : right->columns;
    const bool cells = left != nullptr && small(left->columns) && small(columns);
    const size_t fisher_bytes = cells ? static_cast<size_t>(left->columns * columns) * sizeof(float) : 0;
    auto* fisher = static_cast<float*>(call.region(fisher_bytes, sizeof(float), true));
    size_t needed = 0, given = 0;
    const int64_t* at = bytes.once_in(40) ? nullptr : offsets;
    const ewc_status queried =
        ewc_fisher_accumulate_linear_workspace(call.given_exec(), left, right, at, examples, &needed);
    void* workspace = call.workspace(queried, needed, &given);
    const auto lies_there = [](const ewc_matrix* matrix) {
        return matrix == nullptr || (small(matrix->columns) && small(matrix->stride));
    };
    const bool all_there = small(positions) && lies_there(left) && lies_there(right);
    if (!all_there && queried == EWC_OK && needed <= given) {
        return; // as above: nothing wrong with it but that the memory is not there
    }
    call.judge("ewc_fisher_accumulate_linear",
               ewc_fisher_accumulate_linear(call.exec(), fisher, left, right, at, examples, bytes.number(), workspace,
                                            given));
}

// A product's sizes, and f32 matrices of them.
struct Sizes {
    int64_t rows, out, in;

    explicit Sizes(Bytes& bytes) : rows(extent(bytes, 6)), out(extent(bytes, 12)), in(extent(bytes, 10)) {}

    bool all_small() const { return small(rows) && small(out) && small(in); }
    // None is refused, and yet the memory is not there.
    bool too_large_to_try() const {
        return !all_small() && rows >= 0 && rows <= INT32_MAX && out > 0 && out <= INT32_MAX && in > 0 && in <= INT32_MAX;
    }
    float* matrix(Call& call, int64_t high, int64_t wide, bool written) const {
        const size_t bytes = all_small() ? static_cast<size_t>(high * wide) * sizeof(float) : 0;
        return static_cast<float*>(call.region(bytes, sizeof(float), written));
    }
};

void linear(Bytes& bytes, Call& call) {
    const Sizes sizes(bytes);
    if (sizes.too_large_to_try()) {
        return;
    }
    const float* x = sizes.matrix(call, sizes.rows, sizes.in, false);
    const float* weight = sizes.matrix(call, sizes.out, sizes.in, false);
    float* y = sizes.matrix(call, sizes.rows, sizes.out, true);
    call.judge("ewc_linear", ewc_linear(call.exec(), x, weight, sizes.rows, sizes.out, sizes.in, y));
}

void linear_backward(Bytes& bytes, Call& call) {
    const Sizes sizes(bytes);
    if (sizes.too_large_to_try()) {
        return;
    }
    const uint32_t flags = bytes.once_in(20) ? bytes.below(65536) : bytes.below(2) * EWC_ADD_WEIGHT_GRADIENT;
    const float* gradient = sizes.matrix(call, sizes.rows, sizes.out, false);
    const float* x = sizes.matrix(call, sizes.rows, sizes.in, false);
    const float* weight = sizes.matrix(call, sizes.out, sizes.in, false);
    float* x_gradient = sizes.matrix(call, sizes.rows, sizes.in, true);
    float* weight_gradient = bytes.once_in(4) ? nullptr : sizes.matrix(call, sizes.out, sizes.in, true);
    size_t needed = 0, given = 0;
    const ewc_status queried =
        ewc_linear_backward_workspace(call.given_exec(), sizes.rows, sizes.out, sizes.in, &needed);
    void* workspace = call.workspace(queried, needed, &given);
    call.judge("ewc_linear_backward",
               ewc_linear_backward(call.exec(), gradient, x, weight, sizes.rows, sizes.out, sizes.in, flags, x_gradient,
                                   weight_gradient, workspace, given));
}

void segment_bytes_of(Bytes& bytes, Call&) {
    const auto dtype = static_cast<ewc_dtype>(static_cast<int32_t>(bytes.below(65536)) - 32000);
    const int64_t numel = extent(bytes, 65535);
    const int64_t size = ewc_segment_bytes(dtype, numel);
    if (size < 0 && dtype >= EWC_F32 && dtype <= EWC_U8_BLOCK256 && numel >= 0 && numel <= 65535) {
        broken("ewc_segment_bytes", "refused a size");
    }
}

using Verb = void (*)(Bytes&, Call&);
const Verb kVerbs[] = {convert,      fisher_accumulate, fisher_merge,  fisher_max, anchor_displace,
                       anchor_merge, anchor_restore,    penalty,       norm,       adamw_step,
                       adamw_step,   adamw_prepare,     cross_entropy, accumulate_linear, linear,
                       linear_backward, segment_bytes_of};

} // namespace

void try_call(const uint8_t* data, size_t size) {
    Bytes bytes(data, size);
    const uint32_t verb = bytes.below(sizeof(kVerbs) / sizeof(Verb));
    Call call(bytes);
    kVerbs[verb](bytes, call);
}

} // namespace ewc::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    ewc::fuzz::try_call(data, size);
    return 0;
}
