// ewc_fisher_accumulate_linear on the host: which positions are used, how the caller's workspace is cut, and which thread
// makes which part of F. The arithmetic is host_linear_kernels.cpp's.
#include <algorithm>

#include <omp.h>

#include "chunks.h"
#include "elements.h"
#include "host.h"
#include "host_kernels.h"

namespace ewc::host {
namespace {

// Positions of a group, but for an example that is longer: 16 KiB of a panel of AVX2. Part of the result's bits.
constexpr int64_t kGroupPositions = 256;
// Rows of F that a thread packs at a time.
constexpr int64_t kBlockRows = 96;
// Floats behind each panel: without them, panels would begin a power of two apart and meet in the same set of the cache.
constexpr int64_t kPanelGap = 16;

// Where a thread's part of n units begins.
int64_t begin_of(int64_t n, int64_t rank, int64_t team) { return n / team * rank + std::min(rank, n % team); }

// F cut among threads: by rows where there are enough of them, else by columns.
struct Partition {
    bool by_rows;
    int64_t unit; // rows or columns of a tile
    int64_t units;
    int threads;

    Partition(const ewc_exec& exec, const LinearFisher& linear, const LinearKernels& kernels) {
        const int64_t wanted = exec.threads > 0 ? exec.threads : omp_get_max_threads();
        const int64_t down = ceiling(linear.rows(), kernels.tile_rows);
        const int64_t across = ceiling(linear.columns(), kernels.tile_columns);
        by_rows = down >= 8 * wanted || down >= across;
        unit = by_rows ? kernels.tile_rows : kernels.tile_columns;
        units = by_rows ? down : across;
        threads = threads_of(exec, units);
    }

    // The first row or column of a thread's part; OpenMP may give fewer threads than asked.
    int64_t begin(int64_t rank, int64_t team, int64_t elements) const {
        return std::min(begin_of(units, rank, team) * unit, elements);
    }
};

// The caller's workspace, cut.
struct Workspace {
    unsigned char* zero;   // [positions] whether the row of left is zero
    int64_t* used;         // [positions] the positions that are not
    int64_t* lengths;      // [examples] used positions of each example that has any
    LinearGroup* groups;   // [examples]
    float* right;          // panels of the right factor, for all threads
    float* left;           // panels of kBlockRows rows of F, for each thread
    int64_t left_panel;    // floats from panel to panel
    int64_t right_panel;
    int64_t left_floats; // of each thread
    size_t bytes;

    Workspace(void* address, const LinearFisher& linear, const LinearKernels& kernels, const Partition& partition) {
        const int64_t positions = linear.positions();
        left_panel = positions * kernels.tile_rows + kPanelGap;
        right_panel = positions * kernels.tile_columns + kPanelGap;
        left_floats = round_up(ceiling(std::min(linear.rows(), kBlockRows), kernels.tile_rows) * left_panel, kPanelGap);
        const uintptr_t start = reinterpret_cast<uintptr_t>(address);
        next_ = start;
        take(right, ceiling(linear.columns(), kernels.tile_columns) * right_panel);
        take(left, partition.threads * left_floats);
        take(used, positions);
        take(lengths, linear.examples);
        take(groups, linear.examples);
        take(zero, positions);
        bytes = next_ - start + kLine - alignof(double); // the caller's address is a multiple of 8 only
    }

private:
    static constexpr uintptr_t kLine = 64;

    template <typename T>
    void take(T*& array, int64_t count) {
        next_ = (next_ + kLine - 1) / kLine * kLine;
        array = reinterpret_cast<T*>(next_);
        next_ += static_cast<uintptr_t>(count) * sizeof(T);
    }

    uintptr_t next_;
};

// What of the examples is left without the positions whose row of left is zero.
struct Plan {
    int64_t positions = 0;
    int64_t examples = 0;
    int64_t groups = 0;

    Plan(const LinearFisher& linear, const Workspace& workspace) {
        for (int64_t n = 0; n < linear.examples; ++n) {
            const int64_t before = positions;
            for (int64_t p = linear.offsets[n]; p < linear.offsets[n + 1]; ++p) {
                if (workspace.zero[p - linear.offsets[0]] == 0) {
                    workspace.used[positions++] = p;
                }
            }
            if (positions > before) {
                add(workspace, before);
            }
        }
    }

private:
    void add(const Workspace& workspace, int64_t first) {
        if (groups == 0 || positions - workspace.groups[groups - 1].position > kGroupPositions) {
            workspace.groups[groups++] = {first, 0, examples, 0};
        }
        LinearGroup& group = workspace.groups[groups - 1];
        group.positions = positions - group.position;
        ++group.examples;
        workspace.lengths[examples++] = positions - first;
    }
};

void mark_zero_rows(const LinearFisher& linear, const LinearKernels& kernels, const Workspace& workspace, int threads) {
    const int64_t first = linear.offsets[0];
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t i = 0; i < linear.positions(); ++i) {
        workspace.zero[i] = kernels.is_zero(linear.left, first + i);
    }
}

// One thread's part of F: rows row to row_end - 1, columns column to column_end - 1, which begin at a tile's edge.
struct Part {
    int64_t row, row_end, column, column_end;
};

void accumulate_part(const LinearFisher& linear, const LinearKernels& kernels, const Workspace& workspace,
                     const Plan& plan, const Part& part, float* left, float weight) {
    for (int64_t row = part.row; row < part.row_end; row += kBlockRows) {
        const int64_t rows = std::min(kBlockRows, part.row_end - row);
        kernels.pack_left(
            {&linear.left, row, rows, workspace.used, 0, plan.positions, left, workspace.left_panel});
        kernels.accumulate({left, workspace.right + part.column / kernels.tile_columns * workspace.right_panel,
                            workspace.left_panel, workspace.right_panel, rows, part.column_end - part.column,
                            workspace.groups, plan.groups, workspace.lengths, weight,
                            linear.fisher + row * linear.columns() + part.column, linear.columns()});
    }
}

void accumulate_weight(const LinearFisher& linear, const LinearKernels& kernels, const Partition& partition,
                       const Workspace& workspace, float weight) {
    mark_zero_rows(linear, kernels, workspace, partition.threads);
    const Plan plan(linear, workspace);
#pragma omp parallel num_threads(partition.threads)
    {
        const int64_t team = omp_get_num_threads(), rank = omp_get_thread_num();
        kernels.pack_right({linear.right, 0, linear.columns(), workspace.used, begin_of(plan.positions, rank, team),
                            begin_of(plan.positions, rank + 1, team), workspace.right, workspace.right_panel});
#pragma omp barrier
        const int64_t extent = partition.by_rows ? linear.rows() : linear.columns();
        const int64_t begin = partition.begin(rank, team, extent), end = partition.begin(rank + 1, team, extent);
        const Part part = partition.by_rows ? Part{begin, end, 0, linear.columns()}
                                            : Part{0, begin == end ? 0 : linear.rows(), begin, end};
        accumulate_part(linear, kernels, workspace, plan, part, workspace.left + rank * workspace.left_floats, weight);
    }
}

void accumulate_bias(const ewc_exec& exec, const LinearFisher& linear, const LinearKernels& kernels, float weight) {
    constexpr int64_t kUnit = 64; // elements: no line of F is two threads'
    const int64_t units = ceiling(linear.rows(), kUnit);
#pragma omp parallel num_threads(threads_of(exec, units))
    {
        const int64_t team = omp_get_num_threads(), rank = omp_get_thread_num();
        const int64_t begin = std::min(begin_of(units, rank, team) * kUnit, linear.rows());
        const int64_t end = std::min(begin_of(units, rank + 1, team) * kUnit, linear.rows());
        kernels.accumulate_bias(
            {&linear.left, begin, end - begin, linear.offsets, linear.examples, weight, linear.fisher});
    }
}

} // namespace

size_t linear_workspace(const ewc_exec& exec, const LinearFisher& linear) {
    if (linear.right == nullptr) {
        return 0;
    }
    const LinearKernels& kernels = *host_kernels().linear;
    return Workspace(nullptr, linear, kernels, Partition(exec, linear, kernels)).bytes;
}

void fisher_accumulate_linear(const ewc_exec& exec, const LinearFisher& linear, double weight, void* workspace) {
    const LinearKernels& kernels = *host_kernels().linear;
    const float factor = static_cast<float>(weight);
    if (linear.rows() == 0 || linear.columns() == 0 || linear.positions() == 0) {
        return;
    }
    if (linear.right == nullptr) {
        accumulate_bias(exec, linear, kernels, factor);
        return;
    }
    const Partition partition(exec, linear, kernels);
    accumulate_weight(linear, kernels, partition, Workspace(workspace, linear, kernels, partition), factor);
}

} // namespace ewc::host
