// What a filter means. Everything else that finds records by filters is held against this.
#include <cmath>
#include <compare>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "detente/v1/values.pb.h"
#include "google/api/resource.pb.h"
#include "query/columns.h"
#include "query/filter.h"
#include "query/filter_node.h"
#include "values/civil_date.h"
#include "values/edtf.h"
#include "values/wildcard.h"
#include "values/words.h"

namespace detente::query {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using Node = Filter::Node;

// A value in a record: a field of a message, or one of its elements.
struct Place {
  const Message& message;
  const FieldDescriptor* field;
  int index = -1;

  const Message& Below() const {
    const Reflection* of = message.GetReflection();
    return index < 0 ? of->GetMessage(message, field)
                     : of->GetRepeatedMessage(message, field, index);
  }
};

using Predicate = absl::FunctionRef<bool(const Place&)>;

std::string KeyOf(const Message& entry) {
  const FieldDescriptor* key = entry.GetDescriptor()->map_key();
  const Reflection* of = entry.GetReflection();
  switch (KindOf(key)) {
    case ValueKind::kText:
      return of->GetString(entry, key);
    case ValueKind::kBool:
      return of->GetBool(entry, key) ? "true" : "false";
    case ValueKind::kNatural:
      return absl::StrCat(static_cast<uint64_t>(WholeOf(entry, key)));
    default:
      return absl::StrCat(WholeOf(entry, key));
  }
}

// Whether it is true of a value that the path leads to: below what is absent there is none.
bool AnyAt(const Message& message, absl::Span<const FieldStep> path, Predicate predicate) {
  const FieldStep& step = path.front();
  const Reflection* of = message.GetReflection();
  const absl::Span<const FieldStep> rest = path.subspan(1);
  auto at = [&](const Place& place) {
    return rest.empty() ? predicate(place) : AnyAt(place.Below(), rest, predicate);
  };
  if (step.field->is_map() && !step.key) return at({message, step.field});
  if (step.field->is_map()) {
    for (int i = 0; i < of->FieldSize(message, step.field); ++i) {
      const Message& entry = of->GetRepeatedMessage(message, step.field, i);
      if (KeyOf(entry) == *step.key) return at({entry, step.field->message_type()->map_value()});
    }
    return false;
  }
  if (step.field->is_repeated()) {
    for (int i = 0; i < of->FieldSize(message, step.field); ++i) {
      if (at({message, step.field, i})) return true;
    }
    return false;
  }
  if (step.field->has_presence() && !of->HasField(message, step.field)) return false;
  return at({message, step.field});
}

// Comparisons with what is no number are false, != too.
bool Holds(Comparator comparator, std::partial_ordering order) {
  switch (comparator) {
    case Comparator::kEqual:
    case Comparator::kHas:
      return order == 0;
    case Comparator::kNotEqual:
      return order != 0 && order != std::partial_ordering::unordered;
    case Comparator::kLess:
      return order < 0;
    case Comparator::kLessOrEqual:
      return order <= 0;
    case Comparator::kGreater:
      return order > 0;
    case Comparator::kGreaterOrEqual:
      return order >= 0;
  }
  return false;
}

std::partial_ordering OrderOfBytes(const std::string& a, const std::string& b) {
  return a.compare(b) <=> 0;
}

double RealAt(const Place& place) { return RealOf(place.message, place.field, place.index); }
int64_t WholeAt(const Place& place) { return WholeOf(place.message, place.field, place.index); }

int64_t NumberOf(const Message& message, int number) {
  return WholeOf(message, message.GetDescriptor()->FindFieldByNumber(number));
}

// The days that an uncertain date can be; of a date that nobody knows, any.
struct Readings {
  std::optional<values::EdtfDate> date;
  std::optional<int64_t> earliest;
  std::optional<int64_t> latest;
};

std::optional<Readings> ReadingsOf(const Message& message) {
  const FieldDescriptor* edtf =
      message.GetDescriptor()->FindFieldByNumber(v1::UncertainDate::kEdtfFieldNumber);
  const int64_t state = NumberOf(message, v1::UncertainDate::kStateFieldNumber);
  if (state == v1::UncertainDate::UNKNOWN) return Readings();
  if (state != v1::UncertainDate::VALUE) return std::nullopt;
  auto date = values::ParseEdtf(message.GetReflection()->GetString(message, edtf));
  if (!date.ok()) return std::nullopt;
  Readings readings;
  if (date->earliest) readings.earliest = values::DaysFromCivil(*date->earliest);
  if (date->latest) readings.latest = values::DaysFromCivil(*date->latest);
  readings.date = *std::move(date);
  return readings;
}

bool Possibly(const Readings& readings, const Literal& window) {
  if (!readings.date) return true;
  values::DateWindow days;
  if (window.from) days.from = values::CivilFromDays(*window.from);
  if (window.to) days.to = values::CivilFromDays(*window.to);
  return values::Possibly(*readings.date, values::DateRelation::kWithin, days);
}

bool HoldsOfDate(const Node& node, const Place& place) {
  const auto readings = ReadingsOf(place.Below());
  if (!readings) return false;
  const Literal& window = node.literal;
  if (node.kind == Node::Kind::kPossibly) return Possibly(*readings, window);
  const bool from_first =
      !window.from || (readings->earliest && *readings->earliest >= *window.from);
  const bool to_last = !window.to || (readings->latest && *readings->latest <= *window.to);
  if (node.kind == Node::Kind::kCertainly) return from_first && to_last;
  switch (node.comparator) {
    case Comparator::kEqual:
    case Comparator::kHas:
      return from_first && to_last;
    case Comparator::kNotEqual:
      return !Possibly(*readings, window);
    case Comparator::kLess:
      return window.from && readings->latest && *readings->latest < *window.from;
    case Comparator::kLessOrEqual:
      return to_last;
    case Comparator::kGreater:
      return window.to && readings->earliest && *readings->earliest > *window.to;
    case Comparator::kGreaterOrEqual:
      return from_first;
  }
  return false;
}

bool HoldsOfText(const Node& node, const Place& place) {
  const auto& [message, field, index] = place;
  const Reflection* of = message.GetReflection();
  std::string scratch;
  const std::string& text = index < 0
                                ? of->GetStringReference(message, field, &scratch)
                                : of->GetRepeatedStringReference(message, field, index, &scratch);
  if (!node.literal.wildcard) return Holds(node.comparator, OrderOfBytes(text, node.literal.text));
  return values::MatchesWildcard(node.literal.text, text) !=
         (node.comparator == Comparator::kNotEqual);
}

bool HoldsAt(const Node& node, const Place& place) {
  const Literal& literal = node.literal;
  switch (literal.kind) {
    case ValueKind::kText:
      return HoldsOfText(node, place);
    case ValueKind::kBool:
    case ValueKind::kEnum:
    case ValueKind::kWhole:
      return Holds(node.comparator, WholeAt(place) <=> literal.whole);
    case ValueKind::kNatural:
      return Holds(node.comparator, static_cast<uint64_t>(WholeAt(place)) <=> literal.natural);
    case ValueKind::kReal:
      return Holds(node.comparator, RealAt(place) <=> literal.real);
    case ValueKind::kTime:
    case ValueKind::kDuration: {
      const Message& time = place.Below();
      const auto seconds = NumberOf(time, 1) <=> literal.whole;
      return Holds(node.comparator,
                   seconds != 0 ? seconds : NumberOf(time, 2) <=> int64_t{literal.nanos});
    }
    case ValueKind::kDay: {
      const Message& date = place.Below();
      const values::CivilDate day{NumberOf(date, 1), static_cast<int>(NumberOf(date, 2)),
                                  static_cast<int>(NumberOf(date, 3))};
      // google.type.Date can be less than a day.
      if (day.year == 0 || !values::IsCivil(day)) return false;
      return Holds(node.comparator, values::DaysFromCivil(day) <=> literal.whole);
    }
    case ValueKind::kDate:
      return HoldsOfDate(node, place);
    case ValueKind::kBytes:
    case ValueKind::kMessage:
      break;
  }
  return false;
}

// Of a value that the path leads to.
bool IsPresent(const Place& place) {
  const auto& [message, field, index] = place;
  const Reflection* of = message.GetReflection();
  if (index >= 0) return true;
  if (field->is_repeated()) return of->FieldSize(message, field) > 0;
  if (message.GetDescriptor()->options().map_entry()) return true;
  if (KindOf(field) == ValueKind::kReal) {
    const double number = RealAt(place);
    return !std::isnan(number) && (field->has_presence() || number != 0);
  }
  return of->HasField(message, field);
}

bool RefersTo(const Message& message, const std::string& name) {
  const Reflection* of = message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  of->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const bool reference = field->options().HasExtension(google::api::resource_reference);
    if (!reference && field->message_type() == nullptr) continue;
    const int size = field->is_repeated() ? of->FieldSize(message, field) : 1;
    for (int i = 0; i < size; ++i) {
      const Place place{message, field, field->is_repeated() ? i : -1};
      if (reference) {
        const std::string value = field->is_repeated() ? of->GetRepeatedString(message, field, i)
                                                       : of->GetString(message, field);
        if (value == name) return true;
      } else if (RefersTo(place.Below(), name)) {
        return true;
      }
    }
  }
  return false;
}

bool Cites(const Message& record, const std::string& name) {
  const FieldDescriptor* field = record.GetDescriptor()->FindFieldByName("citations");
  for (int i = 0; i < record.GetReflection()->FieldSize(record, field); ++i) {
    const Message& citation = record.GetReflection()->GetRepeatedMessage(record, field, i);
    const FieldDescriptor* source =
        citation.GetDescriptor()->FindFieldByNumber(v1::Citation::kSourceFieldNumber);
    if (citation.GetReflection()->GetString(citation, source) == name) return true;
  }
  return false;
}

class Evaluator {
 public:
  explicit Evaluator(const Message& record) : record_(record) {}

  bool Holds(const Node& node, const Message& message) {
    switch (node.kind) {
      case Node::Kind::kAnd:
        for (const Node& child : node.children) {
          if (!Holds(child, message)) return false;
        }
        return true;
      case Node::Kind::kOr:
        for (const Node& child : node.children) {
          if (Holds(child, message)) return true;
        }
        return false;
      case Node::Kind::kNot:
        return !Holds(node.children[0], message);
      case Node::Kind::kPresent:
        return PresentAt(node, message);
      case Node::Kind::kCompare:
        return AnyAt(message, node.path, [&](const Place& place) { return HoldsAt(node, place); });
      case Node::Kind::kPossibly:
      case Node::Kind::kCertainly:
        return AnyAt(message, node.path,
                     [&](const Place& place) { return HoldsOfDate(node, place); });
      case Node::Kind::kAny:
        return AnyAt(message, node.path,
                     [&](const Place& place) { return Holds(node.children[0], place.Below()); });
      case Node::Kind::kNamed:
      case Node::Kind::kSounds:
        return HasNames(node) || (!node.children.empty() && HasNames(node.children[0]));
      case Node::Kind::kCites:
        return Cites(record_, node.text);
      case Node::Kind::kRefersTo:
        return RefersTo(record_, node.text);
    }
    return false;
  }

 private:
  static bool PresentAt(const Node& node, const Message& message) {
    return AnyAt(message, node.path, IsPresent);
  }

  bool HasNames(const Node& node) {
    ReadNames();
    const auto& of = node.kind == Node::Kind::kNamed ? words_ : sounds_;
    for (const std::string& word : node.words) {
      if (!of.contains(word)) return false;
    }
    return true;
  }

  void ReadNames() {
    if (read_) return;
    read_ = true;
    for (const std::string& name : NamesOf(record_)) {
      const auto words = values::WordsOf(name);
      for (size_t i = 0; i < words.size(); ++i) {
        words_.insert(words[i].folded);
        for (std::string& sound : values::SoundsAt(name, words, i)) {
          sounds_.insert(std::move(sound));
        }
      }
    }
  }

  const Message& record_;
  bool read_ = false;
  absl::flat_hash_set<std::string> words_;
  absl::flat_hash_set<std::string> sounds_;
};

}  // namespace

bool Filter::Matches(const Message& record) const {
  return root_ == nullptr || Evaluator(record).Holds(*root_, record);
}

}  // namespace detente::query
