#include "query/columns.h"

#include <string>

#include "absl/strings/string_view.h"

namespace detente::query {

using google::protobuf::FieldDescriptor;

Columns::Columns(const google::protobuf::Descriptor* /*type*/, absl::string_view collection) {
  table_.collection = std::string(collection);
}

std::optional<int> Columns::FindColumn(const std::vector<const FieldDescriptor*>& /*path*/) const {
  return std::nullopt;
}

std::optional<int> Columns::FindList(const std::vector<const FieldDescriptor*>& /*path*/) const {
  return std::nullopt;
}

store::Derived Columns::Derive(const google::protobuf::Message& /*record*/) const { return {}; }

std::vector<std::string> NamesOf(const google::protobuf::Message& /*record*/) { return {}; }

}  // namespace detente::query
