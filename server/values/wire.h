// Protobuf's wire format, for messages that are written field by field.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace detente::values {

inline void AppendVarint(uint64_t value, std::string* out) {
  for (; value >= 0x80; value >>= 7) out->push_back(static_cast<char>(value | 0x80));
  out->push_back(static_cast<char>(value));
}

inline void AppendNumber(int field, int64_t number, std::string* out) {
  AppendVarint(static_cast<uint64_t>(field) << 3, out);
  AppendVarint(static_cast<uint64_t>(number), out);
}

// Of a string, bytes, or an encoded message.
inline void AppendBytes(int field, absl::string_view bytes, std::string* out) {
  AppendVarint(static_cast<uint64_t>(field) << 3 | 2, out);
  AppendVarint(bytes.size(), out);
  out->append(bytes.data(), bytes.size());
}

}  // namespace detente::values
