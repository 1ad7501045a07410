// Protobuf's wire format, for messages that are written field by field.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace detente::values {

constexpr size_t kMostVarintBytes = 10;

// What follows it.
inline char* PutVarint(uint64_t value, char* out) {
  for (; value >= 0x80; value >>= 7) *out++ = static_cast<char>(value | 0x80);
  *out++ = static_cast<char>(value);
  return out;
}

inline void AppendVarint(uint64_t value, std::string* out) {
  char bytes[kMostVarintBytes];
  out->append(bytes, PutVarint(value, bytes) - bytes);
}

inline void AppendNumber(int field, int64_t number, std::string* out) {
  AppendVarint(static_cast<uint64_t>(field) << 3, out);
  AppendVarint(static_cast<uint64_t>(number), out);
}

// Of a string, bytes, or an encoded message.
inline void AppendBytes(int field, absl::string_view bytes, std::string* out) {
  char start[2 * kMostVarintBytes];
  char* end = PutVarint(static_cast<uint64_t>(field) << 3 | 2, start);
  end = PutVarint(bytes.size(), end);
  out->append(start, end - start);
  out->append(bytes.data(), bytes.size());
}

}  // namespace detente::values
