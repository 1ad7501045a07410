// What a request asks to be grouped and summed up, checked.
#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "error/error.h"
#include "query/aggregate.h"
#include "query/nearest.h"

namespace detente::query {
namespace {

using google::protobuf::Descriptor;
using v1::AggregateRecordsRequest;
using Kind = Leaf::Kind;

constexpr size_t kMaxOrderBytes = 2'048;

bool HasParts(const Leaf& leaf) {
  return leaf.kind == Kind::kDate || leaf.kind == Kind::kDay || leaf.kind == Kind::kTime;
}

// What keeps the leaf from being a key; empty where nothing does.
std::string NoKey(const Leaf& leaf) {
  const std::string& name = leaf.path.back()->name();
  if (HasParts(leaf) && !leaf.part.has_value()) {
    return absl::StrCat("`", leaf.text, "`: a part of it expected: `", leaf.text,
                        ".year`, `.quarter`, "
                        "`.month` or `.day`");
  }
  if (leaf.kind == Kind::kEstimate) {
    return absl::StrCat("`", leaf.text, "`: a field of it expected: `", leaf.text,
                        ".low`, `.best` or "
                        "`.high`");
  }
  if (leaf.kind != Kind::kMessage) return "";
  return absl::StrCat("`", leaf.text, "`: ",
                      leaf.path.back()->is_map() ? "a key of it expected, as `labels.case`"
                                                 : absl::StrCat("a field of ", name, " expected"));
}

// What keeps the measure from being computed; empty where nothing does.
std::string NoMeasure(MeasureKind kind, const Leaf& leaf) {
  const std::string what = absl::StrCat("`", leaf.text, "`: ");
  if (leaf.part.has_value()) {
    return what + "a part of a date is for `group_paths`; a measure takes the date";
  }
  switch (kind) {
    case AggregateRecordsRequest::Measure::SUM:
      if (leaf.kind == Kind::kInteger || leaf.kind == Kind::kNumber ||
          leaf.kind == Kind::kEstimate) {
        return "";
      }
      return what + "SUM takes a number or an Estimate";
    case AggregateRecordsRequest::Measure::DISTINCT:
    case AggregateRecordsRequest::Measure::MIN:
    case AggregateRecordsRequest::Measure::MAX:
      if (leaf.kind == Kind::kEstimate) {
        return absl::StrCat(what, "a field of it expected: `", leaf.text,
                            ".low`, `.best` or `.high`");
      }
      if (leaf.kind == Kind::kMessage) return what + "a field with a value expected";
      return "";
    default:
      return "";
  }
}

absl::Status ParseMeasure(const AggregateRecordsRequest::Measure& measure, const Descriptor* type,
                          const std::string& at, Aggregation* out) {
  using Wanted = AggregateRecordsRequest::Measure;
  if (!Wanted::Kind_IsValid(measure.kind()) || measure.kind() == Wanted::KIND_UNSPECIFIED) {
    return InvalidField(at + ".kind", "COUNT, DISTINCT, SUM, MIN or MAX expected");
  }
  Measure parsed{measure.kind(), std::nullopt,
                 absl::AsciiStrToLower(Wanted::Kind_Name(measure.kind()))};
  if (measure.path().empty()) {
    if (measure.kind() != Wanted::COUNT) {
      return InvalidField(at + ".path",
                          absl::StrCat("is required for ", Wanted::Kind_Name(measure.kind())));
    }
  } else {
    auto leaf = ParseLeaf(measure.path(), type, at + ".path");
    if (!leaf.ok()) return leaf.status();
    const std::string wrong = NoMeasure(measure.kind(), *leaf);
    if (!wrong.empty()) return InvalidField(at + ".path", wrong);
    parsed.leaf = *std::move(leaf);
    absl::StrAppend(&parsed.text, "(", measure.path(), ")");
  }
  out->measures.push_back(std::move(parsed));
  return absl::OkStatus();
}

absl::Status ParseOrder(absl::string_view text, Aggregation* out) {
  if (absl::StripAsciiWhitespace(text).empty()) return absl::OkStatus();
  if (text.size() > kMaxOrderBytes) {
    return InvalidField("order_by", absl::StrCat("longer than ", kMaxOrderBytes, " bytes"));
  }
  std::vector<absl::string_view> names;
  names.reserve(out->keys.size() + out->measures.size());
  for (const Leaf& key : out->keys) names.push_back(key.text);
  for (const Measure& measure : out->measures) names.push_back(measure.text);
  std::vector<Violation> violations;
  for (absl::string_view one : absl::StrSplit(text, ',')) {
    const std::vector<absl::string_view> words =
        absl::StrSplit(one, absl::ByAnyChar(" \t\r\n"), absl::SkipEmpty());
    const absl::string_view name = words.empty() ? "" : words[0];
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) {
      const std::string nearest = Nearest(name, names);
      violations.push_back(
          {"order_by",
           absl::StrCat("`", name, "`: one of ", absl::StrJoin(names, ", "), " expected",
                        nearest.empty() ? "" : absl::StrCat("; did you mean `", nearest, "`?"))});
      continue;
    }
    if (words.size() > 2 || (words.size() == 2 && words[1] != "asc" && words[1] != "desc")) {
      violations.push_back({"order_by", absl::StrCat("`", absl::StripAsciiWhitespace(one),
                                                     "`: `asc`, `desc` or "
                                                     "nothing expected behind ",
                                                     name)});
      continue;
    }
    const size_t index = static_cast<size_t>(found - names.begin());
    const bool by_measure = index >= out->keys.size();
    out->order.push_back({by_measure, by_measure ? index - out->keys.size() : index,
                          words.size() == 2 && words[1] == "desc"});
  }
  return violations.empty() ? absl::OkStatus() : InvalidFields(violations);
}

}  // namespace

std::vector<const Leaf*> Aggregation::Leaves() const {
  std::vector<const Leaf*> leaves;
  leaves.reserve(keys.size() + measures.size());
  for (const Leaf& key : keys) leaves.push_back(&key);
  for (const Measure& measure : measures) {
    if (measure.leaf.has_value()) leaves.push_back(&*measure.leaf);
  }
  return leaves;
}

absl::StatusOr<Leaf> ParseKey(absl::string_view text, const Descriptor* type,
                              absl::string_view field) {
  auto leaf = ParseLeaf(text, type, field);
  if (!leaf.ok()) return leaf;
  const std::string wrong = NoKey(*leaf);
  if (!wrong.empty()) return InvalidField(field, wrong);
  return leaf;
}

absl::StatusOr<Aggregation> ParseAggregation(const AggregateRecordsRequest& request,
                                             const Descriptor* type) {
  Aggregation out;
  absl::Status status;
  if (request.group_paths_size() > kMaxGroupPaths) {
    return InvalidFields(
        {{"group_paths",
          absl::StrCat("at most ", kMaxGroupPaths, " expected, got ", request.group_paths_size())}},
        v1::LIMIT_EXCEEDED);
  }
  if (request.measures_size() > kMaxMeasures) {
    return InvalidFields({{"measures", absl::StrCat("at most ", kMaxMeasures, " expected, got ",
                                                    request.measures_size())}},
                         v1::LIMIT_EXCEEDED);
  }
  int dates = 0;
  std::string repeated_date;
  absl::flat_hash_set<std::string> seen;
  for (int i = 0; i < request.group_paths_size(); ++i) {
    const std::string at = absl::StrCat("group_paths[", i, "]");
    auto leaf = ParseKey(request.group_paths(i), type, at);
    if (leaf.ok() && !seen.insert(leaf->text).second) {
      leaf = InvalidField(at, absl::StrCat("`", leaf->text, "`: is there before"));
    }
    Collect(leaf.status(), &status);
    if (!leaf.ok()) continue;
    if (leaf->kind == Leaf::Kind::kDate) {
      ++dates;
      if (leaf->repeated()) repeated_date = at;
    }
    out.keys.push_back(*std::move(leaf));
  }
  if (!repeated_date.empty() && dates > 1) {
    Collect(InvalidField(repeated_date,
                         "an uncertain date in a list goes with no other uncertain date"),
            &status);
  }
  for (int i = 0; i < request.measures_size(); ++i) {
    Collect(ParseMeasure(request.measures(i), type, absl::StrCat("measures[", i, "]"), &out),
            &status);
  }
  if (request.measures().empty()) {
    out.measures.push_back({AggregateRecordsRequest::Measure::COUNT, std::nullopt, "count"});
  }
  if (request.max_groups() < 0) {
    Collect(
        InvalidField("max_groups", absl::StrCat("from 0 on expected, got ", request.max_groups())),
        &status);
  } else if (request.max_groups() > 0) {
    out.max_groups = static_cast<size_t>(std::min(request.max_groups(), kMaxGroups));
  }
  // What is missing above would be missed here again.
  if (status.ok()) status = ParseOrder(request.order_by(), &out);
  if (!status.ok()) return status;
  return out;
}

}  // namespace detente::query
