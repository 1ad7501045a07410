#include "server/engine/random_records.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "detente/v1/values.pb.h"
#include "google/api/resource.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/type/date.pb.h"
#include "values/messages.h"

namespace detente::testing {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

const std::vector<std::string> kTexts = {"",       "Test",        "Test Person", "Test Person 17",
                                         "test",   "Тест",        "a*b",         "quo\"ted",
                                         "person", "Tést-Persön", "back\\slash"};
const std::vector<std::string> kCodes = {"", "BY", "LT", "PL"};
const std::vector<std::string> kDates = {"2025-12-13",    "2025-12",
                                         "2025",          "2025-12-01/2025-12-20",
                                         "2025-12-13/..", "../2025-12",
                                         "2025-12~",      "2025-1X",
                                         "2026-01?",      "{2025-12-01,2026-01-20}",
                                         "2025-21",       "2024/2027",
                                         "202X",          "[2025-12-02,2026-01-20]"};
const std::vector<std::string> kWindows = {"2025-12-13", "2025-12", "2025",   "2025-12/2026-01",
                                           "../2025-12", "2026/..", "2025-33"};
const std::vector<std::string> kTimes = {"2025-12-13T00:00:00Z", "2025-12-14T12:00:00Z",
                                         "2025-12-13T01:00:00.000001Z",
                                         "2025-12-20T03:00:00+03:00"};
constexpr int kDepth = 4;

bool IsReference(const FieldDescriptor* field) {
  return field->options().HasExtension(google::api::resource_reference);
}

const Descriptor* DateType() { return v1::UncertainDate::descriptor(); }
const Descriptor* TimeType() { return google::protobuf::Timestamp::descriptor(); }
const Descriptor* DayType() { return google::type::Date::descriptor(); }

std::string RandomText(Dice& dice, const FieldDescriptor* field) {
  if (IsReference(field)) {
    return absl::StrCat(dice.Of<std::string>({"persons", "sources", "organizations"}), "/r",
                        dice.Below(3));
  }
  if (absl::EndsWith(field->name(), "_code") || field->name() == "nationalities") {
    return dice.Of(kCodes);
  }
  if (field->name() == "id") return absl::StrCat("e", dice.Below(3));
  return dice.Of(kTexts);
}

void Fill(Dice& dice, int depth, Message* message) {
  const Descriptor* type = message->GetDescriptor();
  const Reflection* reflection = message->GetReflection();
  if (type == DateType()) {
    auto* date = static_cast<v1::UncertainDate*>(message);
    std::vector<Violation> violations;
    if (dice.OneIn(5)) {
      date->set_state(static_cast<v1::UncertainDate::State>(dice.Below(4) + 1));
      if (date->state() != v1::UncertainDate::VALUE) return;
    }
    date->set_edtf(dice.Of(kDates));
    values::NormalizeDate(date, &violations);
    return;
  }
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    if (depth == 0 && field->number() <= 7) continue;
    if (depth >= kDepth || !dice.OneIn(depth == 0 ? 2 : 3)) continue;
    // The server's own references are no record's to make: a merge's, once there are merges.
    if (field->name() == "merged_into") continue;
    const auto* oneof = field->real_containing_oneof();
    if (oneof != nullptr && reflection->HasOneof(*message, oneof)) continue;
    for (int n = field->is_repeated() ? dice.Below(3) : 1; n > 0; --n) {
      const bool list = field->is_repeated();
      switch (field->cpp_type()) {
        case FieldDescriptor::CPPTYPE_MESSAGE: {
          Message* below = list ? reflection->AddMessage(message, field)
                                : reflection->MutableMessage(message, field);
          if (field->is_map()) {
            const FieldDescriptor* key = field->message_type()->map_key();
            const FieldDescriptor* value = field->message_type()->map_value();
            below->GetReflection()->SetString(below, key, n == 1 ? "case" : "other");
            below->GetReflection()->SetString(below, value, dice.Of(kTexts));
          } else if (field->message_type() == TimeType()) {
            auto* time = static_cast<google::protobuf::Timestamp*>(below);
            time->set_seconds(kFirstTime / 1'000'000 + dice.Below(4) * 43'200);
            time->set_nanos(dice.Below(3) * 1'000);
          } else {
            Fill(dice, depth + 1, below);
          }
          break;
        }
        case FieldDescriptor::CPPTYPE_STRING:
          list ? reflection->AddString(message, field, RandomText(dice, field))
               : reflection->SetString(message, field, RandomText(dice, field));
          break;
        case FieldDescriptor::CPPTYPE_ENUM: {
          const int number =
              field->enum_type()->value(dice.Below(field->enum_type()->value_count()))->number();
          list ? reflection->AddEnumValue(message, field, number)
               : reflection->SetEnumValue(message, field, number);
          break;
        }
        case FieldDescriptor::CPPTYPE_BOOL:
          if (!list) reflection->SetBool(message, field, dice.OneIn(2));
          break;
        case FieldDescriptor::CPPTYPE_INT64:
          if (!list) reflection->SetInt64(message, field, dice.Below(4));
          break;
        case FieldDescriptor::CPPTYPE_INT32:
          if (!list) reflection->SetInt32(message, field, dice.Below(4));
          break;
        case FieldDescriptor::CPPTYPE_DOUBLE:
          if (!list) reflection->SetDouble(message, field, dice.Below(4) / 2.0);
          break;
        default:
          break;
      }
    }
  }
}

std::string Quoted(const std::string& text) {
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"\"", "\\\""}}), "\"");
}

std::string NameOf(const std::vector<const FieldDescriptor*>& path) {
  return absl::StrJoin(path, ".", [](std::string* out, const FieldDescriptor* field) {
    absl::StrAppend(out, field->name());
  });
}

}  // namespace

std::unique_ptr<Message> RandomRecord(Dice& dice, const Descriptor* type) {
  std::unique_ptr<Message> record(
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
  Fill(dice, 0, record.get());
  return record;
}

// Down to a scalar, a date, a time or a day; `repeated`: through a list or to one, where there is
// such a field.
RandomFilter::Path RandomFilter::RandomPath(const Descriptor* type, bool repeated) {
  Path last;
  for (int tries = 0; tries < 200; ++tries) {
    Path path;
    const Descriptor* at = type;
    bool through = false, whole = false;
    while (at != nullptr && path.size() < 5 && !whole) {
      const FieldDescriptor* field = at->field(dice_.Below(at->field_count()));
      if (field->is_map() || field->name() == "etag") break;
      path.push_back(field);
      through |= field->is_repeated();
      at = field->message_type();
      whole = at == nullptr || at == TimeType() || at == DayType() ||
              (at == DateType() && !dice_.OneIn(4));
    }
    if (!whole) continue;
    if (through == repeated) return path;
    last = path;
  }
  return last;
}

std::string RandomFilter::Comparison(const Path& path) {
  const FieldDescriptor* field = path.back();
  const bool repeated = std::any_of(path.begin(), path.end(),
                                    [](const FieldDescriptor* f) { return f->is_repeated(); });
  const std::string name = NameOf(path);
  if (dice_.OneIn(8)) return name + ":*";
  auto compare = [&](const std::vector<std::string>& operators, const std::string& value) {
    return absl::StrCat(name, dice_.OneIn(2) ? " " : "", repeated ? ":" : dice_.Of(operators),
                        dice_.OneIn(2) ? " " : "", value);
  };
  const std::vector<std::string> all = {"=", "!=", "<", "<=", ">", ">="};
  if (field->message_type() == DateType()) return compare(all, Quoted(dice_.Of(kWindows)));
  if (field->message_type() == DayType()) {
    return compare(all, Quoted(dice_.Of<std::string>({"2025-12-13", "2025-12-31", "2026-01-20"})));
  }
  if (field->message_type() == TimeType()) return compare(all, Quoted(dice_.Of(kTimes)));
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_ENUM:
      return compare(
          {"=", "!=", ":"},
          field->enum_type()->value(dice_.Below(field->enum_type()->value_count()))->name());
    case FieldDescriptor::CPPTYPE_BOOL:
      return compare({"=", "!=", ":"}, dice_.OneIn(2) ? "true" : "false");
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return compare(all, dice_.Of<std::string>({"0", "0.5", "1", "1.5", "-1"}));
    case FieldDescriptor::CPPTYPE_STRING:
      break;
    default:
      return compare(all, absl::StrCat(dice_.Below(5) - 1));
  }
  // Texts are compared by their bytes, and a star stands for itself with a backslash before it.
  if (field->name() == "edtf") return compare(all, Quoted(dice_.Of(kDates)));
  if (field->name() == "name" && path.size() == 1 && root_) {
    // The resource's own.
    const std::string collection = type_->options().GetExtension(google::api::resource).plural();
    return compare({"=", "!=", ":"}, Quoted(absl::StrCat(collection, "/r", dice_.Below(9))));
  }
  if (dice_.OneIn(4)) {
    if (IsReference(field)) {
      return compare(
          {"=", "!=", ":"},
          Quoted(dice_.Of<std::string>({"*", "*/r*", "persons/*", "organizations/*1", "*/r1"})));
    }
    return compare({"=", "!=", ":"},
                   Quoted(dice_.Of<std::string>({"*", "Test*", "*Person*", "*17", "T*t", "B*",
                                                 "persons/*", "a\\*b", "*/r1"})));
  }
  const std::string text = RandomText(dice_, field);
  if (absl::StrContains(text, "*")) return compare({"=", "!=", ":"}, Quoted(text));
  return compare({"=", "!=", "<", "<=", ">", ">=", ":"}, Quoted(text));
}

std::string RandomFilter::Function(int depth) {
  switch (root_ ? dice_.Below(7) : dice_.Below(2)) {
    case 0:
    case 1: {
      for (int tries = 0; tries < 50; ++tries) {
        const Path path = RandomPath(type_, false);
        if (path.back()->message_type() != DateType()) continue;
        return absl::StrCat(dice_.OneIn(2) ? "possibly(" : "certainly(", NameOf(path), ", ",
                            Quoted(dice_.Of(kWindows)), ")");
      }
      return Comparison(RandomPath(type_, false));
    }
    case 2:
      return absl::StrCat("cites(\"sources/r", dice_.Below(3), "\")");
    case 3:
      return absl::StrCat("refers_to(\"", dice_.Of<std::string>({"persons", "sources"}), "/r",
                          dice_.Below(3), "\")");
    case 4:
      return absl::StrCat("matches_name(", Quoted(dice_.Of<std::string>({"Test", "Тест Person"})),
                          ")");
    case 5:
      return dice_.Of<std::string>({"test", "Person", "\"test person\"", "Тест", "17", "nobody"});
    default: {
      std::vector<const FieldDescriptor*> lists;
      for (int i = 0; i < type_->field_count(); ++i) {
        const FieldDescriptor* field = type_->field(i);
        if (field->is_repeated() && !field->is_map() && field->message_type() != nullptr) {
          lists.push_back(field);
        }
      }
      if (lists.empty()) return "test";
      const FieldDescriptor* list = dice_.Of(lists);
      RandomFilter inner(dice_, list->message_type());
      inner.root_ = false;
      return absl::StrCat("any(", list->name(), ", ", Quoted(inner.Text(std::min(depth, 2))), ")");
    }
  }
}

std::string RandomFilter::Term(int depth) {
  switch (dice_.Below(12)) {
    case 0:
    case 1:
    case 2:
      return Function(depth);
    case 3:
    case 4:
    case 5:
      return Comparison(RandomPath(type_, true));
    case 6:
      if (root_) {
        return dice_.Of<std::string>({"labels.case = \"Test\"", "labels:case", "labels.other:*",
                                      "labels.case != \"Test\"", "delete_time:*",
                                      "update_time > \"2025-12-20T00:00:00Z\"", "revision < 300"});
      }
      [[fallthrough]];
    default:
      return Comparison(RandomPath(type_, false));
  }
}

std::string RandomFilter::Text(int depth) {
  if (depth <= 0 || dice_.OneIn(3)) return Term(depth);
  switch (dice_.Below(6)) {
    case 0:
      return absl::StrCat("NOT (", Text(depth - 1), ")");
    case 1:
      return absl::StrCat("-(", Text(depth - 1), ")");
    case 2:
      return absl::StrCat("(", Text(depth - 1), ") OR (", Text(depth - 1), ")");
    case 3:
      return absl::StrCat(Term(depth), " OR ", Term(depth), " OR ", Term(depth));
    case 4:
      return absl::StrCat(Term(depth), " ", Term(depth));
    default:
      return absl::StrCat("(", Text(depth - 1), ") AND (", Text(depth - 1), ")");
  }
}

std::string RandomFilter::Order() {
  std::vector<std::string> keys;
  for (int n = 1 + dice_.Below(3); n > 0; --n) {
    for (int tries = 0; tries < 50; ++tries) {
      const Path path = RandomPath(type_, false);
      const std::string name = NameOf(path);
      // A date is ordered as a whole, or by a bound; long texts are not.
      const bool bound = path.back()->message_type() == DayType();
      if ((path.back()->containing_type() == DateType() && !bound) || name == "text") continue;
      if (std::find_if(keys.begin(), keys.end(), [&](const std::string& key) {
            return absl::StartsWith(key, name);
          }) != keys.end()) {
        continue;
      }
      keys.push_back(absl::StrCat(name, dice_.OneIn(2) ? " desc" : ""));
      break;
    }
  }
  return absl::StrJoin(keys, ", ");
}

std::string RandomFilter::Part(const std::string& filter) {
  const int begin = dice_.Below(static_cast<int>(filter.size()) + 1);
  const int size = 1 + dice_.Below(static_cast<int>(filter.size()) + 1);
  // Without the parentheses that the cut has left open.
  std::string part = filter.substr(static_cast<size_t>(begin), static_cast<size_t>(size));
  while (!part.empty() && (part.front() == ' ' || part.front() == ')')) part.erase(0, 1);
  while (!part.empty() && part.back() == ' ') part.pop_back();
  return part;
}

}  // namespace detente::testing
