// The partition beyond 2^31 and 2^32 elements, by arithmetic: no memory of that size is touched.
#include <gtest/gtest.h>

#include "chunks.h"

namespace ewc::test {
namespace {

TEST(Chunks, CoverEveryElementOnceBeyond32Bits) {
    const int64_t huge = (int64_t{1} << 32) + 5;
    const int64_t numel[] = {3, huge, 0, kChunk, (int64_t{1} << 31) - 1};
    const ewc_list list = {5, numel, nullptr, EWC_F32};
    const int64_t chunks = chunks_of(list);
    EXPECT_EQ(1 + (int64_t{1} << 18) + 1 + 0 + 1 + (int64_t{1} << 17), chunks);
    for (const int64_t team : {1, 2, 3, 64}) {
        int64_t next = 0, segment = -1, end = 0, elements = 0;
        for (int64_t rank = 0; rank < team; ++rank) {
            visit_chunks(list, chunks * rank / team, chunks * (rank + 1) / team, [&](const Chunk& chunk) {
                ASSERT_EQ(next++, chunk.index);
                ASSERT_EQ(chunk.segment == segment ? end : 0, chunk.offset);
                segment = chunk.segment;
                end = chunk.offset + chunk.n;
                ASSERT_LE(end, numel[segment]);
                elements += chunk.n;
            });
        }
        EXPECT_EQ(chunks, next);
        EXPECT_EQ(3 + huge + kChunk + (int64_t{1} << 31) - 1, elements);
    }
}

TEST(Chunks, AddressesBeyond32Bits) {
    const int64_t numel = (int64_t{1} << 33) + 1;
    char* base = reinterpret_cast<char*>(uintptr_t{1} << 40);
    const int64_t offset = int64_t{1} << 33;
    EXPECT_EQ(base + 4 * offset, elements_at(base, numel, EWC_F32, offset).data);
    const Elements quantised = elements_at(base, numel, EWC_I16_BLOCK256, offset);
    EXPECT_EQ(base + 2 * offset, quantised.data);
    EXPECT_EQ(base + 2 * (numel + 1) + 4 * (offset / 256), reinterpret_cast<char*>(quantised.steps));
    EXPECT_EQ(2 * (numel + 1) + 4 * (offset / 256 + 1), ewc_segment_bytes(EWC_I16_BLOCK256, numel));
}

} // namespace
} // namespace ewc::test
