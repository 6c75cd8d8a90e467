// What a smaller state costs: the error of the penalty gradient F (theta - theta*) with F in bf16 and theta* in 16 bits,
// as ||error|| / ||gradient|| over 4 Mi elements:  ewc_state_error
//
// theta* ~ N(0, 0.02^2), as a language model's weights; theta away from it by N(0, drift^2); F log-normal over some four
// decades. The draws are fixed.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "ewc/ewc.h"

namespace {

constexpr int64_t kElements = int64_t{1} << 22;
const ewc_exec kHost = {-1, 0, nullptr};

void require(ewc_status status) {
    if (status != EWC_OK) {
        std::fprintf(stderr, "%s\n", ewc_last_error());
        std::exit(1);
    }
}

struct Values {
    std::vector<float> memory;
    int64_t numel = kElements;
    void* address;
    ewc_list list;

    explicit Values(ewc_dtype dtype)
        : memory(static_cast<size_t>(ewc_segment_bytes(dtype, kElements)) / sizeof(float) + 1), address(memory.data()),
          list{1, &numel, &address, dtype} {}
    Values(const Values&) = delete;
};

double error(const Values& theta, const Values& anchor, const Values& fisher, ewc_dtype anchor_dtype,
             ewc_dtype fisher_dtype) {
    Values kept_anchor(anchor_dtype), kept_fisher(fisher_dtype), gradient(EWC_F32);
    require(ewc_convert(&kHost, &kept_anchor.list, &anchor.list));
    require(ewc_convert(&kHost, &kept_fisher.list, &fisher.list));
    size_t bytes = 0;
    require(ewc_penalty_workspace(&kHost, &theta.list, &bytes));
    std::vector<double> workspace(bytes / sizeof(double));
    const double lambda = 1.0;
    require(ewc_penalty(&kHost, &theta.list, &kept_anchor.list, &kept_fisher.list, &gradient.list, &lambda, nullptr,
                        workspace.data(), bytes));
    double errors = 0.0, squares = 0.0;
    for (size_t i = 0; i < static_cast<size_t>(kElements); ++i) {
        const double exact = double{fisher.memory[i]} * (double{theta.memory[i]} - double{anchor.memory[i]});
        errors += (gradient.memory[i] - exact) * (gradient.memory[i] - exact);
        squares += exact * exact;
    }
    return std::sqrt(errors / squares);
}

} // namespace

int main() {
    const struct {
        const char* name;
        ewc_dtype dtype;
    } fishers[] = {{"f32", EWC_F32}, {"bf16", EWC_BF16}, {"u8 by 256", EWC_U8_BLOCK256}},
      anchors[] = {{"f32", EWC_F32}, {"i16 by 256", EWC_I16_BLOCK256}, {"f16", EWC_F16}, {"bf16", EWC_BF16}};
    std::printf("%-8s %-6s %-12s %s\n", "drift", "F", "anchor", "relative error of the penalty gradient");
    for (const double drift : {1e-5, 1e-4, 1e-3}) {
        Values theta(EWC_F32), anchor(EWC_F32), fisher(EWC_F32);
        std::mt19937 random(1);
        std::normal_distribution<double> normal;
        for (size_t i = 0; i < static_cast<size_t>(kElements); ++i) {
            anchor.memory[i] = static_cast<float>(0.02 * normal(random));
            theta.memory[i] = static_cast<float>(anchor.memory[i] + drift * normal(random));
            fisher.memory[i] = static_cast<float>(std::exp(-20.0 + 2.0 * normal(random)));
        }
        for (const auto& f : fishers) {
            for (const auto& a : anchors) {
                std::printf("%-8g %-6s %-12s %.1e\n", drift, f.name, a.name,
                            error(theta, anchor, fisher, a.dtype, f.dtype));
            }
        }
    }
    return 0;
}
