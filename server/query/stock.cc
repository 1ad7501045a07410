#include "query/stock.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "detente/v1/values.pb.h"
#include "error/error.h"
#include "query/aggregate.h"
#include "values/messages.h"

namespace detente::query {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::Message;
using v1::ComputeStockRequest;
using values::CivilDate;
using Kind = Leaf::Kind;

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
constexpr int64_t kAlways = std::numeric_limits<int64_t>::min();

absl::StatusOr<Leaf> ParseDate(const std::string& path, absl::string_view otherwise,
                               const Descriptor* type, absl::string_view field) {
  if (path.empty() && type->FindFieldByName(std::string(otherwise)) == nullptr) {
    return InvalidField(field,
                        absl::StrCat("is required: ", type->name(), " has no `", otherwise, "`"));
  }
  auto leaf = ParseLeaf(path.empty() ? otherwise : absl::string_view(path), type, field);
  if (!leaf.ok()) return leaf;
  if (leaf->kind != Kind::kDate || leaf->part.has_value() || leaf->repeated()) {
    return InvalidField(field, absl::StrCat("`", leaf->text,
                                            "`: an uncertain date that a record has one of "
                                            "expected"));
  }
  return leaf;
}

absl::StatusOr<int64_t> DayOf(const google::type::Date& date, bool there, absl::string_view field) {
  if (!there) return InvalidField(field, "is required");
  if (date.year() < 1 || date.year() > 9999 ||
      !values::IsCivil({date.year(), date.month(), date.day()})) {
    return InvalidField(
        field, absl::StrCat("a day of the calendar expected, got year ", date.year(), ", month ",
                            date.month(), ", day ", date.day()));
  }
  return values::DaysOf(date);
}

// The first day of the next month, quarter or year; or the next day.
int64_t NextDay(int64_t day, ComputeStockRequest::Step step) {
  if (step == ComputeStockRequest::DAY) return day + 1;
  const DatePart part = step == ComputeStockRequest::YEAR      ? DatePart::kYear
                        : step == ComputeStockRequest::QUARTER ? DatePart::kQuarter
                                                               : DatePart::kMonth;
  const int64_t bucket = BucketOf(part, values::CivilFromDays(day));
  return values::DaysFromCivil(*WindowOf(part, bucket + 1).from);
}

absl::Status DaysOf(const ComputeStockRequest& request, std::vector<int64_t>* days) {
  auto first = DayOf(request.first_day(), request.has_first_day(), "first_day");
  auto last = DayOf(request.last_day(), request.has_last_day(), "last_day");
  absl::Status status = first.status();
  Collect(last.status(), &status);
  if (!ComputeStockRequest::Step_IsValid(request.step())) {
    Collect(InvalidField("step", "DAY, MONTH, QUARTER or YEAR expected"), &status);
  }
  if (!status.ok()) return status;
  if (*last < *first) return InvalidField("last_day", "a day from `first_day` on expected");
  for (int64_t day = *first; day < *last; day = NextDay(day, request.step())) {
    // With the last one they would be too many.
    if (days->size() + 1 >= kMaxStockDays) {
      return InvalidFields({{"step", absl::StrCat("more than ", kMaxStockDays,
                                                  " days; take a longer step, or fewer years")}},
                           v1::LIMIT_EXCEEDED);
    }
    days->push_back(day);
  }
  days->push_back(*last);
  return absl::OkStatus();
}

}  // namespace

std::vector<const Leaf*> StockQuery::Leaves() const {
  std::vector<const Leaf*> leaves;
  if (group.has_value()) leaves.push_back(&*group);
  leaves.push_back(&start);
  leaves.push_back(&end);
  return leaves;
}

absl::StatusOr<StockQuery> ParseStockQuery(const ComputeStockRequest& request,
                                           const Descriptor* type) {
  StockQuery query;
  auto start = ParseDate(request.start_path(), "start_date", type, "start_path");
  auto end = ParseDate(request.end_path(), "end_date", type, "end_path");
  absl::Status status = start.status();
  Collect(end.status(), &status);
  Collect(DaysOf(request, &query.days), &status);
  if (!request.group_path().empty()) {
    auto group = ParseKey(request.group_path(), type, "group_path");
    if (group.ok() && group->kind == Kind::kDate) {
      group = InvalidField("group_path", "a field that is no uncertain date expected");
    }
    Collect(group.status(), &status);
    if (group.ok()) query.group = *std::move(group);
  }
  if (!status.ok()) return status;
  query.start = *std::move(start);
  query.end = *std::move(end);
  return query;
}

Stock::Stock(const StockQuery& query)
    : query_(query), unnest_(query.Leaves(), query.group.has_value() ? 1 : 0) {
  // Without a group there is one series, of no records too.
  if (!query.group.has_value()) Find({}).IgnoreError();
}

size_t Stock::PlaceOf(int64_t day) const {
  return static_cast<size_t>(std::lower_bound(query_.days.begin(), query_.days.end(), day) -
                             query_.days.begin());
}

std::optional<Stock::Spell> Stock::SpellOf(const Datum& start, const Datum& end) {
  if (!start.present) return std::nullopt;
  int64_t first_start = kAlways, last_start = kNever;
  if (!start.text.empty()) {
    const DateCache::Entry& entry = starts_.Find(start.text);
    first_start = entry.first.value_or(kAlways);
    last_start = entry.last.value_or(kNever);
  }
  // An end that is not there may have been at any time.
  int64_t first_end = kAlways, last_end = kNever;
  if (end.present && !end.text.empty()) {
    const DateCache::Entry& entry = ends_.Find(end.text);
    first_end = entry.first.value_or(kAlways);
    last_end = entry.last.value_or(kNever);
  } else if (end.integer == v1::UncertainDate::NONE || end.integer == v1::UncertainDate::ONGOING) {
    first_end = kNever;
  }
  Spell spell;
  spell.certain = {PlaceOf(last_start), PlaceOf(first_end)};
  spell.possible = {PlaceOf(first_start), PlaceOf(last_end)};
  return spell;
}

absl::StatusOr<Stock::Series*> Stock::Find(const Datum& key) {
  const size_t next = series_.size();
  size_t found = next;
  if (!key.present) {
    if (!without_.has_value()) without_ = next;
    found = *without_;
  } else if (query_.group->kind == Kind::kText) {
    const auto known = by_text_.find(key.text);
    found = known != by_text_.end() ? known->second
                                    : by_text_.emplace(std::string(key.text), next).first->second;
  } else {
    const int64_t number =
        query_.group->kind == Kind::kNumber ? std::bit_cast<int64_t>(key.number) : key.integer;
    found = by_number_.try_emplace(number, next).first->second;
  }
  if (found < next) return &series_[found];
  if ((next + 1) * query_.days.size() > kMaxStockPoints) {
    return InvalidFields(
        {{"group_path", absl::StrCat("more than ", kMaxStockPoints,
                                     " points; take a longer step, or narrow the filter")}},
        v1::LIMIT_EXCEEDED);
  }
  Series series;
  series.key = key;
  series.text = std::string(key.text);
  series.key.text = {};
  series.certain.resize(query_.days.size() + 1);
  series.possible.resize(query_.days.size() + 1);
  series_.push_back(std::move(series));
  return &series_.back();
}

void Stock::Count(const Spell& spell, Series* series) {
  auto count = [](const Stretch& stretch, std::vector<int64_t>* days) {
    if (stretch.from >= stretch.to) return;
    ++(*days)[stretch.from];
    --(*days)[stretch.to];
  };
  count(spell.certain, &series->certain);
  count(spell.possible, &series->possible);
}

absl::Status Stock::Add(absl::Span<const Datum> values) {
  const size_t at = query_.group.has_value() ? 1 : 0;
  const auto spell = SpellOf(values[at], values[at + 1]);
  if (!spell.has_value()) return absl::OkStatus();
  ++records_;
  auto series = Find(at > 0 ? values[0] : Datum());
  if (!series.ok()) return series.status();
  Count(*spell, *series);
  return absl::OkStatus();
}

absl::Status Stock::Add(absl::Span<const LeafCells> leaves, absl::Span<const int32_t> rows) {
  const std::vector<const Leaf*> of = query_.Leaves();
  std::vector<Datum> values(of.size());
  for (const int32_t row : rows) {
    for (size_t i = 0; i < of.size(); ++i) {
      values[i] = ReadColumns(*of[i], leaves[i], static_cast<size_t>(row));
    }
    if (absl::Status s = Add(values); !s.ok()) return s;
  }
  return absl::OkStatus();
}

absl::Status Stock::Add(const Message& record) {
  auto read = [](const Leaf& leaf, const std::vector<Slot>& slots) {
    return slots.empty() || slots[0].holder == nullptr
               ? Datum()
               : ReadDatum(leaf, *slots[0].holder, slots[0].index);
  };
  absl::flat_hash_set<size_t> counted;
  std::optional<Spell> spell;
  absl::Status status;
  bool first = true;
  unnest_.Walk(record, [&](absl::Span<const std::vector<Slot>> slots) {
    const size_t at = query_.group.has_value() ? 1 : 0;
    if (first) spell = SpellOf(read(query_.start, slots[at]), read(query_.end, slots[at + 1]));
    first = false;
    if (!spell.has_value()) return false;
    auto series = Find(at > 0 ? read(*query_.group, slots[0]) : Datum());
    status = series.status();
    if (!status.ok()) return false;
    // Once for each value.
    const auto number = static_cast<size_t>(*series - series_.data());
    if (counted.insert(number).second) Count(*spell, *series);
    return true;
  });
  if (spell.has_value()) ++records_;
  return status;
}

void Stock::Write(v1::ComputeStockResponse* response) const {
  std::vector<const Series*> sorted;
  sorted.reserve(series_.size());
  for (const Series& series : series_) sorted.push_back(&series);
  std::sort(sorted.begin(), sorted.end(), [&](const Series* a, const Series* b) {
    if (a->key.present != b->key.present) return a->key.present;
    return std::tie(a->text, a->key.number, a->key.integer) <
           std::tie(b->text, b->key.number, b->key.integer);
  });
  for (const Series* series : sorted) {
    auto* out = response->add_series();
    auto* key = out->mutable_key();
    key->set_present(series->key.present);
    if (series->key.present) {
      switch (query_.group->kind) {
        case Kind::kText:
          key->set_value(series->text);
          break;
        case Kind::kNumber:
          key->set_value(TextOfNumber(series->key.number));
          break;
        default:
          key->set_value(TextOfInteger(*query_.group, series->key.integer));
      }
    }
    int64_t certain = 0, possible = 0;
    for (size_t i = 0; i < query_.days.size(); ++i) {
      certain += series->certain[i];
      possible += series->possible[i];
      auto* point = out->add_points();
      const CivilDate day = values::CivilFromDays(query_.days[i]);
      point->mutable_day()->set_year(static_cast<int32_t>(day.year));
      point->mutable_day()->set_month(day.month);
      point->mutable_day()->set_day(day.day);
      point->set_certain(certain);
      point->set_possible(possible);
    }
  }
  response->set_record_count(records_);
}

}  // namespace detente::query
