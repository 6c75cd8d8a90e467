// What a verb refuses, and that the message names verb, parameter, expected and came.
#include <cmath>

#include <gtest/gtest.h>

#include "lists.h"

namespace ewc::test {
namespace {

class Arguments : public testing::Test {
protected:
    const bool at_host = (go_to(places().front()), true); // before the lists, which take its memory
    ewc_exec exec = {-1, 1, nullptr};
    Values a{{4, 2}, 1, 0, 1};
    Values b{{4, 2}, 2, 0, 1};

    static void expect(ewc_status expected, ewc_status came, const std::string& message) {
        EXPECT_EQ(expected, came);
        EXPECT_NE(std::string::npos, std::string(ewc_last_error()).find(message)) << ewc_last_error();
    }
    ewc_status accumulate(const ewc_list* fisher, const ewc_list* gradient) {
        return ewc_fisher_accumulate(&exec, fisher, gradient, 1.0, 0);
    }
};

TEST_F(Arguments, Null) {
    expect(EWC_INVALID_ARGUMENT, ewc_fisher_accumulate(nullptr, a.list(), b.list(), 1, 0),
           "ewc_fisher_accumulate: exec: expected an address, came NULL");
    expect(EWC_INVALID_ARGUMENT, accumulate(nullptr, b.list()), "fisher: expected an address");
    expect(EWC_INVALID_ARGUMENT, accumulate(a.list(), nullptr), "gradient: expected an address");
    ewc_list list = *a.list();
    list.data = nullptr;
    expect(EWC_INVALID_ARGUMENT, accumulate(&list, b.list()), "fisher.data");
    list = *a.list();
    list.numel = nullptr;
    expect(EWC_INVALID_ARGUMENT, accumulate(&list, b.list()), "fisher.numel");
    void* addresses[] = {a.list()->data[0], nullptr};
    list = *a.list();
    list.data = addresses;
    expect(EWC_INVALID_ARGUMENT, accumulate(a.list(), &list), "gradient segment 1: expected an address, came NULL");
    double sum = 0;
    expect(EWC_INVALID_ARGUMENT, ewc_norm(&exec, a.list(), nullptr, nullptr, nullptr, nullptr, nullptr, &sum, nullptr, 0),
           "ewc_norm: workspace");
    expect(EWC_INVALID_ARGUMENT, ewc_norm_workspace(&exec, a.list(), nullptr), "ewc_norm_workspace: bytes");
    expect(EWC_INVALID_ARGUMENT, ewc_cuda_device_count(nullptr), "ewc_cuda_device_count: count");
}

TEST_F(Arguments, EmptySegmentsMayHaveNoAddress) {
    const int64_t numel[] = {0};
    void* addresses[] = {nullptr};
    const ewc_list list = {1, numel, addresses, EWC_F32};
    EXPECT_EQ(EWC_OK, accumulate(&list, &list)) << ewc_last_error();
    const ewc_list none = {0, nullptr, nullptr, EWC_F32};
    EXPECT_EQ(EWC_OK, accumulate(&none, &none)) << ewc_last_error();
}

TEST_F(Arguments, SizesThatDoNotFit) {
    Values fewer({4}, 1, 0, 1), other({4, 3}, 1, 0, 1);
    expect(EWC_INVALID_ARGUMENT, accumulate(a.list(), fewer.list()),
           "gradient: expected as many segments as fisher has (2), came 1");
    expect(EWC_INVALID_ARGUMENT, accumulate(a.list(), other.list()),
           "gradient segment 1: expected as many elements as fisher has there (2), came 3");
    ewc_list list = *a.list();
    list.count = -1;
    expect(EWC_INVALID_ARGUMENT, accumulate(&list, b.list()), "fisher.count: expected 0 or more segments, came -1");
    const int64_t negative[] = {4, -2};
    list = *a.list();
    list.numel = negative;
    expect(EWC_INVALID_ARGUMENT, accumulate(&list, b.list()), "fisher segment 1: expected 0 or more elements, came -2");
    const int64_t huge[] = {INT64_MAX / 8, 1};
    list.numel = huge;
    expect(EWC_INVALID_ARGUMENT, accumulate(&list, b.list()), "elements in total");
}

TEST_F(Arguments, Alignment) {
    void* addresses[] = {static_cast<char*>(a.list()->data[0]) + 1, a.list()->data[1]};
    ewc_list list = *a.list();
    list.data = addresses;
    expect(EWC_INVALID_ARGUMENT, accumulate(&list, b.list()), "fisher segment 0: expected an address that is a multiple");
}

TEST_F(Arguments, ScalarsAreAligned) {
    alignas(8) char memory[24];
    auto* sum = reinterpret_cast<double*>(memory + 4);
    double workspace[8];
    expect(EWC_INVALID_ARGUMENT,
           ewc_norm(&exec, a.list(), nullptr, nullptr, nullptr, nullptr, nullptr, sum, workspace, sizeof(workspace)),
           "ewc_norm: norm_squared: expected an address that is a multiple of 8");
}

TEST_F(Arguments, BeyondTheAddressSpace) {
    void* addresses[] = {reinterpret_cast<void*>(UINTPTR_MAX - 7), b.list()->data[1]};
    ewc_list list = *b.list();
    list.data = addresses;
    expect(EWC_INVALID_ARGUMENT, accumulate(a.list(), &list),
           "gradient segment 0: expected memory inside the address space");
}

// What is written overlaps nothing; what is only read may be the same memory twice.
TEST_F(Arguments, Overlap) {
    expect(EWC_INVALID_ARGUMENT, accumulate(a.list(), a.list()),
           "fisher segment 0: is written, so expected memory that nothing else of the call uses, but gradient segment 0"
           " overlaps it");
    float* first = static_cast<float*>(b.list()->data[0]);
    void* addresses[] = {first, first + 3};
    ewc_list list = *b.list();
    list.data = addresses;
    expect(EWC_INVALID_ARGUMENT, accumulate(&list, a.list()), "fisher segment 1 overlaps it");
    EXPECT_EQ(EWC_OK, accumulate(a.list(), &list)) << ewc_last_error();
    expect(EWC_INVALID_ARGUMENT, ewc_fisher_accumulate(&exec, a.list(), &list, 1, EWC_ZERO_GRADIENT),
           "gradient segment 0: is written");
    addresses[1] = first + 4;
    EXPECT_EQ(EWC_OK, accumulate(&list, a.list())) << ewc_last_error();

    double workspace[8], penalty = 0, lambda = 1;
    const size_t bytes = sizeof(workspace);
    EXPECT_EQ(EWC_OK, ewc_penalty(&exec, a.list(), a.list(), a.list(), nullptr, nullptr, nullptr, &penalty, workspace, bytes));
    expect(EWC_INVALID_ARGUMENT,
           ewc_penalty(&exec, a.list(), a.list(), a.list(), b.list(), &lambda, nullptr, &lambda, workspace, bytes),
           "penalty: is written, so expected memory that nothing else of the call uses, but lambda overlaps it");
    expect(EWC_INVALID_ARGUMENT,
           ewc_penalty(&exec, a.list(), a.list(), a.list(), nullptr, nullptr, nullptr, workspace + 1, workspace, bytes),
           "overlaps it");
}

// The arrays of the caller that a verb reads until its end: offsets that become a Fisher would lead it anywhere.
TEST_F(Arguments, OverlapWithArrays) {
    double factors[] = {1, 1}, penalty = 0, workspace[8];
    const auto value = [&](double* to, const double* segment_lambda) {
        return ewc_penalty(&exec, a.list(), b.list(), b.list(), nullptr, nullptr, segment_lambda, to, workspace,
                           sizeof(workspace));
    };
    expect(EWC_INVALID_ARGUMENT, value(&factors[1], factors), "penalty: is written, so expected memory that nothing else of "
                                                              "the call uses, but segment_lambda overlaps it");
    expect(EWC_INVALID_ARGUMENT, value(&penalty, reinterpret_cast<const double*>(reinterpret_cast<char*>(factors) + 4)),
           "segment_lambda: expected an address that is a multiple of 8");
    ewc_adamw_options options = {sizeof(options), 0.9, 0.999, 1e-8, 0, nullptr, factors, nullptr, nullptr};
    const ewc_adamw_values values = {1, 1e-3, 1, 1, 1};
    Values c({4, 2}, 3, 0, 1), d({4, 2}, 4, 0, 1);
    expect(EWC_INVALID_ARGUMENT,
           ewc_adamw_step(&exec, a.list(), b.list(), c.list(), d.list(), nullptr, nullptr, &options, &values, 0,
                          reinterpret_cast<ewc_adamw_statistics*>(factors), workspace, sizeof(workspace)),
           "statistics: is written, so expected memory that nothing else of the call uses, but "
           "options->segment_weight_decay overlaps it");
    int64_t offsets[] = {0, 1, 2};
    const ewc_matrix left = {a.list()->data[0], 2, 2, EWC_F32};
    expect(EWC_INVALID_ARGUMENT,
           ewc_fisher_accumulate_linear(&exec, reinterpret_cast<float*>(&offsets[1]), &left, nullptr, offsets, 2, 1, nullptr, 0),
           "but offsets overlaps it");
    int64_t sizes[] = {4, 2};
    void* addresses[] = {sizes, a.list()->data[1]};
    const ewc_list list = {2, sizes, addresses, EWC_F32};
    expect(EWC_INVALID_ARGUMENT, accumulate(&list, b.list()), "fisher segment 0: is written, so expected memory that "
                                                              "nothing else of the call uses, but fisher overlaps it");
    EXPECT_EQ(4, sizes[0]);
    EXPECT_EQ(1, offsets[1]);
}

// More written segments than are looked at together, in no order of their addresses.
TEST_F(Arguments, OverlapOfManySegments) {
    constexpr int64_t kSegments = 300;
    std::vector<float> memory(2 * kSegments), others(2 * kSegments);
    std::vector<int64_t> numel(kSegments, 2);
    std::vector<void*> written(kSegments), read(kSegments);
    for (int64_t i = 0; i < kSegments; ++i) {
        const size_t at = static_cast<size_t>(2 * ((i * 77) % kSegments));
        written[static_cast<size_t>(i)] = memory.data() + at;
        read[static_cast<size_t>(i)] = others.data() + at;
    }
    const ewc_list fisher = {kSegments, numel.data(), written.data(), EWC_F32};
    const ewc_list gradient = {kSegments, numel.data(), read.data(), EWC_F32};
    EXPECT_EQ(EWC_OK, accumulate(&fisher, &gradient)) << ewc_last_error();
    for (const size_t other : {size_t{0}, size_t{150}, size_t{298}}) {
        void* const before = written[299];
        written[299] = static_cast<float*>(written[other]) + 1;
        EXPECT_EQ(EWC_INVALID_ARGUMENT, accumulate(&fisher, &gradient)) << other;
        written[299] = before;
        read[299] = static_cast<float*>(written[other]) + 1;
        expect(EWC_INVALID_ARGUMENT, accumulate(&fisher, &gradient), "gradient segment 299 overlaps it");
        read[299] = others.data();
    }
}

TEST_F(Arguments, Dtypes) {
    for (const int wrong : {-1, 4, 1 << 20, INT32_MIN}) {
        ewc_list strange = *a.list();
        strange.dtype = static_cast<ewc_dtype>(wrong);
        expect(EWC_INVALID_ARGUMENT, accumulate(&strange, b.list()),
               "fisher.dtype: expected EWC_F32 (0), came " + std::to_string(wrong));
    }
    ewc_list list = *a.list();
    list.dtype = EWC_BF16;
    expect(EWC_INVALID_ARGUMENT, accumulate(&list, b.list()), "fisher.dtype: expected EWC_F32 (0), came 2");
    list.dtype = EWC_I16_BLOCK256;
    expect(EWC_INVALID_ARGUMENT, accumulate(a.list(), &list),
           "gradient.dtype: expected EWC_F32 (0) or EWC_F16 (1) or EWC_BF16 (2), came 3");
    EXPECT_EQ(-1, ewc_segment_bytes(EWC_F32, -1));
    EXPECT_EQ(4 * 7, ewc_segment_bytes(EWC_F32, 7));
    EXPECT_EQ(2 * 8 + 4, ewc_segment_bytes(EWC_I16_BLOCK256, 7));
    EXPECT_EQ(2 * 258 + 8, ewc_segment_bytes(EWC_I16_BLOCK256, 257));
    EXPECT_EQ(8 + 4, ewc_segment_bytes(EWC_U8_BLOCK256, 5));
    EXPECT_EQ(260 + 8, ewc_segment_bytes(EWC_U8_BLOCK256, 257));
    list.dtype = EWC_U8_BLOCK256;
    expect(EWC_INVALID_ARGUMENT, ewc_fisher_merge(&exec, &list, a.list(), 1, 1),
           "fisher.dtype: expected EWC_F32 (0) or EWC_BF16 (2), came 4");
}

TEST_F(Arguments, Scalars) {
    expect(EWC_INVALID_ARGUMENT, ewc_fisher_accumulate(&exec, a.list(), b.list(), NAN, 0), "weight: expected a finite");
    expect(EWC_INVALID_ARGUMENT, ewc_fisher_merge(&exec, a.list(), b.list(), INFINITY, 1), "retain: expected a finite");
    expect(EWC_UNSUPPORTED, ewc_fisher_accumulate(&exec, a.list(), b.list(), 1, 6), "flags: expected only bits of 1");
    exec.threads = -2;
    expect(EWC_INVALID_ARGUMENT, accumulate(a.list(), b.list()), "exec->threads: expected 0 to 4096, came -2");
    exec.threads = INT32_MAX;
    expect(EWC_INVALID_ARGUMENT, accumulate(a.list(), b.list()), "exec->threads: expected 0 to 4096, came 2147483647");
    exec = {-7, 1, nullptr};
    expect(EWC_INVALID_ARGUMENT, accumulate(a.list(), b.list()), "exec->device");
}

TEST_F(Arguments, NormTakesAllOfThePenaltyOrNone) {
    double sum = 0;
    double workspace[8];
    expect(EWC_INVALID_ARGUMENT,
           ewc_norm(&exec, a.list(), a.list(), nullptr, nullptr, nullptr, nullptr, &sum, workspace, sizeof(workspace)),
           "expected all four or none, came 1");
}

TEST_F(Arguments, FactorsOfLambda) {
    Values c({4, 2}, 3, 0, 1), d({4, 2}, 4, 0, 1);
    double lambda = 1, sum = 0, workspace[8];
    const double negative[] = {1, -0.5}, infinite[] = {INFINITY, 1}, none[] = {0, NAN};
    expect(EWC_INVALID_ARGUMENT,
           ewc_norm(&exec, a.list(), b.list(), c.list(), d.list(), &lambda, negative, &sum, workspace, sizeof(workspace)),
           "ewc_norm: segment_lambda[1]: expected a number from 0, below inf, came -0.5");
    expect(EWC_INVALID_ARGUMENT,
           ewc_penalty(&exec, b.list(), c.list(), d.list(), nullptr, nullptr, infinite, &sum, workspace, sizeof(workspace)),
           "ewc_penalty: segment_lambda[0]: expected a number from 0, below inf, came inf");
    ewc_adamw_options options = {sizeof(options), 0.9, 0.999, 1e-8, 0, nullptr, nullptr, nullptr, none};
    const ewc_adamw_values values = {1, 1e-3, 1, 1, 1};
    expect(EWC_INVALID_ARGUMENT,
           ewc_adamw_step(&exec, a.list(), b.list(), c.list(), d.list(), nullptr, nullptr, &options, &values, 0, nullptr,
                          workspace, sizeof(workspace)),
           "ewc_adamw_step: options->segment_lambda[1]: expected a number from 0, below inf, came nan");
}

TEST_F(Arguments, Anchor) {
    Values c({4, 2}, 3, 0, 1), d({4, 2}, 4, 0, 1);
    double energy = 0, workspace[8];
    const size_t bytes = sizeof(workspace);
    EXPECT_EQ(EWC_OK, ewc_anchor_displace(&exec, a.list(), b.list(), c.list(), &energy, workspace, bytes));
    ewc_list list = *c.list();
    list.dtype = EWC_BF16;
    expect(EWC_INVALID_ARGUMENT, ewc_anchor_restore(&exec, a.list(), b.list(), &list, &energy, workspace, bytes),
           "ewc_anchor_restore: fisher.dtype: expected EWC_F32 (0), came 2");
    expect(EWC_INVALID_ARGUMENT,
           ewc_anchor_merge(&exec, a.list(), b.list(), c.list(), nullptr, &energy, workspace, bytes),
           "ewc_anchor_merge: new_fisher: expected an address");
    expect(EWC_INVALID_ARGUMENT,
           ewc_anchor_merge(&exec, a.list(), b.list(), c.list(), d.list(), nullptr, workspace, bytes),
           "energy: expected an address");
    expect(EWC_INVALID_ARGUMENT, ewc_anchor_displace(&exec, a.list(), b.list(), c.list(), &energy, workspace, 8),
           "workspace_bytes: expected at least 16, came 8");
    expect(EWC_INVALID_ARGUMENT, ewc_fisher_max(&exec, a.list(), nullptr), "ewc_fisher_max: new_fisher");
}

TEST_F(Arguments, AdamW) {
    Values c({4, 2}, 3, 0, 1), d({4, 2}, 4, 0, 1);
    ewc_adamw_options options = {sizeof(options), 0.9, 0.999, 1e-8, 0, nullptr, nullptr, nullptr, nullptr};
    ewc_adamw_values values = {1, 1e-3, 1, 1, 1};
    double workspace[16];
    uint32_t flags = 0;
    size_t bytes = sizeof(workspace);
    const auto step = [&](const ewc_list* fisher, const ewc_list* anchor) {
        return ewc_adamw_step(&exec, a.list(), b.list(), c.list(), d.list(), fisher, anchor, &options, &values, flags,
                              nullptr, workspace, bytes);
    };
    EXPECT_EQ(EWC_OK, step(nullptr, nullptr)) << ewc_last_error();
    for (const size_t size : {40, 64}) { // as earlier versions of the header had it: what lies behind is not read
        options.struct_size = size;
        options.segment_lambda = reinterpret_cast<const double*>(8);
        EXPECT_EQ(EWC_OK, step(nullptr, nullptr)) << ewc_last_error();
    }
    options = {sizeof(options), 0.9, 0.999, 1e-8, 0, nullptr, nullptr, nullptr, nullptr};
    flags = 2;
    expect(EWC_UNSUPPORTED, step(nullptr, nullptr), "ewc_adamw_step: flags: expected only bits of 33, came 2");
    flags = 0;
    expect(EWC_INVALID_ARGUMENT, step(a.list(), nullptr), "fisher, anchor: expected both or neither");
    options.beta2 = 1.0;
    expect(EWC_INVALID_ARGUMENT, step(nullptr, nullptr), "options->beta2");
    options = {8, 0.9, 0.999, 1e-8, 0, nullptr, nullptr, nullptr, nullptr};
    expect(EWC_UNSUPPORTED, step(nullptr, nullptr), "options->struct_size: expected 40, 64 or 72, came 8");
    options.struct_size = sizeof(options);
    values.step = -1;
    expect(EWC_INVALID_ARGUMENT, step(nullptr, nullptr), "values->step: expected 0 or more, came -1");
    values.step = 1;
    bytes = 8;
    expect(EWC_INVALID_ARGUMENT, step(nullptr, nullptr), "workspace_bytes: expected at least 48, came 8");
}

TEST_F(Arguments, CrossEntropy) {
    std::vector<float> logits(8, 1.0f);
    std::vector<int64_t> targets = {0, 3};
    double loss = 7.0, scale = 1.0, workspace[2];
    size_t bytes = 0;
    const auto run = [&](void* data, ewc_dtype dtype, int64_t rows, int64_t columns, uint32_t flags) {
        return ewc_cross_entropy(&exec, data, dtype, rows, columns, targets.data(), &scale, flags, &loss, workspace,
                                 sizeof(workspace));
    };
    EXPECT_EQ(EWC_OK, ewc_cross_entropy_workspace(&exec, 2, &bytes)) << ewc_last_error();
    EXPECT_EQ(sizeof(workspace), bytes);
    expect(EWC_INVALID_ARGUMENT, ewc_cross_entropy_workspace(&exec, -1, &bytes), "rows: expected 0 to 2^31 - 1, came -1");
    expect(EWC_INVALID_ARGUMENT, ewc_cross_entropy_workspace(&exec, 1, nullptr), "bytes: expected an address");
    expect(EWC_INVALID_ARGUMENT, run(logits.data(), EWC_F32, int64_t{1} << 31, 4, 0), "rows: expected 0 to 2^31 - 1");
    expect(EWC_INVALID_ARGUMENT, run(logits.data(), EWC_F32, 2, 0, 0), "columns: expected 1 to 2^31 - 1, came 0");
    expect(EWC_INVALID_ARGUMENT, run(logits.data(), EWC_F32, INT32_MAX, INT32_MAX, 0), "rows x columns: expected at most");
    expect(EWC_INVALID_ARGUMENT, run(logits.data(), EWC_I16_BLOCK256, 2, 4, 0),
           "dtype: expected EWC_F32 (0) or EWC_F16 (1) or EWC_BF16 (2), came 3");
    expect(EWC_INVALID_ARGUMENT, run(nullptr, EWC_F32, 2, 4, 0), "ewc_cross_entropy: logits: expected an address");
    expect(EWC_INVALID_ARGUMENT, run(reinterpret_cast<char*>(logits.data()) + 2, EWC_F32, 1, 4, 0),
           "logits: expected an address that is a multiple of 4");
    expect(EWC_INVALID_ARGUMENT, run(logits.data(), EWC_F32, 2, 3, 0),
           "targets[1]: expected 0 or more, below the columns (3), came 3");
    expect(EWC_UNSUPPORTED, run(logits.data(), EWC_F32, 2, 4, 1), "flags: expected only bits of 6, came 1");
    expect(EWC_INVALID_ARGUMENT,
           ewc_cross_entropy(&exec, logits.data(), EWC_F32, 2, 4, nullptr, &scale, 0, &loss, workspace, bytes),
           "targets: expected an address");
    expect(EWC_INVALID_ARGUMENT,
           ewc_cross_entropy(&exec, logits.data(), EWC_F32, 2, 4, targets.data(), nullptr, EWC_LOGITS_TO_GRADIENT, &loss,
                             workspace, bytes),
           "scale: expected an address");
    expect(EWC_INVALID_ARGUMENT,
           ewc_cross_entropy(&exec, logits.data(), EWC_F32, 2, 4, targets.data(), &scale, 0, nullptr, workspace, bytes),
           "loss: expected an address");
    expect(EWC_INVALID_ARGUMENT,
           ewc_cross_entropy(&exec, logits.data(), EWC_F32, 2, 4, targets.data(), &scale, 0, &loss, workspace, 8),
           "workspace_bytes: expected at least 16, came 8");
    EXPECT_EQ(7.0, loss);
    EXPECT_EQ(std::vector<float>(8, 1.0f), logits);
    EXPECT_EQ(EWC_OK, ewc_cross_entropy(&exec, nullptr, EWC_F32, 0, 1, nullptr, nullptr, 0, &loss, nullptr, 0));
    EXPECT_EQ(0.0, loss);
}

TEST_F(Arguments, ProductsOfFewRows) {
    std::vector<float> x(8, 1.0f), weight(12, 1.0f), y(6, 5.0f), x_gradient(8, 5.0f);
    std::vector<double> workspace(4096);
    const auto forward = [&](int64_t rows, int64_t out, int64_t in, float* to) {
        return ewc_linear(&exec, x.data(), weight.data(), rows, out, in, to);
    };
    const auto backward = [&](uint32_t flags, float* to, size_t bytes) {
        return ewc_linear_backward(&exec, y.data(), x.data(), weight.data(), 2, 3, 4, flags, to, nullptr,
                                   workspace.data(), bytes);
    };
    expect(EWC_INVALID_ARGUMENT, forward(-1, 3, 4, y.data()), "ewc_linear: rows: expected 0 to 2^31 - 1, came -1");
    expect(EWC_INVALID_ARGUMENT, forward(2, 0, 4, y.data()), "out: expected 1 to 2^31 - 1, came 0");
    expect(EWC_INVALID_ARGUMENT, forward(2, 3, -4, y.data()), "in: expected 1 to 2^31 - 1, came -4");
    expect(EWC_INVALID_ARGUMENT, forward(2, INT32_MAX, INT32_MAX, y.data()), "rows, out, in: expected at most");
    expect(EWC_INVALID_ARGUMENT, forward(INT32_MAX, 3, 4096, y.data()), "rows, out, in: expected at most");
    expect(EWC_INVALID_ARGUMENT, forward(2, 3, 4, nullptr), "y: expected an address, came NULL");
    expect(EWC_INVALID_ARGUMENT, forward(2, 3, 4, weight.data()), "overlap");
    expect(EWC_UNSUPPORTED, backward(1, x_gradient.data(), 32768), "ewc_linear_backward: flags");
    expect(EWC_INVALID_ARGUMENT, backward(0, nullptr, 32768), "x_gradient: expected an address, came NULL");
    expect(EWC_INVALID_ARGUMENT, backward(0, x.data(), 32768), "overlap");
    expect(EWC_INVALID_ARGUMENT, backward(0, x_gradient.data(), 8), "workspace_bytes: expected at least");
    expect(EWC_INVALID_ARGUMENT, ewc_linear_backward_workspace(&exec, 2, 3, 4, nullptr), "bytes: expected an address");
    EXPECT_EQ(std::vector<float>(6, 5.0f), y);
    EXPECT_EQ(std::vector<float>(8, 5.0f), x_gradient);
    const ewc_exec device = {0, 0, nullptr};
    expect(EWC_UNSUPPORTED, ewc_linear(&device, x.data(), weight.data(), 2, 3, 4, y.data()),
           "exec->device: expected -1, the host, came 0");
    EXPECT_EQ(EWC_OK, forward(0, 3, 4, nullptr));
    EXPECT_EQ(EWC_OK, forward(2, 3, 4, y.data()));
    EXPECT_EQ(std::vector<float>(6, 4.0f), y);
}

TEST_F(Arguments, Linear) {
    Values left({20}, 3, 0, 1), right({20}, 4, 0, 1), fisher({6}, 5, 0, 1);
    const auto before = fisher.read();
    ewc_matrix gradients = {left.list()->data[0], 2, 5, EWC_F32};
    ewc_matrix inputs = {right.list()->data[0], 3, 4, EWC_F32};
    std::vector<int64_t> offsets = {0, 3, 4};
    float* to = static_cast<float*>(fisher.list()->data[0]);
    std::vector<double> workspace(4096);
    size_t bytes = 4096 * sizeof(double);
    int64_t examples = 2;
    const auto run = [&](double weight = 1.0) {
        return ewc_fisher_accumulate_linear(&exec, to, &gradients, &inputs, offsets.data(), examples, weight,
                                            workspace.data(), bytes);
    };
    const auto refused = [&](const std::string& message) { expect(EWC_INVALID_ARGUMENT, run(), message); };
    gradients.columns = -1;
    refused("ewc_fisher_accumulate_linear: left->columns: expected 0 or more, came -1");
    gradients.columns = 6;
    refused("left->stride: expected 6, the columns, or more, came 5");
    gradients.columns = 2;
    gradients.stride = INT64_MAX / 8;
    refused("left: expected at most");
    gradients.stride = 5;
    gradients.dtype = EWC_F16;
    refused("left->dtype: expected EWC_F32 (0) or EWC_BF16 (2), came 1");
    gradients.dtype = EWC_BF16;
    refused("right->dtype: expected that of left (2), came 0");
    gradients.dtype = EWC_F32;
    inputs.data = nullptr;
    refused("right->data: expected an address, came NULL");
    inputs.data = static_cast<const char*>(right.list()->data[0]) + 2;
    refused("right->data: expected an address that is a multiple of 4");
    inputs.data = right.list()->data[0];
    offsets = {0, 5, 4};
    refused("offsets[2]: expected 5, the offset before, or more, came 4");
    offsets = {-1, 3, 4};
    refused("offsets[0]: expected 0 or more, came -1");
    offsets = {0, 3, 4};
    examples = -1;
    refused("examples: expected 0 or more, came -1");
    examples = 2;
    expect(EWC_INVALID_ARGUMENT, run(NAN), "weight: expected a finite");
    size_t needed = 0;
    EXPECT_EQ(EWC_OK, ewc_fisher_accumulate_linear_workspace(&exec, &gradients, &inputs, offsets.data(), examples, &needed));
    bytes = needed - 1;
    refused("workspace_bytes: expected at least " + std::to_string(needed));
    expect(EWC_INVALID_ARGUMENT,
           ewc_fisher_accumulate_linear(&exec, nullptr, &gradients, &inputs, offsets.data(), 2, 1, workspace.data(), needed),
           "fisher: expected an address, came NULL");
    expect(EWC_INVALID_ARGUMENT, ewc_fisher_accumulate_linear(&exec, to, &gradients, &inputs, nullptr, 2, 1, workspace.data(), needed),
           "offsets: expected an address, came NULL");
    expect(EWC_INVALID_ARGUMENT,
           ewc_fisher_accumulate_linear(&exec, to, nullptr, &inputs, offsets.data(), 2, 1, workspace.data(), needed),
           "left: expected an address, came NULL");
    expect(EWC_INVALID_ARGUMENT,
           ewc_fisher_accumulate_linear_workspace(&exec, &gradients, &inputs, offsets.data(), examples, nullptr),
           "ewc_fisher_accumulate_linear_workspace: bytes: expected an address");
    EXPECT_EQ(before, fisher.read());
    bytes = needed;
    EXPECT_EQ(EWC_OK, run()) << ewc_last_error();
    EXPECT_NE(before, fisher.read());
}

// Where a refusal comes, nothing was written.
TEST_F(Arguments, NothingIsWrittenOnRefusal) {
    const auto before = a.read();
    EXPECT_NE(EWC_OK, ewc_fisher_accumulate(&exec, a.list(), b.list(), NAN, 0));
    EXPECT_EQ(before, a.read());
}

// No CUDA library beside the test program, or one without a device: a reason, not a crash.
TEST_F(Arguments, DeviceWithoutCudaIsAReasonedRefusal) {
    int32_t devices = -1;
    if (ewc_cuda_device_count(&devices) == EWC_OK) {
        GTEST_SKIP() << "this machine has a device";
    }
    EXPECT_EQ(0, devices);
    exec = {0, 0, nullptr};
    const ewc_status status = accumulate(a.list(), b.list());
    EXPECT_EQ(EWC_UNSUPPORTED, status) << ewc_last_error();
    EXPECT_GT(std::string(ewc_last_error()).size(), 30u) << ewc_last_error();
    size_t bytes = 0; // arithmetic of the device library, where that is there: it needs no device
    const ewc_status queried = ewc_norm_workspace(&exec, a.list(), &bytes);
    EXPECT_TRUE(queried == EWC_OK ? bytes == 2 * sizeof(double) : queried == EWC_UNSUPPORTED) << ewc_last_error();
}

TEST_F(Arguments, VersionAndInstructionSet) {
    EXPECT_EQ(EWC_ABI_VERSION, ewc_abi_version());
    EXPECT_STRNE("", ewc_host_instruction_set());
}

TEST_F(Arguments, Prepare) {
    double norm = 1.0;
    int64_t skipped = 0;
    ewc_adamw_values values = {1, 1e-3, 1.0, 1.0, 1.0};
    expect(EWC_INVALID_ARGUMENT, ewc_adamw_prepare(&exec, nullptr, 1.0, 0, &skipped, &values),
           "ewc_adamw_prepare: norm_squared: expected an address");
    expect(EWC_INVALID_ARGUMENT, ewc_adamw_prepare(&exec, &norm, 1.0, 0, &skipped, nullptr), "values: expected an address");
    expect(EWC_INVALID_ARGUMENT, ewc_adamw_prepare(&exec, &norm, 1.0, EWC_SKIP_NONFINITE, nullptr, &values),
           "skipped: expected an address");
    for (const double clip_norm : {0.0, -1.0, static_cast<double>(NAN)}) {
        expect(EWC_INVALID_ARGUMENT, ewc_adamw_prepare(&exec, &norm, clip_norm, 0, nullptr, &values),
               "clip_norm: expected a number above 0");
    }
    expect(EWC_UNSUPPORTED, ewc_adamw_prepare(&exec, &norm, 1.0, EWC_ZERO_GRADIENT, nullptr, &values), "flags");
    EXPECT_EQ(EWC_OK, ewc_adamw_prepare(&exec, &norm, 1.0, 0, nullptr, &values)) << ewc_last_error();
}

} // namespace
} // namespace ewc::test
