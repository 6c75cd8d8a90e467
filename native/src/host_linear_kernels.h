// The inner loops of ewc_fisher_accumulate_linear; host_linear_kernels.cpp is compiled once per instruction set.
//
// A factor (a matrix of positions x rows, or x columns, of F) is packed into panels: a panel is as many neighbouring
// columns of the factor as one tile of F is high or wide, position after position, so that a tile reads both of its panels
// front to back. The positions are those that are used, in order; a panel's last columns may be zeros.
#pragma once

#include <cstdint>

#include "ewc/ewc.h"

namespace ewc {

// Columns first to first + columns - 1 of a factor, into panels that begin `panel` floats apart.
struct LinearPacking {
    const ewc_matrix* factor;
    int64_t first;
    int64_t columns;
    const int64_t* positions; // those to pack, in the order in which they lie in a panel
    int64_t begin;            // of positions: this call packs begin to end - 1
    int64_t end;
    float* packed;
    int64_t panel;
};

// Examples that are summed in f32 before they are weighted and added to F.
struct LinearGroup {
    int64_t position; // the first of the group, counted in packed positions
    int64_t positions;
    int64_t example; // the first of the group
    int64_t examples;
};

// A block of F and the panels that it is made of.
struct LinearBlock {
    const float* left;
    const float* right;
    int64_t left_panel; // floats from panel to panel
    int64_t right_panel;
    int64_t rows;
    int64_t columns;
    const LinearGroup* groups;
    int64_t group_count;
    const int64_t* lengths; // packed positions of each example
    float weight;
    float* fisher; // of the block's first element
    int64_t stride;
};

// F[first] to F[first + columns - 1] of a bias.
struct LinearBias {
    const ewc_matrix* left;
    int64_t first;
    int64_t columns;
    const int64_t* offsets;
    int64_t examples;
    float weight;
    float* fisher; // of element 0
};

struct LinearKernels {
    int64_t tile_rows; // columns of a panel of the left factor
    int64_t tile_columns;
    bool (*is_zero)(const ewc_matrix&, int64_t row);
    void (*pack_left)(const LinearPacking&);
    void (*pack_right)(const LinearPacking&);
    void (*accumulate)(const LinearBlock&);
    void (*accumulate_bias)(const LinearBias&);
};

#if defined(EWC_INSTRUCTION_SET_NAMESPACE)
namespace EWC_INSTRUCTION_SET_NAMESPACE {
extern const LinearKernels linear_kernels; // that of the file's own instruction set
}
#endif

} // namespace ewc
