// The loops over one chunk, compiled once per instruction set: EWC_INSTRUCTION_SET_NAMESPACE is its name and the
// compiler's -m flags differ. No library header that has code here, lest an inline function is shared between them.
//
// Every loop is written so that it vectorises, square root, division and sums included (-fno-math-errno,
// -fno-trapping-math, reductions through `omp simd`): a loop that does not costs several times the memory's time.
// Sums are taken in double, because 16k float terms in float lanes would cost the penalty its last digits.
#include "host_kernels.h"

#include "host_anchor.h"
#include "host_softmax.h"
#include "host_tiles.h"

namespace ewc::EWC_INSTRUCTION_SET_NAMESPACE {
namespace {

void convert(int64_t n, const Elements& destination, const Elements& source) {
    Tile to(destination), from(source);
    for (int64_t first = 0; first < n; first += kTile) {
        const int64_t count = least(kTile, n - first);
        to.write(first, count, from.read(first, count));
    }
}

// Whether all are +0, bit for bit. Gives up at the first stretch that holds another, so that it costs nothing where few are.
bool all_zero(int64_t n, const float* values) {
    constexpr int64_t kStretch = 64;
    for (int64_t first = 0; first < n; first += kStretch) {
        const int64_t end = least(first + kStretch, n);
        uint32_t bits = 0;
#pragma omp simd reduction(| : bits)
        for (int64_t i = first; i < end; ++i) {
            bits |= bits_of(values[i]);
        }
        if (bits != 0) {
            return false;
        }
    }
    return true;
}

void accumulate_tile(const FisherAccumulate accumulate, int64_t n, float* EWC_RESTRICT fisher,
                     const float* EWC_RESTRICT gradient) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
        fisher[i] = accumulate(fisher[i], gradient[i]);
    }
}

void fisher_accumulate(const FisherAccumulate& functor, int64_t n, float* fisher, const Elements& gradients,
                       bool zero_gradient) {
    Tile gradient(gradients);
    for (int64_t first = 0; first < n; first += kTile) {
        const int64_t count = least(kTile, n - first);
        const float* values = gradient.read(first, count);
        if (all_zero(count, values)) {
            continue; // adds nothing: an input embedding's rows of tokens that did not occur
        }
        accumulate_tile(functor, count, fisher + first, values);
        if (zero_gradient) {
            gradient.clear(first, count);
        }
    }
}

void scale_tile(float factor, int64_t n, float* EWC_RESTRICT values, const float* EWC_RESTRICT from) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
        values[i] = factor * from[i];
    }
}

void scale_tile(float factor, int64_t n, float* EWC_RESTRICT values) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
        values[i] = factor * values[i];
    }
}

void merge_tile(const FisherMerge merge, int64_t n, float* EWC_RESTRICT fisher, const float* EWC_RESTRICT new_fisher) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
        fisher[i] = merge(fisher[i], new_fisher[i]);
    }
}

void fisher_merge(const FisherMerge& merge, int64_t n, const Elements& fishers, const Elements& new_fishers) {
    const bool old_term = merge.retain != 0.0f;
    const bool new_term = merge.weight != 0.0f && new_fishers.data != nullptr;
    Tile fisher(fishers), new_fisher(new_fishers);
    for (int64_t first = 0; first < n; first += kTile) {
        const int64_t count = least(kTile, n - first);
        if (!old_term && !new_term) {
            fisher.clear(first, count);
            continue;
        }
        float* values = fisher.read(first, count);
        if (!new_term) {
            scale_tile(merge.retain, count, values);
        } else if (!old_term) {
            scale_tile(merge.weight, count, values, new_fisher.read(first, count));
        } else {
            merge_tile(merge, count, values, new_fisher.read(first, count));
        }
        fisher.write_back(first, count);
    }
}

void max_tile(const FisherMax larger, int64_t n, float* EWC_RESTRICT fisher, const float* EWC_RESTRICT new_fisher) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
        fisher[i] = larger(fisher[i], new_fisher[i]);
    }
}

void fisher_max(int64_t n, const Elements& fishers, const Elements& new_fishers) {
    Tile fisher(fishers), new_fisher(new_fishers);
    for (int64_t first = 0; first < n; first += kTile) {
        const int64_t count = least(kTile, n - first);
        max_tile(FisherMax{}, count, fisher.read(first, count), new_fisher.read(first, count));
        fisher.write_back(first, count);
    }
}

double penalty_tile(int64_t n, const float* EWC_RESTRICT theta, const float* EWC_RESTRICT anchor,
                    const float* EWC_RESTRICT fisher) {
    double terms = 0.0;
#pragma omp simd reduction(+ : terms)
    for (int64_t i = 0; i < n; ++i) {
        terms += penalty_term(theta[i], anchor[i], weighted_displacement(theta[i], anchor[i], fisher[i]));
    }
    return terms;
}

double penalty_tile(int64_t n, const float* EWC_RESTRICT theta, const float* EWC_RESTRICT anchor,
                    const float* EWC_RESTRICT fisher, float* EWC_RESTRICT gradient, float lambda) {
    double terms = 0.0;
#pragma omp simd reduction(+ : terms)
    for (int64_t i = 0; i < n; ++i) {
        const float weighted = weighted_displacement(theta[i], anchor[i], fisher[i]);
        terms += penalty_term(theta[i], anchor[i], weighted);
        gradient[i] += lambda * weighted;
    }
    return terms;
}

double penalty(const PenaltyChunk& chunk, float lambda) {
    Tile anchors(chunk.anchor), fishers(chunk.fisher), gradients(chunk.gradient);
    double terms = 0.0;
    for (int64_t first = 0; first < chunk.n; first += kTile) {
        const int64_t n = least(kTile, chunk.n - first);
        const float* anchor = anchors.read(first, n);
        const float* fisher = fishers.read(first, n);
        if (chunk.gradient.data == nullptr) {
            terms += penalty_tile(n, chunk.theta + first, anchor, fisher);
        } else {
            terms += penalty_tile(n, chunk.theta + first, anchor, fisher, gradients.read(first, n), lambda);
            gradients.write_back(first, n);
        }
    }
    return terms;
}

double norm_tile(int64_t n, const float* EWC_RESTRICT gradient) {
    double squares = 0.0;
#pragma omp simd reduction(+ : squares)
    for (int64_t i = 0; i < n; ++i) {
        squares += square(gradient[i]);
    }
    return squares;
}

double norm_tile(int64_t n, const float* EWC_RESTRICT gradient, const float* EWC_RESTRICT theta,
                 const float* EWC_RESTRICT anchor, const float* EWC_RESTRICT fisher, float lambda) {
    double squares = 0.0;
#pragma omp simd reduction(+ : squares)
    for (int64_t i = 0; i < n; ++i) {
        squares += square(gradient[i] + lambda * weighted_displacement(theta[i], anchor[i], fisher[i]));
    }
    return squares;
}

double norm(const PenaltyChunk& chunk, float lambda) {
    Tile anchors(chunk.anchor), fishers(chunk.fisher), gradients(chunk.gradient);
    double squares = 0.0;
    for (int64_t first = 0; first < chunk.n; first += kTile) {
        const int64_t n = least(kTile, chunk.n - first);
        const float* gradient = gradients.read(first, n);
        squares += chunk.theta == nullptr ? norm_tile(n, gradient)
                                          : norm_tile(n, gradient, chunk.theta + first, anchors.read(first, n),
                                                      fishers.read(first, n), lambda);
    }
    return squares;
}

void adamw_tile(const AdamW adamw, int64_t n, float* EWC_RESTRICT theta, float* EWC_RESTRICT first_moment,
                float* EWC_RESTRICT second_moment, const float* EWC_RESTRICT gradient, AdamWPartial& partial) {
    double gradient_squares = 0.0;
#pragma omp simd reduction(+ : gradient_squares)
    for (int64_t i = 0; i < n; ++i) {
        gradient_squares += square(gradient[i]);
        adamw(theta[i], first_moment[i], second_moment[i], adamw.scaled(gradient[i]));
    }
    partial.gradient_squares += gradient_squares;
}

template <bool proximal>
void adamw_tile(const AdamW adamw, int64_t n, float* EWC_RESTRICT theta, float* EWC_RESTRICT first_moment,
                float* EWC_RESTRICT second_moment, const float* EWC_RESTRICT gradient,
                const float* EWC_RESTRICT fisher, const float* EWC_RESTRICT anchor, AdamWPartial& partial) {
    double terms = 0.0;
    double gradient_squares = 0.0;
    double weighted_squares = 0.0;
#pragma omp simd reduction(+ : terms, gradient_squares, weighted_squares)
    for (int64_t i = 0; i < n; ++i) {
        const float weighted = weighted_displacement(theta[i], anchor[i], fisher[i]);
        terms += penalty_term(theta[i], anchor[i], weighted);
        gradient_squares += square(gradient[i]);
        weighted_squares += square(weighted);
        if constexpr (proximal) {
            const float denominator =
                adamw(theta[i], first_moment[i], second_moment[i], adamw.scaled(gradient[i]));
            theta[i] = adamw.pulled(theta[i], anchor[i], fisher[i], denominator);
        } else {
            adamw(theta[i], first_moment[i], second_moment[i], adamw.scaled(gradient[i], weighted));
        }
    }
    partial.penalty_terms += terms;
    partial.gradient_squares += gradient_squares;
    partial.weighted_squares += weighted_squares;
}

// The sums of a step that is skipped: those of adamw_tile.
void statistics_tile(int64_t n, const float* EWC_RESTRICT theta, const float* EWC_RESTRICT gradient,
                     const float* EWC_RESTRICT fisher, const float* EWC_RESTRICT anchor, AdamWPartial& partial) {
    double terms = 0.0;
    double gradient_squares = 0.0;
    double weighted_squares = 0.0;
#pragma omp simd reduction(+ : terms, gradient_squares, weighted_squares)
    for (int64_t i = 0; i < n; ++i) {
        const float weighted = weighted_displacement(theta[i], anchor[i], fisher[i]);
        terms += penalty_term(theta[i], anchor[i], weighted);
        gradient_squares += square(gradient[i]);
        weighted_squares += square(weighted);
    }
    partial.penalty_terms += terms;
    partial.gradient_squares += gradient_squares;
    partial.weighted_squares += weighted_squares;
}

void adamw_statistics(const AdamWChunk& chunk, bool zero_gradient, AdamWPartial* partial) {
    Tile gradients(chunk.gradient), fishers(chunk.fisher), anchors(chunk.anchor);
    AdamWPartial sum{0.0, 0.0, 0.0};
    for (int64_t first = 0; first < chunk.n; first += kTile) {
        const int64_t n = least(kTile, chunk.n - first);
        const float* gradient = gradients.read(first, n);
        if (chunk.fisher.data == nullptr) {
            sum.gradient_squares += norm_tile(n, gradient);
        } else {
            statistics_tile(n, chunk.theta + first, gradient, fishers.read(first, n), anchors.read(first, n), sum);
        }
        if (zero_gradient) {
            gradients.clear(first, n);
        }
    }
    *partial = sum;
}

// Most rows of an input embedding belong to tokens that a run never meets. What, of finite values, changes no bit of them is left
// out, with the memory it would move: the anchor where the Fisher is 0, and all but the decay where gradient and moments are 0 too.
void adamw(const AdamW& functor, const AdamWChunk& chunk, AdamWMode mode, AdamWPartial* partial) {
    if (functor.skipped) {
        adamw_statistics(chunk, mode.zero_gradient, partial);
        return;
    }
    const auto ewc_tile = mode.proximal ? adamw_tile<true> : adamw_tile<false>;
    Tile gradients(chunk.gradient), fishers(chunk.fisher), anchors(chunk.anchor), copy(chunk.theta_copy);
    AdamWPartial sum{0.0, 0.0, 0.0};
    for (int64_t first = 0; first < chunk.n; first += kTile) {
        const int64_t n = least(kTile, chunk.n - first);
        float* theta = chunk.theta + first;
        float* first_moment = chunk.first_moment + first;
        float* second_moment = chunk.second_moment + first;
        const float* gradient = gradients.read(first, n);
        const float* fisher = chunk.fisher.data == nullptr ? nullptr : fishers.read(first, n);
        const bool held = fisher != nullptr && !all_zero(n, fisher);
        const bool moves = held || functor.epsilon == 0.0f || !all_zero(n, gradient) || !all_zero(n, first_moment) ||
                           !all_zero(n, second_moment);
        if (held) {
            ewc_tile(functor, n, theta, first_moment, second_moment, gradient, fisher, anchors.read(first, n), sum);
        } else if (moves) {
            adamw_tile(functor, n, theta, first_moment, second_moment, gradient, sum);
        } else if (functor.decay != 1.0f) {
            scale_tile(functor.decay, n, theta);
        }
        if (mode.zero_gradient && moves) {
            gradients.clear(first, n);
        }
        if (chunk.theta_copy.data != nullptr) {
            copy.write(first, n, theta);
        }
    }
    *partial = sum;
}

} // namespace

#define EWC_STRING_OF(name) #name
#define EWC_STRING(name) EWC_STRING_OF(name)
extern const HostKernels kernels = {EWC_STRING(EWC_INSTRUCTION_SET_NAMESPACE),
                                    convert,
                                    fisher_accumulate,
                                    fisher_merge,
                                    fisher_max,
                                    anchor,
                                    penalty,
                                    norm,
                                    adamw,
                                    cross_entropy,
                                    &linear_kernels,
                                    &product_kernels};

} // namespace ewc::EWC_INSTRUCTION_SET_NAMESPACE
