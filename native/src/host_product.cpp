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

int64_t ceiling(int64_t elements, int64_t each) { return elements / each + (elements % each != 0); }

int64_t shares_of(const Linear& linear) { return ceiling(linear.out, kShareRows); }

int threads_of(const ewc_exec& exec, int64_t parts) {
    const int64_t wanted = exec.threads > 0 ? exec.threads : omp_get_max_threads();
    return static_cast<int>(std::max<int64_t>(1, std::min(wanted, parts)));
}

// The caller's workspace, cut.
struct Workspace {
    float* x_panels;
    float* shares; // [shares][rows x in]
    float* panels; // of each thread
    int64_t thread_floats;
    size_t bytes;

    Workspace(void* address, const ewc_exec& exec, const Linear& linear, const ProductKernels& kernels) {
        constexpr int64_t kLine = 16;
        thread_floats = ceiling(kernels.panel_floats(linear.rows), kLine) * kLine;
        float* const start = static_cast<float*>(address);
        x_panels = start;
        shares = x_panels + kernels.x_panel_floats(linear.rows, linear.in);
        panels = shares + shares_of(linear) * linear.rows * linear.in;
        bytes = static_cast<size_t>(panels + threads_of(exec, shares_of(linear)) * thread_floats - start) * sizeof(float);
    }
};

void add_share(const Linear& linear, const ProductKernels& kernels, const Workspace& workspace, int64_t share,
               float* panels) {
    const int64_t end = std::min(linear.out, (share + 1) * kShareRows);
    float* const x_gradient = workspace.shares + share * linear.rows * linear.in;
    std::fill(x_gradient, x_gradient + linear.rows * linear.in, 0.0f);
    for (int64_t first = share * kShareRows; first < end; first += kWeightRows) {
        const int64_t at = first * linear.in;
        kernels.gradients({linear.gradient + first, linear.out, linear.rows, linear.weight + at,
                           std::min(kWeightRows, end - first), linear.in, workspace.x_panels, panels,
                           x_gradient, linear.weight_gradient == nullptr ? nullptr : linear.weight_gradient + at, linear.add});
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
    return Workspace(nullptr, exec, linear, *host_kernels().product).bytes;
}

void linear_backward(const ewc_exec& exec, const Linear& linear, void* address) {
    const ProductKernels& kernels = *host_kernels().product;
    const Workspace workspace(address, exec, linear, kernels);
    const int64_t shares = shares_of(linear), elements = linear.rows * linear.in;
    kernels.pack_x(linear.x, linear.rows, linear.in, workspace.x_panels);
#pragma omp parallel num_threads(threads_of(exec, shares))
    {
        const int64_t team = omp_get_num_threads(), rank = omp_get_thread_num();
        for (int64_t share = shares * rank / team; share < shares * (rank + 1) / team; ++share) {
            add_share(linear, kernels, workspace, share, workspace.panels + rank * workspace.thread_floats);
        }
        kernels.finish();
    }
    for_each_run(exec, ceiling(elements, kChunk), [&](int64_t begin, int64_t end) {
        const int64_t first = begin * kChunk, n = std::min(end * kChunk, elements) - first;
        float* const EWC_RESTRICT sum = linear.x_gradient + first;
        std::fill(sum, sum + n, 0.0f);
        for (int64_t share = 0; share < shares; ++share) {
            const float* EWC_RESTRICT of_share = workspace.shares + share * elements + first;
            for (int64_t i = 0; i < n; ++i) {
                sum[i] += of_share[i];
            }
        }
    });
}

} // namespace ewc::host
