// The loops over one chunk, compiled three times: EWC_INSTRUCTION_SET_NAMESPACE is portable, avx2 or avx512 and the
// compiler's -m flags differ. No library header but <cstdint> here, lest an inline function of theirs is shared between the three.
//
// Every loop is written so that it vectorises, square root, division and sums included (-fno-math-errno,
// -fno-trapping-math, reductions through `omp simd`): a loop that does not costs several times the memory's time.
// Sums are taken in double, because 16k float terms in float lanes would cost the penalty its last digits.
#include "host_kernels.h"

namespace ewc::EWC_INSTRUCTION_SET_NAMESPACE {
namespace {

void fisher_accumulate(const FisherAccumulate& functor, int64_t n, float* EWC_RESTRICT fisher,
                       float* EWC_RESTRICT gradient, bool zero_gradient) {
    const FisherAccumulate accumulate = functor;
    if (zero_gradient) {
#pragma omp simd
        for (int64_t i = 0; i < n; ++i) {
            fisher[i] = accumulate(fisher[i], gradient[i]);
            gradient[i] = 0.0f;
        }
    } else {
#pragma omp simd
        for (int64_t i = 0; i < n; ++i) {
            fisher[i] = accumulate(fisher[i], gradient[i]);
        }
    }
}

void fisher_merge(const FisherMerge& functor, int64_t n, float* EWC_RESTRICT fisher,
                  const float* EWC_RESTRICT new_fisher) {
    const FisherMerge merge = functor;
    if (new_fisher == nullptr || merge.weight == 0.0f) {
        const bool drop = merge.retain == 0.0f;
#pragma omp simd
        for (int64_t i = 0; i < n; ++i) {
            fisher[i] = drop ? 0.0f : merge.retain * fisher[i];
        }
    } else if (merge.retain == 0.0f) {
#pragma omp simd
        for (int64_t i = 0; i < n; ++i) {
            fisher[i] = merge.weight * new_fisher[i];
        }
    } else {
#pragma omp simd
        for (int64_t i = 0; i < n; ++i) {
            fisher[i] = merge(fisher[i], new_fisher[i]);
        }
    }
}

double penalty(const PenaltyChunk& chunk, float lambda) {
    const float* EWC_RESTRICT theta = chunk.theta;
    const float* EWC_RESTRICT anchor = chunk.anchor;
    const float* EWC_RESTRICT fisher = chunk.fisher;
    float* EWC_RESTRICT gradient = chunk.gradient;
    double terms = 0.0;
    if (gradient == nullptr) {
#pragma omp simd reduction(+ : terms)
        for (int64_t i = 0; i < chunk.n; ++i) {
            terms += penalty_term(theta[i], anchor[i], weighted_displacement(theta[i], anchor[i], fisher[i]));
        }
    } else {
#pragma omp simd reduction(+ : terms)
        for (int64_t i = 0; i < chunk.n; ++i) {
            const float weighted = weighted_displacement(theta[i], anchor[i], fisher[i]);
            terms += penalty_term(theta[i], anchor[i], weighted);
            gradient[i] += lambda * weighted;
        }
    }
    return terms;
}

double norm(const PenaltyChunk& chunk, const float* EWC_RESTRICT gradient, float lambda) {
    const float* EWC_RESTRICT theta = chunk.theta;
    const float* EWC_RESTRICT anchor = chunk.anchor;
    const float* EWC_RESTRICT fisher = chunk.fisher;
    double squares = 0.0;
    if (theta == nullptr) {
#pragma omp simd reduction(+ : squares)
        for (int64_t i = 0; i < chunk.n; ++i) {
            squares += square(gradient[i]);
        }
    } else {
#pragma omp simd reduction(+ : squares)
        for (int64_t i = 0; i < chunk.n; ++i) {
            squares += square(gradient[i] + lambda * weighted_displacement(theta[i], anchor[i], fisher[i]));
        }
    }
    return squares;
}

template <bool zero_gradient>
void adamw_plain(const AdamW& functor, const AdamWChunk& chunk, AdamWPartial* partial) {
    const AdamW adamw = functor;
    float* EWC_RESTRICT theta = chunk.theta;
    float* EWC_RESTRICT first = chunk.first_moment;
    float* EWC_RESTRICT second = chunk.second_moment;
    float* EWC_RESTRICT gradient = chunk.gradient;
    double gradient_squares = 0.0;
#pragma omp simd reduction(+ : gradient_squares)
    for (int64_t i = 0; i < chunk.n; ++i) {
        gradient_squares += square(gradient[i]);
        adamw(theta[i], first[i], second[i], adamw.scaled(gradient[i]));
        if constexpr (zero_gradient) {
            gradient[i] = 0.0f;
        }
    }
    *partial = {0.0, gradient_squares, 0.0};
}

template <bool zero_gradient>
void adamw_ewc(const AdamW& functor, const AdamWChunk& chunk, AdamWPartial* partial) {
    const AdamW adamw = functor;
    float* EWC_RESTRICT theta = chunk.theta;
    float* EWC_RESTRICT first = chunk.first_moment;
    float* EWC_RESTRICT second = chunk.second_moment;
    float* EWC_RESTRICT gradient = chunk.gradient;
    const float* EWC_RESTRICT fisher = chunk.fisher;
    const float* EWC_RESTRICT anchor = chunk.anchor;
    double terms = 0.0;
    double gradient_squares = 0.0;
    double weighted_squares = 0.0;
#pragma omp simd reduction(+ : terms, gradient_squares, weighted_squares)
    for (int64_t i = 0; i < chunk.n; ++i) {
        const float weighted = weighted_displacement(theta[i], anchor[i], fisher[i]);
        terms += penalty_term(theta[i], anchor[i], weighted);
        gradient_squares += square(gradient[i]);
        weighted_squares += square(weighted);
        adamw(theta[i], first[i], second[i], adamw.scaled(gradient[i], weighted));
        if constexpr (zero_gradient) {
            gradient[i] = 0.0f;
        }
    }
    *partial = {terms, gradient_squares, weighted_squares};
}

void adamw(const AdamW& functor, const AdamWChunk& chunk, bool zero_gradient, AdamWPartial* partial) {
    if (chunk.fisher == nullptr) {
        zero_gradient ? adamw_plain<true>(functor, chunk, partial) : adamw_plain<false>(functor, chunk, partial);
    } else {
        zero_gradient ? adamw_ewc<true>(functor, chunk, partial) : adamw_ewc<false>(functor, chunk, partial);
    }
}

} // namespace

#define EWC_STRING_OF(name) #name
#define EWC_STRING(name) EWC_STRING_OF(name)
extern const HostKernels kernels = {
    EWC_STRING(EWC_INSTRUCTION_SET_NAMESPACE), fisher_accumulate, fisher_merge, penalty, norm, adamw};

} // namespace ewc::EWC_INSTRUCTION_SET_NAMESPACE
