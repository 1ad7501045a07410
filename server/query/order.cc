#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "detente/v1/values.pb.h"
#include "query/filter.h"
#include "query/filter_node.h"
#include "query/filter_syntax.h"
#include "query/nearest.h"

namespace detente::query {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

// A date without a bound has a place among dates; asked for by the bound alone, it has no value.
std::optional<int64_t> NoBound(const std::vector<const FieldDescriptor*>& fields) {
  if (fields.size() < 2 || KindOf(fields[fields.size() - 2]) != ValueKind::kDate) return {};
  if (fields.back()->number() == v1::UncertainDate::kEarliestFieldNumber) return kUnboundedEarliest;
  if (fields.back()->number() == v1::UncertainDate::kLatestFieldNumber) return kUnboundedLatest;
  return {};
}

// The columns of a path, in their order; none: what is wrong is in `fault`.
std::vector<store::Order> ColumnsOf(absl::string_view path, size_t position, bool descending,
                                    const Descriptor* type, const Columns& columns, Fault* fault) {
  std::vector<const FieldDescriptor*> fields;
  size_t at = position;
  auto fail = [&](const std::string& what) {
    *fault = {at, what};
    return std::vector<store::Order>();
  };
  for (const absl::string_view name : absl::StrSplit(path, '.')) {
    if (name.empty()) return fail("a field's name expected");
    const FieldDescriptor* field =
        type == nullptr ? nullptr : type->FindFieldByName(std::string(name));
    if (type == nullptr) {
      return fail(absl::StrCat(fields.back()->name(), " has no fields, got ", Shown(name)));
    }
    if (field == nullptr) {
      const std::string nearest = NearestField(type, name);
      return fail(
          absl::StrCat(type->name(), " has no field ", Shown(name),
                       nearest.empty() ? "" : absl::StrCat("; did you mean `", nearest, "`?")));
    }
    if (field->is_repeated()) {
      return fail(absl::StrCat(Shown(name), " is repeated: a field with one value expected"));
    }
    fields.push_back(field);
    const ValueKind kind = KindOf(field);
    type =
        kind == ValueKind::kMessage || kind == ValueKind::kDate ? field->message_type() : nullptr;
    at += name.size() + 1;
  }
  at = position;
  if (KindOf(fields.back()) == ValueKind::kDate) {
    std::vector<store::Order> bounds;
    for (const char* bound : {"earliest", "latest"}) {
      fields.push_back(type->FindFieldByName(bound));
      if (const auto column = columns.FindColumn(fields)) bounds.push_back({*column, descending});
      fields.pop_back();
    }
    if (bounds.size() == 2) return bounds;
  }
  if (const auto column = columns.FindColumn(fields)) {
    return {{*column, descending, NoBound(fields)}};
  }
  if (KindOf(fields.back()) == ValueKind::kMessage) {
    return fail(absl::StrCat(Shown(path), " has no order: one of its fields expected"));
  }
  return fail(absl::StrCat("records are not ordered by ", Shown(path)));
}

}  // namespace

absl::StatusOr<std::vector<store::Order>> ParseOrder(absl::string_view text, const Descriptor* type,
                                                     const Columns& columns,
                                                     absl::string_view field) {
  std::vector<store::Order> orders;
  if (absl::StripAsciiWhitespace(text).empty()) return orders;
  if (text.size() > kMaxOrderBytes) {
    return InvalidFilter(
        {{0, absl::StrCat("at most ", kMaxOrderBytes, " bytes, got ", text.size()), true}}, field);
  }
  if (Fault fault; !CheckCharacters({text}, &fault)) return InvalidFilter({fault}, field);
  std::vector<Fault> faults;
  std::vector<std::string> paths;
  for (const absl::string_view one : absl::StrSplit(text, ',')) {
    const std::vector<absl::string_view> words =
        absl::StrSplit(one, absl::ByAnyChar(" \t\r\n"), absl::SkipEmpty());
    const auto place = [&](absl::string_view word) {
      return static_cast<size_t>(word.data() - text.data());
    };
    if (words.empty()) {
      faults.push_back({place(one), "a field expected"});
      continue;
    }
    if (words.size() > 2 || (words.size() == 2 && words[1] != "desc" && words[1] != "asc")) {
      faults.push_back(
          {place(words[1]), absl::StrCat("`desc` or `,` expected, got ", Shown(words[1]))});
      continue;
    }
    if (std::find(paths.begin(), paths.end(), words[0]) != paths.end()) {
      faults.push_back({place(words[0]), absl::StrCat(Shown(words[0]), " stands here twice")});
      continue;
    }
    paths.emplace_back(words[0]);
    Fault fault;
    const bool descending = words.size() == 2 && words[1] == "desc";
    const std::vector<store::Order> found =
        ColumnsOf(words[0], place(words[0]), descending, type, columns, &fault);
    if (found.empty()) faults.push_back(std::move(fault));
    orders.insert(orders.end(), found.begin(), found.end());
  }
  if (paths.size() > kMaxOrderFields) {
    faults.push_back({0, absl::StrCat("at most ", kMaxOrderFields, " fields"), true});
  }
  if (!faults.empty()) return InvalidFilter(faults, field);
  return orders;
}

}  // namespace detente::query
