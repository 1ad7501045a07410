// A number for each of many texts that come again and again. Up to 15 bytes, as codes and dates
// have, are told apart as two words.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/numeric/int128.h"
#include "absl/strings/string_view.h"

namespace detente::query {

class TextNumbers {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  size_t size() const { return short_.size() + long_.size(); }
  void clear() { *this = {}; }

  // Its number; `make` is asked for that of a new text, which kNone leaves a new one.
  template <typename Make>
  uint32_t Find(absl::string_view text, Make make) {
    if (text.size() <= kShort) return FindIn(&short_, ShortOf(text), make);
    return FindIn(&long_, text, make);
  }

 private:
  static constexpr size_t kShort = 15;

  // All bytes, and in the last one how many there are.
  struct Short {
    uint64_t first = 0;
    uint64_t last = 0;
    bool operator==(const Short&) const = default;
  };
  struct HashShort {
    size_t operator()(const Short& text) const {
      const absl::uint128 product =
          absl::uint128(text.first ^ 0x9e3779b97f4a7c15) * (text.last ^ 0xbf58476d1ce4e5b9);
      return absl::Uint128Low64(product) ^ absl::Uint128High64(product);
    }
  };

  static Short ShortOf(absl::string_view text) {
    const size_t size = text.size();
    Short out;
    static_assert(std::endian::native == std::endian::little);  // what comes last stays
    if (size >= 8) {
      std::memcpy(&out.first, text.data(), 8);
      std::memcpy(&out.last, text.data() + size - 8, 8);
      out.last = size == 8 ? 0 : out.last >> (8 * (16 - size));
    } else {
      for (const char c : text) out.first = out.first << 8 | static_cast<unsigned char>(c);
    }
    out.last |= uint64_t{size} << 56;
    return out;
  }

  template <typename Map, typename Text, typename Make>
  static uint32_t FindIn(Map* map, const Text& text, Make make) {
    const auto found = map->find(text);
    if (found != map->end()) return found->second;
    const uint32_t number = make();
    if (number != kNone) map->emplace(text, number);
    return number;
  }

  absl::flat_hash_map<Short, uint32_t, HashShort> short_;
  absl::flat_hash_map<std::string, uint32_t> long_;
};

}  // namespace detente::query
