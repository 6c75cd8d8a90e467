#include "overlap.h"

#include <algorithm>

#include "elements.h"

namespace ewc {
namespace {

struct Span {
    uintptr_t begin;
    uintptr_t end;
    Overlap::Part part;
    bool written;
};

template <typename Visitor>
void for_each_span(std::initializer_list<NamedList> lists, std::initializer_list<Region> regions, Visitor&& visit) {
    const auto visit_bytes = [&](const void* address, uint64_t bytes, Overlap::Part part, bool written) {
        if (bytes > 0) {
            const uintptr_t begin = reinterpret_cast<uintptr_t>(address);
            visit(Span{begin, begin + bytes, part, written});
        }
    };
    for (const NamedList& named : lists) {
        if (named.list != nullptr) { // its arrays are read to the end of the call
            const uint64_t bytes = static_cast<uint64_t>(named.list->count) * sizeof(void*);
            visit_bytes(named.list->numel, bytes, {named.name, -1}, false);
            visit_bytes(named.list->data, bytes, {named.name, -1}, false);
        }
        for (int64_t i = 0; named.list != nullptr && i < named.list->count; ++i) {
            const int64_t bytes = segment_bytes(named.list->dtype, named.list->numel[i]);
            visit_bytes(named.list->data[i], static_cast<uint64_t>(bytes), {named.name, i}, named.access == Access::write);
        }
    }
    for (const Region& region : regions) {
        visit_bytes(region.address, region.bytes, {region.name, -1}, region.access == Access::write);
    }
}

bool same(const Overlap::Part& a, const Overlap::Part& b) { return a.name == b.name && a.segment == b.segment; }

// Some of the written spans, sorted, so that any span is looked up among them in a few steps.
class Block {
public:
    bool full() const { return size_ == kSize; }
    bool empty() const { return size_ == 0; }
    void clear() { size_ = 0; }
    void add(const Span& span) { spans_[size_++] = span; }

    // Sorts, and tells of two of the block that overlap. Only where none do may find be called.
    Overlap sort() {
        std::sort(spans_, spans_ + size_, [](const Span& a, const Span& b) { return a.begin < b.begin; });
        for (int i = 1; i < size_; ++i) {
            if (spans_[i].begin < spans_[i - 1].end) {
                return {spans_[i - 1].part, spans_[i].part};
            }
        }
        return {};
    }

    Overlap find(const Span& span) const {
        const Span* at = std::upper_bound(spans_, spans_ + size_, span.begin,
                                          [](uintptr_t begin, const Span& other) { return begin < other.end; });
        const bool overlaps = at != spans_ + size_ && at->begin < span.end && !same(at->part, span.part);
        return overlaps ? Overlap{at->part, span.part} : Overlap{};
    }

private:
    static constexpr int kSize = 128;

    Span spans_[kSize];
    int size_ = 0;
};

Overlap find_in(Block& block, std::initializer_list<NamedList> lists, std::initializer_list<Region> regions) {
    Overlap found = block.sort();
    if (found.written.name == nullptr) {
        for_each_span(lists, regions, [&](const Span& span) {
            if (found.written.name == nullptr) {
                found = block.find(span);
            }
        });
    }
    block.clear();
    return found;
}

} // namespace

Overlap find_overlap(std::initializer_list<NamedList> lists, std::initializer_list<Region> regions) {
    Block block;
    Overlap found;
    for_each_span(lists, regions, [&](const Span& span) {
        if (found.written.name != nullptr || !span.written) {
            return;
        }
        block.add(span);
        if (block.full()) {
            found = find_in(block, lists, regions);
        }
    });
    if (found.written.name == nullptr && !block.empty()) {
        found = find_in(block, lists, regions);
    }
    return found;
}

} // namespace ewc
