// Where in a record a walk is, for violations.
#pragma once

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace detente::engine {

// Where the walk is; the text is made only for a violation.
struct Place {
  const Place* parent;
  absl::string_view field;
  const std::string* id = nullptr;  // of an element
  int index = -1;                   // of an element without an id, or a scalar in a list

  std::string Text() const {
    std::string text = parent != nullptr ? parent->Text() : "";
    if (!field.empty()) absl::StrAppend(&text, text.empty() ? "" : ".", field);
    if (id != nullptr && !id->empty()) {
      absl::StrAppend(&text, "[\"", *id, "\"]");
    } else if (index >= 0) {
      absl::StrAppend(&text, "[", index, "]");
    }
    return text;
  }
};

}  // namespace detente::engine
