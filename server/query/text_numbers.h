// A number for each of many texts that come again and again. Up to 16 bytes, as codes and dates
// have, are compared as two words, without a look into the table where they came lately.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

namespace detente::query {

class TextNumbers {
 public:
  size_t size() const { return all_.size(); }
  void clear() { *this = {}; }

  // Its number; `make` is asked for that of a new text, which kNone leaves a new one.
  static constexpr uint32_t kNone = UINT32_MAX;
  template <typename Make>
  uint32_t Find(absl::string_view text, Make make) {
    if (text.empty() || text.size() > kShort) return FindAny(text, make);
    Recent wanted{0, 0, static_cast<uint32_t>(text.size()), 0};
    Load(text, &wanted);
    Recent& recent = recent_[PlaceOf(wanted)];
    if (recent.size != wanted.size || recent.first != wanted.first || recent.last != wanted.last) {
      wanted.number = FindAny(text, make);
      if (wanted.number == kNone) return kNone;
      recent = wanted;
    }
    return recent.number;
  }

 private:
  static constexpr size_t kShort = 16;
  static constexpr int kRecentBits = 12;

  struct Recent {
    uint64_t first = 0;
    uint64_t last = 0;
    uint32_t size = 0;  // 0 = there is none
    uint32_t number = 0;
  };

  // All bytes, some twice.
  static void Load(absl::string_view text, Recent* out) {
    const size_t size = text.size();
    if (size >= 8) {
      std::memcpy(&out->first, text.data(), 8);
      std::memcpy(&out->last, text.data() + size - 8, 8);
    } else if (size >= 4) {
      std::memcpy(&out->first, text.data(), 4);
      std::memcpy(&out->last, text.data() + size - 4, 4);
    } else {
      const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
      out->first = bytes[0] | bytes[size / 2] << 8 | bytes[size - 1] << 16;
    }
  }
  static size_t PlaceOf(const Recent& text) {
    const uint64_t mixed = (text.first ^ text.last * 0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9;
    return (mixed ^ mixed >> 32) >> (64 - 32 - kRecentBits) & ((size_t{1} << kRecentBits) - 1);
  }

  template <typename Make>
  uint32_t FindAny(absl::string_view text, Make make) {
    const auto found = all_.find(text);
    if (found != all_.end()) return found->second;
    const uint32_t number = make();
    if (number != kNone) all_.emplace(std::string(text), number);
    return number;
  }

  std::vector<Recent> recent_ = std::vector<Recent>(size_t{1} << kRecentBits);
  absl::flat_hash_map<std::string, uint32_t> all_;
};

}  // namespace detente::query
