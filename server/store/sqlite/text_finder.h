// Which of many texts are in bytes, told in one pass.
#pragma once

#include <bitset>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace detente::store {

class TextFinder {
 public:
  // The texts live as long as this.
  explicit TextFinder(absl::Span<const std::string> texts);

  bool FindsIn(absl::string_view bytes) const;

 private:
  static constexpr size_t kStart = 4;  // bytes, that all but short texts are looked up by

  std::bitset<1 << 16> starts_;  // by their first two bytes
  absl::flat_hash_map<absl::string_view, std::vector<absl::string_view>> by_start_;
  std::vector<absl::string_view> short_;
};

}  // namespace detente::store
