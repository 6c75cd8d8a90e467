// One chunk of each verb on the host. host_kernels.cpp is compiled once per instruction set and fills this table.
#pragma once

#include <cstdint>

#include "elements.h"
#include "functors.h"
#include "host_linear_kernels.h"
#include "host_product_kernels.h"
#include "verbs.h"

namespace ewc {

// The elements of one chunk: n of every list that the verb was given. theta and the moments are f32.
struct AdamWChunk {
    int64_t n;
    float* theta;
    float* first_moment;
    float* second_moment;
    Elements gradient;
    Elements fisher; // data null: plain AdamW
    Elements anchor;
    Elements theta_copy; // data null: none
};

struct PenaltyChunk {
    int64_t n;
    const float* theta; // null: only in norm, without the penalty gradient
    Elements anchor;
    Elements fisher;
    Elements gradient; // data null: the value alone
};

struct AnchorChunk {
    int64_t n;
    Elements anchor;
    const float* theta;
    Elements fisher;
    float* new_fisher; // null: only in displace and restore
};

// Partial sums of one chunk, written to the caller's workspace.
struct AdamWPartial {
    double penalty_terms; // sum F (anchor - theta)^2, without lambda and its factor
    double gradient_squares;
    double weighted_squares; // sum (F (theta - anchor))^2, without them too
};

struct HostKernels {
    const char* name;
    void (*convert)(int64_t n, const Elements& destination, const Elements& source);
    void (*fisher_accumulate)(const FisherAccumulate&, int64_t n, float* fisher, const Elements& gradient,
                              bool zero_gradient);
    void (*fisher_merge)(const FisherMerge&, int64_t n, const Elements& fisher, const Elements& new_fisher);
    void (*fisher_max)(int64_t n, const Elements& fisher, const Elements& new_fisher);
    double (*anchor)(AnchorChange, const AnchorChunk&); // twice the energy
    double (*penalty)(const PenaltyChunk&, float lambda);
    double (*norm)(const PenaltyChunk&, float lambda);
    void (*adamw)(const AdamW&, const AdamWChunk&, AdamWMode, AdamWPartial*);
    // The loss of one row; scale not null: its logits become *scale * (softmax - onehot(target)).
    double (*cross_entropy)(const Elements& logits, int64_t columns, int64_t target, const double* scale);
    const LinearKernels* linear;
    const ProductKernels* product;
};

namespace portable {
extern const HostKernels kernels;
}
#if defined(EWC_X86_64)
namespace avx2 {
extern const HostKernels kernels;
}
namespace avx512 {
extern const HostKernels kernels;
}
#elif defined(EWC_AARCH64)
namespace neon {
extern const HostKernels kernels;
}
#endif

// The best table that this CPU can run, or the lesser one that EWC_INSTRUCTION_SET names.
const HostKernels& host_kernels();

// For tests: the table of that name, or null where this CPU or this build lacks it.
const HostKernels* host_kernels_named(const char* name);

// For tests: run all verbs on this table from now on; null restores the choice by CPU.
void force_host_kernels(const HostKernels* kernels);

} // namespace ewc
