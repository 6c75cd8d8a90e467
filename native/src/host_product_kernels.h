// The inner loops of ewc_linear and ewc_linear_backward; host_product_kernels.cpp is compiled once per instruction set.
#pragma once

#include <cstdint>

namespace ewc {

// Rows of the weight that are worked on at a time: a multiple of every tile's height.
constexpr int64_t kWeightRows = 48;

// y[r][c] for all rows r and some neighbouring columns c of y, which are rows of the weight.
struct OutputBlock {
    const float* x; // rows x in
    int64_t rows;
    const float* weight; // columns x in
    int64_t columns;
    int64_t in;
    float* y; // of row 0 and the block's first column
    int64_t y_stride;
};

// What at most kWeightRows rows of the weight give to the gradients.
struct GradientBlock {
    const float* gradient; // of y: of row 0 and the block's first column
    int64_t gradient_stride;
    int64_t rows;
    const float* weight; // columns x in
    int64_t columns;
    int64_t in;
    const float* x_panels; // by pack_x
    float* panels;          // rows * kWeightRows floats of the thread's own
    float* x_gradient;      // rows x in, to which is added
    float* weight_gradient; // columns x in; null: none
    bool add;               // to what weight_gradient holds
};

struct ProductKernels {
    int64_t tile_columns; // of a panel of x
    void (*pack_x)(const float* x, int64_t rows, int64_t in, float* panels);
    void (*output)(const OutputBlock&);
    void (*gradients)(const GradientBlock&);
};

#if defined(EWC_INSTRUCTION_SET_NAMESPACE)
namespace EWC_INSTRUCTION_SET_NAMESPACE {
extern const ProductKernels product_kernels; // that of the file's own instruction set
}
#endif

} // namespace ewc
