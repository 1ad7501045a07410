#include "filter_check.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "detente/v1/release.pb.h"
#include "detente/v1/specimen.pb.h"
#include "google/protobuf/stubs/common.h"
#include "google/protobuf/text_format.h"
#include "query/columns.h"
#include "query/filter.h"

namespace detente::query {
namespace {

constexpr char kRelease[] = R"(
  name: "releases/a" display_name: "Release of Test Person 17" region_code: "BY" mechanism: PARDON
  labels { key: "case" value: "x" }
  effective_date { edtf: "2025-XX-13" state: VALUE }
  headcount { best: 123 }
  citations { source: "sources/a" }
  participants { id: "a" person: "persons/a" outcomes { kind: FREED date { edtf: "2025-12" state: VALUE } } }
  participants { id: "b" mechanism: AMNESTY outcomes { date { state: UNKNOWN } } })";
constexpr char kSpecimen[] = R"(
  name: "specimens/a" note: "a*b" weight_kilograms: -2.5 copy_count: 3 shown: true digest: "x"
  seen_time { seconds: 5 nanos: 500 } numbers: 1 numbers: -1 materials: STONE person: "persons/a"
  made_date { edtf: "[2024,2025-12]" state: VALUE } location { latitude: 1 })";

template <typename T>
struct Fixture {
  Fixture(const char* text, const char* collection) : columns(T::descriptor(), collection) {
    google::protobuf::TextFormat::ParseFromString(text, &record);
  }
  T record;
  Columns columns;
};

bool IsUtf8(absl::string_view text) {
  return google::protobuf::internal::IsStructurallyValidUTF8(text.data(),
                                                             static_cast<int>(text.size()));
}

// The levels of parentheses in a text of Filter::Text: those in quotes too, which is no less.
int Depth(absl::string_view text) {
  int depth = 0, most = 0;
  for (const char c : text) {
    if (c == '(') most = std::max(most, ++depth);
    if (c == ')') --depth;
  }
  return most;
}

template <typename T>
std::string CheckAs(const Fixture<T>& fixture, absl::string_view text, bool syntax) {
  const auto order = ParseOrder(text, T::descriptor(), fixture.columns);
  if (!order.ok() && !IsUtf8(order.status().message())) return "an order's error is no UTF-8";
  const auto filter = Filter::Parse(text, T::descriptor());
  if (!filter.ok()) {
    if (filter.status().code() != absl::StatusCode::kInvalidArgument) return "an odd error";
    if (!IsUtf8(filter.status().message())) return "an error is no UTF-8";
    return "";
  }
  if (!syntax) return "read without a syntax";
  const bool matches = filter->Matches(fixture.record);
  for (const bool show_deleted : {false, true}) {
    const Lowered lowered = filter->Lower(fixture.columns, show_deleted);
    if (lowered.residual.empty() != lowered.heads_exact) return "what is residual is not exact";
    if (matches && lowered.heads.kind == store::Condition::Kind::kFalse)
      return "lowered to nothing";
  }
  // What is said again may be longer than a filter may be.
  const std::string again = filter->Text();
  if (again.size() > kMaxFilterBytes || Depth(again) > kMaxFilterDepth) return "";
  const auto second = Filter::Parse(again, T::descriptor());
  if (!second.ok()) return absl::StrCat("not read again: ", second.status().message());
  if (second->Text() != again) return absl::StrCat(again, " became ", second->Text());
  if (second->Matches(fixture.record) != matches) return absl::StrCat(again, " means otherwise");
  return "";
}

}  // namespace

std::string CheckFilter(absl::string_view text) {
  static const auto* const release = new Fixture<v1::Release>(kRelease, "releases");
  static const auto* const specimen = new Fixture<v1::Specimen>(kSpecimen, "specimens");
  size_t position = 0;
  const bool syntax = SyntaxTree(text, &position).ok();
  if (position > text.size()) return "wrong beyond its end";
  std::string wrong = CheckAs(*release, text, syntax);
  return wrong.empty() ? CheckAs(*specimen, text, syntax) : wrong;
}

}  // namespace detente::query
