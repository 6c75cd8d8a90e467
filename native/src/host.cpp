#include "host.h"

#include "adamw.h"
#include "chunks.h"
#include "host_kernels.h"

namespace ewc::host {
namespace {

// Slots in the order of the chunks: the order does not depend on who computed them.
double sum_in_order(const double* partials, int64_t count) {
    double sum = 0.0;
    for (int64_t i = 0; i < count; ++i) {
        sum += partials[i];
    }
    return sum;
}

} // namespace

size_t sum_workspace(const ewc_list& list) { return static_cast<size_t>(chunks_of(list)) * sizeof(double); }

size_t adamw_workspace(const ewc_list& list) { return static_cast<size_t>(chunks_of(list)) * sizeof(AdamWPartial); }

void convert(const ewc_exec& exec, const ewc_list& destination, const ewc_list& source) {
    const HostKernels& kernels = host_kernels();
    for_each_chunk(exec, destination,
                   [&](const Chunk& chunk) { kernels.convert(chunk.n, at(&destination, chunk), at(&source, chunk)); });
}

void fisher_accumulate(const ewc_exec& exec, const ewc_list& fisher, const ewc_list& gradient, double weight,
                       bool zero_gradient) {
    const HostKernels& kernels = host_kernels();
    const FisherAccumulate functor{static_cast<float>(weight)};
    for_each_chunk(exec, fisher, [&](const Chunk& chunk) {
        kernels.fisher_accumulate(functor, chunk.n, f32_at(fisher, chunk), at(&gradient, chunk), zero_gradient);
    });
}

void fisher_merge(const ewc_exec& exec, const ewc_list& fisher, const ewc_list* new_fisher, double retain,
                  double weight) {
    const HostKernels& kernels = host_kernels();
    const FisherMerge functor{static_cast<float>(retain), static_cast<float>(weight)};
    for_each_chunk(exec, fisher, [&](const Chunk& chunk) {
        kernels.fisher_merge(functor, chunk.n, at(&fisher, chunk), at(new_fisher, chunk));
    });
}

void fisher_max(const ewc_exec& exec, const ewc_list& fisher, const ewc_list& new_fisher) {
    const HostKernels& kernels = host_kernels();
    for_each_chunk(exec, fisher, [&](const Chunk& chunk) {
        kernels.fisher_max(chunk.n, at(&fisher, chunk), at(&new_fisher, chunk));
    });
}

void anchor(const ewc_exec& exec, AnchorChange change, const AnchorLists& lists, double* energy, void* workspace) {
    const HostKernels& kernels = host_kernels();
    double* partials = static_cast<double*>(workspace);
    for_each_chunk(exec, *lists.theta, [&](const Chunk& chunk) {
        float* new_fisher = lists.new_fisher == nullptr ? nullptr : f32_at(*lists.new_fisher, chunk);
        partials[chunk.index] = kernels.anchor(change, {chunk.n, at(lists.anchor, chunk), f32_at(*lists.theta, chunk),
                                                        at(lists.fisher, chunk), new_fisher});
    });
    *energy = 0.5 * sum_in_order(partials, chunks_of(*lists.theta));
}

void penalty(const ewc_exec& exec, const PenaltyLists& lists, const double* lambda, double* penalty, void* workspace) {
    const HostKernels& kernels = host_kernels();
    const double strength = lambda == nullptr ? 0.0 : *lambda;
    double* partials = static_cast<double*>(workspace);
    for_each_chunk(exec, *lists.theta, [&](const Chunk& chunk) {
        const double factor = segment_factor(lists.segment_lambda, chunk.segment);
        partials[chunk.index] =
            factor * kernels.penalty({chunk.n, f32_at(*lists.theta, chunk), at(lists.anchor, chunk),
                                      at(lists.fisher, chunk), at(lists.gradient, chunk)},
                                     static_cast<float>(strength * factor));
    });
    if (penalty != nullptr) {
        *penalty = 0.5 * sum_in_order(partials, chunks_of(*lists.theta));
    }
}

void norm(const ewc_exec& exec, const PenaltyLists& lists, const double* lambda, double* norm_squared,
          void* workspace) {
    const HostKernels& kernels = host_kernels();
    const double strength = lambda == nullptr ? 0.0 : *lambda;
    double* partials = static_cast<double*>(workspace);
    for_each_chunk(exec, *lists.gradient, [&](const Chunk& chunk) {
        const double factor = segment_factor(lists.segment_lambda, chunk.segment);
        partials[chunk.index] = kernels.norm({chunk.n, lists.theta == nullptr ? nullptr : f32_at(*lists.theta, chunk),
                                              at(lists.anchor, chunk), at(lists.fisher, chunk),
                                              at(lists.gradient, chunk)},
                                             static_cast<float>(strength * factor));
    });
    *norm_squared = sum_in_order(partials, chunks_of(*lists.gradient));
}

void adamw_step(const ewc_exec& exec, const AdamWLists& lists, const ewc_adamw_options& options,
                const ewc_adamw_values& values, AdamWMode mode, ewc_adamw_statistics* statistics,
                void* workspace) {
    const HostKernels& kernels = host_kernels();
    const AdamWStep step = make_adamw_step(options.beta1, options.beta2, options.epsilon, values);
    AdamWPartial* partials = static_cast<AdamWPartial*>(workspace);
    for_each_chunk(exec, *lists.theta, [&](const Chunk& chunk) {
        const SegmentOptions segment = segment_options(options, chunk.segment);
        const AdamW functor = adamw_of_segment(step, segment);
        const AdamWChunk elements{chunk.n,
                                  f32_at(*lists.theta, chunk),
                                  f32_at(*lists.first_moment, chunk),
                                  f32_at(*lists.second_moment, chunk),
                                  at(lists.gradient, chunk),
                                  at(lists.fisher, chunk),
                                  at(lists.anchor, chunk),
                                  at(lists.theta_copy, chunk)};
        AdamWPartial* const partial = partials + chunk.index;
        kernels.adamw(functor, elements, mode, partial);
        partial->penalty_terms *= segment.lambda;
        partial->weighted_squares *= segment.lambda * segment.lambda;
    });
    if (statistics != nullptr) {
        AdamWPartial sum{0.0, 0.0, 0.0};
        for (int64_t i = 0, chunks = chunks_of(*lists.theta); i < chunks; ++i) {
            sum.penalty_terms += partials[i].penalty_terms;
            sum.gradient_squares += partials[i].gradient_squares;
            sum.weighted_squares += partials[i].weighted_squares;
        }
        statistics->penalty = 0.5 * sum.penalty_terms;
        statistics->gradient_norm_squared = sum.gradient_squares;
        statistics->displacement_norm_squared = sum.weighted_squares;
    }
}

void cross_entropy(const ewc_exec& exec, const CrossEntropy& matrix, double* loss, void* workspace) {
    const HostKernels& kernels = host_kernels();
    double* losses = static_cast<double*>(workspace);
    for_each_run(exec, matrix.rows, [&](int64_t first, int64_t last) {
        for (int64_t row = first; row < last; ++row) {
            losses[row] = kernels.cross_entropy(matrix.row(row), matrix.columns, matrix.targets[row], matrix.scale);
        }
    });
    *loss = (matrix.add_loss ? *loss : 0.0) + sum_in_order(losses, matrix.rows);
}

} // namespace ewc::host
