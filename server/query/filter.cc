#include "query/filter.h"

#include "error/error.h"

namespace detente::query {

struct Filter::Node {};

absl::StatusOr<Filter> Filter::Parse(absl::string_view text, const google::protobuf::Descriptor*,
                                     absl::string_view field) {
  if (!text.empty()) return InvalidField(field, "not parsed yet");
  return Filter();
}

bool Filter::Matches(const google::protobuf::Message&) const { return true; }

Lowered Filter::Lower(const Columns&, bool) const { return {}; }

std::string Filter::Text() const { return ""; }

absl::StatusOr<std::vector<store::Order>> ParseOrder(absl::string_view text,
                                                     const google::protobuf::Descriptor*,
                                                     const Columns&, absl::string_view field) {
  if (!text.empty()) return InvalidField(field, "not parsed yet");
  return std::vector<store::Order>();
}

}  // namespace detente::query
