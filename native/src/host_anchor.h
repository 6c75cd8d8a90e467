// The anchor's verbs over one chunk, a part of host_kernels.cpp: once a task, so that no loop of theirs is tuned.
#pragma once

#include "host_kernels.h"
#include "host_tiles.h"

namespace ewc::EWC_INSTRUCTION_SET_NAMESPACE {
namespace {

double displace_tile(int64_t n, float* EWC_RESTRICT anchor, const float* EWC_RESTRICT theta,
                     const float* EWC_RESTRICT fisher) {
    double terms = 0.0;
#pragma omp simd reduction(+ : terms)
    for (int64_t i = 0; i < n; ++i) {
        anchor[i] = displaced_anchor(anchor[i], theta[i], fisher[i]);
        terms += displacement_term(anchor[i], fisher[i]);
    }
    return terms;
}

double restore_tile(int64_t n, float* EWC_RESTRICT anchor, const float* EWC_RESTRICT theta,
                    const float* EWC_RESTRICT fisher) {
    double terms = 0.0;
#pragma omp simd reduction(+ : terms)
    for (int64_t i = 0; i < n; ++i) {
        terms += displacement_term(anchor[i], fisher[i]);
        anchor[i] = restored_anchor(anchor[i], theta[i], fisher[i]);
    }
    return terms;
}

double merge_anchor_tile(int64_t n, const float* EWC_RESTRICT anchor, const float* EWC_RESTRICT theta,
                         float* EWC_RESTRICT fisher, float* EWC_RESTRICT new_fisher) {
    double terms = 0.0;
#pragma omp simd reduction(+ : terms)
    for (int64_t i = 0; i < n; ++i) {
        const float total = fisher[i] + new_fisher[i];
        terms += merge_term(anchor[i], theta[i], fisher[i], new_fisher[i], total);
        new_fisher[i] = merged_anchor(anchor[i], theta[i], fisher[i], total);
        fisher[i] = total;
    }
    return terms;
}

double anchor(AnchorChange change, const AnchorChunk& chunk) {
    Tile anchors(chunk.anchor), fishers(chunk.fisher);
    double terms = 0.0;
    for (int64_t first = 0; first < chunk.n; first += kTile) {
        const int64_t n = least(kTile, chunk.n - first);
        float* fisher = fishers.read(first, n);
        const float* theta = chunk.theta + first;
        if (change == AnchorChange::displace) {
            terms += displace_tile(n, anchors.read(first, n), theta, fisher);
        } else if (change == AnchorChange::restore) {
            terms += restore_tile(n, anchors.read(first, n), theta, fisher);
        } else {
            terms += merge_anchor_tile(n, anchors.read(first, n), theta, fisher, chunk.new_fisher + first);
            fishers.write_back(first, n);
        }
    }
    return terms;
}

} // namespace
} // namespace ewc::EWC_INSTRUCTION_SET_NAMESPACE
