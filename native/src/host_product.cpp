// ewc_linear and ewc_linear_backward on the host: how the weight is cut among threads, and the caller's workspace.
#include <algorithm>

#include <omp.h>

#include "chunks.h"
#include "host.h"
#include "host_kernels.h"

namespace ewc::host {
namespace {

// Rows of the weight whose share of the gradient of x is summed on its own. Part of the result's bits.
constexpr int64_t kShareRows = 22 * kWeightRows;

int64_t shares_of(const Linear& linear) { return ceiling(linear.out, kShareRows); }

// How the caller's workspace is cut, in floats from its start: the panels of x, the shares of its gradient, each rows x in, and
// the panels of each thread.
struct Layout {
    int64_t shares;
    int64_t panels;
    int64_t thread_floats;
    int64_t floats;

    Layout(const ewc_exec& exec, const Linear& linear, const ProductKernels& kernels) {
        shares = linear.rows * round_up(linear.in, kernels.tile_columns);
        panels = shares + shares_of(linear) * linear.rows * linear.in;
        thread_floats = linear.rows * kWeightRows;
        floats = panels + threads_of(exec, shares_of(linear)) * thread_floats;
    }
};

void add_share(const Linear& linear, const ProductKernels& kernels, int64_t share, const float* x_panels,
               float* x_gradient, float* panels) {
    const int64_t end = std::min(linear.out, (share + 1) * kShareRows);
    std::fill(x_gradient, x_gradient + linear.rows * linear.in, 0.0f);
    for (int64_t first = share * kShareRows; first < end; first += kWeightRows) {
        const int64_t at = first * linear.in;
        kernels.gradients({linear.gradient + first, linear.out, linear.rows, linear.weight + at,
                           std::min(kWeightRows, end - first), linear.in, x_panels, panels, x_gradient,
                           linear.weight_gradient == nullptr ? nullptr : linear.weight_gradient + at, linear.add});
    }
}

} // namespace

void linear(const ewc_exec& exec, const Linear& linear) {
    const ProductKernels& kernels = *host_kernels().product;
    for_each_run(exec, ceiling(linear.out, kWeightRows), [&](int64_t begin, int64_t end) {
        const int64_t first = begin * kWeightRows, last = std::min(end * kWeightRows, linear.out);
        kernels.output({linear.x, linear.rows, linear.weight + first * linear.in, last - first, linear.in,
                        linear.y + first, linear.out});
    });
}

size_t linear_backward_workspace(const ewc_exec& exec, const Linear& linear) {
    return static_cast<size_t>(Layout(exec, linear, *host_kernels().product).floats) * sizeof(float);
}

void linear_backward(const ewc_exec& exec, const Linear& linear, void* workspace) {
    const ProductKernels& kernels = *host_kernels().product;
    const Layout layout(exec, linear, kernels);
    const int64_t shares = shares_of(linear), elements = linear.rows * linear.in;
    float* const x_panels = static_cast<float*>(workspace);
    float* const x_gradients = x_panels + layout.shares;
    kernels.pack_x(linear.x, linear.rows, linear.in, x_panels);
#pragma omp parallel num_threads(threads_of(exec, shares))
    {
        const int64_t team = omp_get_num_threads(), rank = omp_get_thread_num();
        float* const panels = x_panels + layout.panels + rank * layout.thread_floats;
        for (int64_t share = shares * rank / team; share < shares * (rank + 1) / team; ++share) {
            add_share(linear, kernels, share, x_panels, x_gradients + share * elements, panels);
        }
    }
    for_each_run(exec, chunks_of(elements), [&](int64_t begin, int64_t end) {
        const int64_t first = begin * kChunk, n = std::min(end * kChunk, elements) - first;
        float* const EWC_RESTRICT sum = linear.x_gradient + first;
        std::fill(sum, sum + n, 0.0f);
        for (int64_t share = 0; share < shares; ++share) {
            const float* EWC_RESTRICT of_share = x_gradients + share * elements + first;
            for (int64_t i = 0; i < n; ++i) {
                sum[i] += of_share[i];
            }
        }
    });
}

} // namespace ewc::host
