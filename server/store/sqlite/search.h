// The full-text index: the words of each row of head_X and past_X, in search_heads and search_past.
// Their rowid is made of the row's `num` and the collection's ordinal, which it has for ever.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace detente::store {

// The tables, where they are missing.
extern const char kSearchTables[];
constexpr int kMaxCollections = 255;

inline int64_t SearchRow(int64_t number, int64_t ordinal) { return number << 8 | ordinal; }

// A change of one row of the index.
struct WordsChange {
  bool past = false;
  int64_t row = 0;     // see SearchRow
  int64_t copied = 0;  // 0, or the row of search_heads whose words it gets instead of these:
  std::string names, sounds, texts;
};

// A phrase of FTS5.
std::string QuoteWords(absl::string_view words);

// A condition over the rows `k` of keys_X, or of past_keys_X: their names have the word that its
// parameter, NamedMatch, is made of.
enum class NamedBy { kWord, kSound };
std::string NamedCondition(absl::string_view collection, bool past);
std::string NamedMatch(NamedBy by, absl::string_view word);

}  // namespace detente::store
