#include "store/sqlite/text_finder.h"

#include <algorithm>

#include "absl/strings/match.h"

namespace detente::store {
namespace {

size_t FirstTwo(const char* bytes) {
  return static_cast<size_t>(static_cast<unsigned char>(bytes[0])) << 8 |
         static_cast<unsigned char>(bytes[1]);
}

}  // namespace

TextFinder::TextFinder(absl::Span<const std::string> texts) {
  for (absl::string_view text : texts) {
    if (text.size() < kStart) {
      short_.push_back(text);
      continue;
    }
    starts_.set(FirstTwo(text.data()));
    by_start_[text.substr(0, kStart)].push_back(text);
  }
}

bool TextFinder::FindsIn(absl::string_view bytes) const {
  for (size_t i = 0; i + kStart <= bytes.size(); ++i) {
    if (!starts_.test(FirstTwo(bytes.data() + i))) continue;
    const absl::string_view rest = bytes.substr(i);
    const auto found = by_start_.find(rest.substr(0, kStart));
    if (found == by_start_.end()) continue;
    const bool whole =
        std::any_of(found->second.begin(), found->second.end(),
                    [&](absl::string_view text) { return absl::StartsWith(rest, text); });
    if (whole) return true;
  }
  return std::any_of(short_.begin(), short_.end(),
                     [&](absl::string_view text) { return absl::StrContains(bytes, text); });
}

}  // namespace detente::store
