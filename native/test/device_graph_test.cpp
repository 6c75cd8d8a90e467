// What only a device can show: a captured step replays with other values, and leaves the bits that a plain step leaves.
#include <cuda_runtime.h>

#include "contract.h"

namespace ewc::test {
namespace {

void require(cudaError_t error) { ASSERT_EQ(cudaSuccess, error) << cudaGetErrorString(error); }

// The verb of Step::run with everything placed beforehand, as nothing may be copied or allocated during a capture.
struct PlacedStep {
    Step step{{5, 65536 + 9, 300}};
    ewc_exec exec{here().device(), 0, nullptr};
    size_t bytes = 0;
    std::unique_ptr<Memory> workspace, values;
    Placed<ewc_adamw_statistics> statistics{{}};

    PlacedStep() {
        EXPECT_EQ(EWC_OK, ewc_adamw_step_workspace(&exec, step.theta.list(), &bytes)) << ewc_last_error();
        workspace = std::make_unique<Memory>(bytes);
        values = std::make_unique<Memory>(sizeof(ewc_adamw_values));
        set(step.values);
    }
    void set(const ewc_adamw_values& given) {
        std::memcpy(values->write(), &given, sizeof(given));
        values->there();
    }
    ewc_status run(cudaStream_t stream) {
        exec.stream = stream;
        return ewc_adamw_step(&exec, step.theta.list(), step.first.list(), step.second.list(), step.gradient.list(),
                              step.fisher.list(), step.anchor.list(), &step.options,
                              static_cast<const ewc_adamw_values*>(values->there()), 0, &statistics,
                              workspace->there(), bytes);
    }
    std::string bits() { return step.theta.bits() + step.first.bits() + step.second.bits(); }
};

TEST(DeviceGraph, ReplaysWithOtherValues) {
    Place& place = *places().front();
    go_to(&place);
    if (!place.missing().empty()) {
        GTEST_SKIP() << place.missing();
    }
    cudaStream_t stream = nullptr;
    require(cudaStreamCreate(&stream));
    PlacedStep plain, captured, first;
    // Copies what the steps read: outside the capture.
    for (PlacedStep* each : {&plain, &captured, &first}) {
        each->step.theta.list(), each->step.first.list(), each->step.second.list(), each->step.gradient.list();
        each->step.fisher.list(), each->step.anchor.list(), each->values->there(), &each->statistics;
    }
    ASSERT_EQ(EWC_OK, first.run(stream)) << ewc_last_error(); // loads the kernels, which a capture may refuse
    require(cudaDeviceSynchronize());
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t replay = nullptr;
    require(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    ASSERT_EQ(EWC_OK, captured.run(stream)) << ewc_last_error();
    require(cudaStreamEndCapture(stream, &graph));
    require(cudaGraphInstantiate(&replay, graph, 0));
    for (int64_t step = 1; step <= 3; ++step) {
        const ewc_adamw_values values = {step, 1e-2 / static_cast<double>(step), 2.0 * static_cast<double>(step), 0.5, 0.25};
        plain.set(values);
        captured.set(values);
        ASSERT_EQ(EWC_OK, plain.run(stream)) << ewc_last_error();
        require(cudaGraphLaunch(replay, stream));
        require(cudaStreamSynchronize(stream));
    }
    captured.step.theta.list(), captured.step.first.list(), captured.step.second.list(); // written by the replays
    EXPECT_TRUE(plain.bits() == captured.bits());
    EXPECT_EQ(plain.statistics.get().penalty, captured.statistics.get().penalty);
    cudaGraphExecDestroy(replay);
    cudaGraphDestroy(graph);
    cudaStreamDestroy(stream);
}

// The whole table of sizes in one list beyond 2^31 elements, where the device has the memory: offsets beyond 32 bits.
TEST(DeviceGraph, BeyondTwoToTheThirtyOneElements) {
    Place& place = *places().front();
    go_to(&place);
    if (!place.missing().empty()) {
        GTEST_SKIP() << place.missing();
    }
    const int64_t n = (int64_t{1} << 31) + 65536 + 5;
    size_t free_bytes = 0, total = 0;
    require(cudaMemGetInfo(&free_bytes, &total));
    if (free_bytes < static_cast<size_t>(n) * 7) {
        GTEST_SKIP() << "needs " << n * 6 / 1000000000 << " GB of device memory and some to spare";
    }
    void *fisher = nullptr, *gradient = nullptr;
    require(cudaMalloc(&fisher, static_cast<size_t>(n) * 4));
    require(cudaMalloc(&gradient, static_cast<size_t>(n) * 2));
    require(cudaMemset(fisher, 0, static_cast<size_t>(n) * 4));
    require(cudaMemset(gradient, 0x40, static_cast<size_t>(n) * 2)); // bf16 0x4040 is 3
    const ewc_list fishers = {1, &n, &fisher, EWC_F32}, gradients = {1, &n, &gradient, EWC_BF16};
    const ewc_exec exec = {place.device(), 0, nullptr};
    EXPECT_EQ(EWC_OK, ewc_fisher_accumulate(&exec, &fishers, &gradients, 0.5, 0)) << ewc_last_error();
    size_t bytes = 0;
    EXPECT_EQ(EWC_OK, ewc_norm_workspace(&exec, &fishers, &bytes));
    const Memory workspace(bytes);
    const Placed<double> sum(0.0);
    EXPECT_EQ(EWC_OK, ewc_norm(&exec, &fishers, nullptr, nullptr, nullptr, nullptr, nullptr, &sum, workspace.there(), bytes))
        << ewc_last_error();
    EXPECT_EQ(static_cast<double>(n) * 4.5 * 4.5, sum.get()); // exact in double
    require(cudaFree(fisher));
    require(cudaFree(gradient));
}

} // namespace
} // namespace ewc::test
