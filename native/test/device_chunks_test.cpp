// The device's partition beyond 2^31 elements and beyond one launch's table, by arithmetic: nothing is launched.
#include <gtest/gtest.h>

#include <vector>

#include "launch.cuh"
#include "lists.h"

namespace ewc::cuda {
namespace {

TEST(DeviceChunks, TablesCoverEveryElementOnceBeyond32Bits) {
    const int64_t huge = (int64_t{1} << 33) + 5;
    constexpr int64_t count = 1000;
    std::vector<int64_t> numel(count, 3);
    numel[0] = 0;
    numel[7] = huge;
    numel[900] = (int64_t{1} << 31) - 1;
    numel[999] = 0;
    std::vector<void*> addresses;
    for (uintptr_t i = 0; i < numel.size(); ++i) {
        addresses.push_back(reinterpret_cast<void*>((i + 1) << 40));
    }
    const ewc_list list = {count, numel.data(), addresses.data(), EWC_F32};
    const ewc_list quantised = {count, numel.data(), addresses.data(), EWC_I16_BLOCK256};
    const ewc_list* const lists[3] = {&list, nullptr, &quantised};
    int64_t tables = 0, chunks_seen = 0;
    std::vector<int64_t> covered(count, 0);
    const auto run = [&](const SegmentTable<3, 1>& table, int64_t chunks) {
        EXPECT_LE(sizeof(table), 32764u - 256u);
        EXPECT_EQ(chunks_seen, table.chunks_before);
        ++tables;
        chunks_seen += chunks;
        for (int64_t block = 0; block < chunks; ++block) {
            const auto chunk = chunk_of(table, block);
            const auto segment = static_cast<size_t>(chunk.extra[0]);
            const char* base = static_cast<const char*>(addresses[segment]);
            EXPECT_EQ(base + 4 * covered[segment], chunk.given[0].data);
            EXPECT_EQ(base + 2 * covered[segment], chunk.given[2].data);
            EXPECT_EQ(base + steps_offset(EWC_I16_BLOCK256, numel[segment]) + 4 * (covered[segment] / kBlock),
                      reinterpret_cast<const char*>(chunk.given[2].steps));
            covered[segment] += chunk.n;
        }
        return cudaSuccess;
    };
    EXPECT_EQ(cudaSuccess, for_each_table<1>(lists, list, [](int64_t i, int) { return static_cast<double>(i); }, run));
    EXPECT_EQ(numel, covered);
    EXPECT_EQ(device_chunks(list), chunks_seen);
    EXPECT_EQ(2, tables);
}

// 292 tensors are Pythia-410m's. The list of few addresses has the longest table.
TEST(DeviceChunks, AModelTakesOneLaunchAndTheContractsLongListsSeveral) {
    constexpr int adamw = SegmentTable<7, 3>::kSegments, merge = SegmentTable<2, 0>::kSegments;
    EXPECT_EQ(337, adamw);
    EXPECT_LT(static_cast<size_t>(merge), test::many_segments().size() - 2); // two are empty
}

} // namespace
} // namespace ewc::cuda
