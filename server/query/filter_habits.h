// What other languages have and filters have not: what is right instead. Taken as it stands, most
// of it would be a word to look for or a value that no record has, and find nothing without a word.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"
#include "query/filter_node.h"
#include "query/filter_syntax.h"

namespace detente::query {

// Each is what an error says; empty = nothing is known of it.

// Two comparators without a space between them, as in `==`.
std::string HintOfComparators(Comparator first, Comparator second);

// A word that stands alone, of records of the type: `&&`, LIKE, a field that is compared with
// nothing.
std::string HintOfWord(const Word& word, const google::protobuf::Descriptor* type);

// A value that `path` is compared with: null, quotes that a word processor made.
std::string HintOfValue(const Operand& operand, absl::string_view path);

// What follows the name of a field, or stands in its place: `participants[0]`,
// `effective_date.year`.
std::string HintOfField(absl::string_view name, const google::protobuf::Descriptor* type);

// Behind the path of a message that is compared as a whole.
std::string HintOfMessage(const google::protobuf::Descriptor* type, absl::string_view path);

}  // namespace detente::query
