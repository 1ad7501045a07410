// The syntax of filters, which knows nothing of fields: the grammar of AIP-160.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "store/selection.h"

namespace detente::query {

// Something wrong at a byte of the filter.
struct Fault {
  size_t position = 0;
  std::string what;
  bool limit = false;  // too much of something
};

// INVALID_ARGUMENT with a violation of `field` for each.
absl::Status InvalidFilter(const std::vector<Fault>& faults, absl::string_view field);

// As much of a text as an error shows, between backticks.
std::string Shown(absl::string_view text);

// A pattern of values/wildcard.h in quotes, as a filter has it.
std::string QuotePattern(absl::string_view pattern);

// What stands in quotes, or a run of characters without.
struct Word {
  std::string value;    // without quotes and escapes
  std::string pattern;  // the same, as values/wildcard.h has it
  bool quoted = false;
  size_t begin = 0;
  size_t end = 0;
  std::vector<size_t> places = {};  // of each byte of `value`

  size_t PlaceOf(size_t byte) const { return byte < places.size() ? places[byte] : end; }
};

enum class Comparator { kEqual, kNotEqual, kLess, kLessOrEqual, kGreater, kGreaterOrEqual, kHas };
absl::string_view ToText(Comparator comparator);

struct Token {
  enum class Kind { kWord, kAnd, kOr, kNot, kMinus, kDot, kComma, kOpen, kClose, kCompare, kEnd };
  Kind kind = Kind::kEnd;
  Comparator comparator = Comparator::kEqual;
  bool spaced = false;  // after a space, or at the start
  Word word;            // of kWord and keywords; begin and end of all
};

// A text, and where its bytes stand: one filter can be quoted in another.
struct FilterSource {
  absl::string_view text;
  const Word* quoted = nullptr;  // absent = it is the whole filter

  size_t PlaceOf(size_t byte) const { return quoted == nullptr ? byte : quoted->PlaceOf(byte); }
};

// False: what is no UTF-8, or a control character but a tab or the end of a line, is in `fault`.
bool CheckCharacters(const FilterSource& source, Fault* fault);

// False: what is wrong is in `fault`. The last token is kEnd.
bool Lex(const FilterSource& source, std::vector<Token>* tokens, Fault* fault);

// The size of the RFC 3339 time that a text begins with; 0 = it begins with none.
size_t TimeSize(absl::string_view text);

struct Syntax {
  enum class Kind { kAnd, kSequence, kOr, kNot, kCompare, kMember, kFunction };
  Kind kind = Kind::kMember;
  size_t position = 0;
  std::vector<Syntax> children = {};  // of kCompare: left, right; of a function: its arguments
  Comparator comparator = Comparator::kEqual;
  size_t comparator_position = 0;
  bool minus = false;            // kNot: written as `-`
  std::vector<Word> words = {};  // of a member, or a function's name
};

// False: what is wrong is in `fault`. A blank text has no tree. `depth` is how deep the text stands
// in another.
bool ParseSyntax(const FilterSource& source, int depth, std::vector<Syntax>* root, Fault* fault);

}  // namespace detente::query
