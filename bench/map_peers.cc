// SPDX-License-Identifier: MIT
// The peers that are C++: std::map and absl::btree_map, from the first key of a range to its number.
#include "map_peers.h"

#include <absl/container/btree_map.h>

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace {

using std_map = std::map<uint64_t, uint32_t>;
using absl_map = absl::btree_map<uint64_t, uint32_t>;
using std_bytes = std::map<std::string, uint32_t, std::less<>>;
using absl_bytes = absl::btree_map<std::string, uint32_t, std::less<>>;

template <class Map> uint32_t find(const Map *m, uint64_t key) {
    return std::prev(m->upper_bound(key))->second;
}

template <class Map> uint32_t find_bytes(const Map *m, const char *key) {
    return std::prev(m->upper_bound(std::string_view(key, MAP_KEY)))->second;
}

template <class Map> void destroy(void *self) {
    delete static_cast<Map *>(self);
}

template <class Map> void *fill(const uint64_t *keys, uint32_t n) {
    Map *m = new Map;
    for (uint32_t i = 0; i < n; i++)
        m->emplace_hint(m->end(), keys[i], i);
    return m;
}

template <class Map> void *fill_bytes(const char *keys, uint32_t n) {
    Map *m = new Map;
    for (uint32_t i = 0; i < n; i++)
        m->emplace_hint(m->end(), std::string(keys + (size_t)i * MAP_KEY, MAP_KEY), i);
    return m;
}

MAP_LOOPS(std_u64, std_map, find)
MAP_LOOPS(absl_u64, absl_map, find)
MAP_BYTE_LOOPS(std_text, std_bytes, find_bytes)
MAP_BYTE_LOOPS(absl_text, absl_bytes, find_bytes)

} // namespace

map_peer map_std(const uint64_t *keys, uint32_t n) {
    return { "std_map", fill<std_map>(keys, n), std_u64_independent, std_u64_dependent, destroy<std_map>, 0 };
}

map_peer map_absl(const uint64_t *keys, uint32_t n) {
    return { "absl_btree", fill<absl_map>(keys, n), absl_u64_independent, absl_u64_dependent,
        destroy<absl_map>, 0 };
}

map_peer map_std_bytes(const char *keys, uint32_t n) {
    return { "std_map", fill_bytes<std_bytes>(keys, n), std_text_independent, std_text_dependent,
        destroy<std_bytes>, 0 };
}

map_peer map_absl_bytes(const char *keys, uint32_t n) {
    return { "absl_btree", fill_bytes<absl_bytes>(keys, n), absl_text_independent, absl_text_dependent,
        destroy<absl_bytes>, 0 };
}
