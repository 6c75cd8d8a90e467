// What only a device can show: a captured step replays with other values, and leaves the bits that a plain step leaves.
#include <cuda_runtime.h>

#include <cstddef>
#include <limits>

#include "contract.h"

namespace ewc::test {
namespace {

void require(cudaError_t error) { ASSERT_EQ(cudaSuccess, error) << cudaGetErrorString(error); }

// At the device of the tests, or the reason why there is none.
std::string go_to_device() {
    Place& place = *places().front();
    go_to(&place);
    const std::string missing = place.missing();
    if (missing.empty()) {
        place.enter();
    }
    return missing;
}

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

// A stream and what was captured of it.
struct Graph {
    cudaStream_t stream = nullptr;
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t replay = nullptr;

    Graph() { require(cudaStreamCreate(&stream)); }
    Graph(const Graph&) = delete;
    Graph& operator=(const Graph&) = delete;
    ~Graph() {
        cudaGraphExecDestroy(replay);
        cudaGraphDestroy(graph);
        cudaStreamDestroy(stream);
    }
    template <typename Captured>
    void capture(Captured& captured) {
        require(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
        EXPECT_EQ(EWC_OK, captured.run(stream)) << ewc_last_error();
        require(cudaStreamEndCapture(stream, &graph));
        require(cudaGraphInstantiate(&replay, graph, 0));
    }
    void launch() {
        require(cudaGraphLaunch(replay, stream));
        require(cudaStreamSynchronize(stream));
    }
};

TEST(DeviceGraph, ReplaysWithOtherValues) {
    if (const std::string missing = go_to_device(); !missing.empty()) {
        GTEST_SKIP() << missing;
    }
    Graph graph;
    PlacedStep plain, captured, first;
    // Copies what the steps read: outside the capture.
    for (PlacedStep* each : {&plain, &captured, &first}) {
        each->step.theta.list(), each->step.first.list(), each->step.second.list(), each->step.gradient.list();
        each->step.fisher.list(), each->step.anchor.list(), each->values->there(), &each->statistics;
    }
    ASSERT_EQ(EWC_OK, first.run(graph.stream)) << ewc_last_error(); // loads the kernels, which a capture may refuse
    require(cudaDeviceSynchronize());
    graph.capture(captured);
    for (int64_t step = 1; step <= 3; ++step) {
        const ewc_adamw_values values = {step, 1e-2 / static_cast<double>(step), 2.0 * static_cast<double>(step), 0.5, 0.25};
        plain.set(values);
        captured.set(values);
        ASSERT_EQ(EWC_OK, plain.run(graph.stream)) << ewc_last_error();
        graph.launch();
    }
    captured.step.theta.list(), captured.step.first.list(), captured.step.second.list(); // written by the replays
    EXPECT_TRUE(plain.bits() == captured.bits());
    EXPECT_EQ(plain.statistics.get().penalty, captured.statistics.get().penalty);
}

// What a step with clipping of the total and `skip` puts on the stream: the norm, what it makes of the step, the step.
struct PlacedClipping : PlacedStep {
    size_t norm_bytes = 0;
    std::unique_ptr<Memory> norm_workspace;
    Placed<double> norm{0.0};
    Placed<int64_t> skipped{0};

    PlacedClipping() {
        EXPECT_EQ(EWC_OK, ewc_norm_workspace(&exec, step.gradient.list(), &norm_bytes)) << ewc_last_error();
        norm_workspace = std::make_unique<Memory>(norm_bytes);
        place();
    }
    // Copies what the verbs read: before a capture, and before each replay.
    void place() {
        step.theta.list(), step.first.list(), step.second.list(), step.gradient.list(), step.fisher.list();
        step.anchor.list(), values->there(), &statistics, &norm, &skipped;
    }
    void spoil_or_scale(double size) {
        for (int64_t i = 0; i < 300; ++i) {
            step.gradient.set(2, i, static_cast<float>(size * static_cast<double>(i % 7 - 3)));
        }
    }
    ewc_status run(cudaStream_t stream) {
        exec.stream = stream;
        auto* given = static_cast<ewc_adamw_values*>(values->there());
        const auto* lambda =
            reinterpret_cast<const double*>(reinterpret_cast<const char*>(given) + offsetof(ewc_adamw_values, lambda));
        if (const ewc_status status =
                ewc_norm(&exec, step.gradient.list(), step.theta.list(), step.anchor.list(), step.fisher.list(), lambda,
                         nullptr, &norm, norm_workspace->there(), norm_bytes);
            status != EWC_OK) {
            return status;
        }
        const uint32_t flags = EWC_CLIP_TOTAL | EWC_SKIP_NONFINITE;
        const ewc_status status = ewc_adamw_prepare(&exec, &norm, 100.0, flags, &skipped, given);
        return status == EWC_OK ? PlacedStep::run(stream) : status;
    }
};

TEST(DeviceGraph, ReplaysClippingWithOtherValues) {
    if (const std::string missing = go_to_device(); !missing.empty()) {
        GTEST_SKIP() << missing;
    }
    Graph graph;
    PlacedClipping plain, captured, first;
    ASSERT_EQ(EWC_OK, first.run(graph.stream)) << ewc_last_error();
    require(cudaDeviceSynchronize());
    graph.capture(captured);
    const double nan = std::numeric_limits<double>::quiet_NaN();
    int64_t count = 0;
    // Clipped less and more, left out, and taken again, with the count of those that were taken.
    for (const double size : {0.1, 50.0, nan, 2.0}) {
        ++count;
        const double n = static_cast<double>(count);
        for (PlacedClipping* each : {&plain, &captured}) {
            each->spoil_or_scale(size);
            each->set({count, 1e-2 / n, 2.0 * n, 0.5, 0.25});
            each->place();
        }
        ASSERT_EQ(EWC_OK, plain.run(graph.stream)) << ewc_last_error();
        graph.launch();
    }
    captured.place(); // written by the replays
    EXPECT_TRUE(plain.bits() == captured.bits());
    EXPECT_EQ(1, plain.skipped.get());
    EXPECT_EQ(1, captured.skipped.get());
    EXPECT_EQ(plain.norm.get(), captured.norm.get());
    EXPECT_TRUE(std::isfinite(captured.norm.get()));
    EXPECT_EQ(plain.statistics.get().gradient_norm_squared, captured.statistics.get().gradient_norm_squared);
    EXPECT_EQ(plain.statistics.get().penalty, captured.statistics.get().penalty);
}

// The whole table of sizes in one list beyond 2^31 elements, where the device has the memory: offsets beyond 32 bits.
TEST(DeviceGraph, BeyondTwoToTheThirtyOneElements) {
    if (const std::string missing = go_to_device(); !missing.empty()) {
        GTEST_SKIP() << missing;
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
    const ewc_exec exec = {here().device(), 0, nullptr};
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
