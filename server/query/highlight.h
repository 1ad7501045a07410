// Where in a record the words stand that a search was for.
#pragma once

#include <string>
#include <vector>

#include "google/protobuf/message.h"
#include "store/search.h"

namespace detente::query {

constexpr size_t kMaxHighlights = 5;          // of a record
constexpr size_t kMaxHighlightBytes = 2'048;  // of all of them, with their paths
constexpr int kSnippetCharacters = 160;

struct Highlight {
  struct Part {
    std::string text;
    bool matched = false;
  };
  std::string path;
  std::vector<Part> parts;  // what stands around the first match; together a part of the text
};

// Names first, then the other texts in the order of the fields; of equal texts the first.
std::vector<Highlight> HighlightsOf(const google::protobuf::Message& record,
                                    const store::SearchNode& root);

}  // namespace detente::query
