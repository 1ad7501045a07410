// Random filters over random records: laws of logic, and that what is lowered finds what the
// evaluator does.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "detente/v1/release.pb.h"
#include "detente/v1/specimen.pb.h"
#include "google/api/resource.pb.h"
#include "query/columns.h"
#include "query/filter.h"
#include "server/engine/testing.h"
#include "values/civil_date.h"
#include "values/edtf.h"
#include "values/messages.h"
#include "values/wildcard.h"

namespace detente::query {
namespace {

using store::Condition;
using store::Value;
using Kind = Condition::Kind;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

using Random = std::mt19937;

template <typename T>
const T& Pick(Random& random, const std::vector<T>& from) {
  return from[random() % from.size()];
}

const std::vector<std::string>& Edtfs() {
  static const auto* const texts = new std::vector<std::string>{
      "2025-12-13",           "2025-12", "2025",       "2024-02?",    "202X",
      "2020/2025-12",         "2025/..", "../2024-02", "2025-XX-13",  "[2024,2025-12]",
      "{2024,2025-12-13}",    "2025-24", "2025-12-12", "[..2024-02]", "XXXX-12-13",
      "2024-02-29/2025-12-12"};
  return *texts;
}
const std::vector<std::string>& Texts() {
  static const auto* const texts =
      new std::vector<std::string>{"", "BY", "B", "BYZ", "by", "a*b", "Test Person 17", "é"};
  return *texts;
}
const std::vector<std::string>& Names() {
  static const auto* const names =
      new std::vector<std::string>{"persons/a", "persons/b", "specimens/a", "sources/a"};
  return *names;
}

void FillDate(Random& random, v1::UncertainDate* date) {
  std::vector<Violation> violations;
  if (random() % 4 == 0) {
    date->set_state(static_cast<v1::UncertainDate::State>(2 + random() % 3));
  } else {
    date->set_edtf(Pick(random, Edtfs()));
  }
  values::NormalizeDate(date, &violations);
  ASSERT_TRUE(violations.empty());
}

v1::Specimen RandomSpecimen(Random& random) {
  v1::Specimen record;
  auto maybe = [&] { return random() % 2 == 0; };
  record.set_name(
      absl::StrCat("specimens/", Pick<std::string>(random, {"a", "ab", "b", "erased-1"})));
  record.set_uid(Pick<std::string>(random, {"u1", "u2"}));
  record.set_revision(1 + random() % 3);
  record.mutable_create_time()->set_seconds(1'700'000'000);
  record.mutable_create_time()->set_nanos(static_cast<int>(random() % 3) * 1000);
  *record.mutable_update_time() = record.create_time();
  if (maybe()) *record.mutable_delete_time() = record.create_time();
  if (record.name() == "specimens/erased-1") {  // nothing else is left of it
    *record.mutable_delete_time() = record.create_time();
    return record;
  }
  if (maybe()) record.set_display_name(Pick(random, Texts()));
  if (maybe()) record.set_note(Pick(random, Texts()));
  if (maybe()) record.set_catalogue_number(Pick(random, Texts()));
  if (maybe()) record.set_parent("specimens/a");
  if (maybe()) record.set_review_state(static_cast<v1::Record::ReviewState>(random() % 5));
  if (maybe()) FillDate(random, record.mutable_made_date());
  if (maybe()) {
    record.mutable_seen_time()->set_seconds(static_cast<int>(random() % 3) - 1);
    record.mutable_seen_time()->set_nanos(static_cast<int>(random() % 4) * 500);
  }
  if (maybe()) record.set_weight_kilograms(Pick<double>(random, {0, -2.5, 1, std::nan("")}));
  if (maybe()) record.set_copy_count(static_cast<int>(random() % 3) - 1);
  if (maybe()) record.set_shown(maybe());
  if (maybe()) record.set_digest("x");
  if (maybe()) record.mutable_location()->set_latitude(static_cast<double>(random() % 3));
  if (maybe()) record.set_person(Pick<std::string>(random, {"persons/a", "persons/b"}));
  for (unsigned i = random() % 3; i > 0; --i) record.add_numbers(static_cast<int>(random() % 3));
  for (unsigned i = random() % 3; i > 0; --i) {
    record.add_materials(static_cast<v1::Specimen::Material>(random() % 3));
  }
  for (unsigned i = random() % 3; i > 0; --i) record.add_about(Pick(random, Names()));
  for (unsigned i = random() % 3; i > 0; --i) {
    (*record.mutable_labels())[Pick<std::string>(random, {"case", "k"})] = Pick(random, Texts());
  }
  for (unsigned i = random() % 3; i > 0; --i) {
    auto* part = record.add_parts();
    part->set_id(absl::StrCat(i));
    part->set_material(static_cast<v1::Specimen::Material>(random() % 3));
    part->set_whole(maybe());
    for (unsigned j = random() % 3; j > 0; --j) {
      auto* find = part->add_finds();
      find->set_person(Pick<std::string>(random, {"", "persons/a", "persons/b"}));
      if (maybe()) FillDate(random, find->mutable_date());
      if (maybe()) find->mutable_count()->set_best(static_cast<int>(random() % 3));
    }
  }
  for (unsigned i = random() % 2; i > 0; --i) record.add_citations()->set_source("sources/a");
  return record;
}

std::string Quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) absl::StrAppend(&out, c == '*' ? "\\" : "", std::string(1, c));
  return out + "\"";
}

// A condition by itself.
std::string RandomLeaf(Random& random, bool inside) {
  const std::vector<std::string> ops = {"=", "!=", "<", "<=", ">", ">=", ":"};
  const std::string op = absl::StrCat(" ", Pick(random, ops), " ");
  const std::string same = absl::StrCat(" ", Pick<std::string>(random, {"=", "!=", ":"}), " ");
  const auto whole = [&] { return absl::StrCat(static_cast<int>(random() % 4) - 1); };
  const auto material = [&] {
    return Pick<std::string>(random, {"MATERIAL_UNSPECIFIED", "PAPER", "STONE"});
  };
  const auto pattern = [&] {
    return Pick<std::string>(random,
                             {"\"*\"", "\"B*\"", "\"*Y*\"", "\"a\\*b\"", "\"a\\*b*\"", "\"é*\""});
  };
  const auto window = [&] {
    return absl::StrCat("\"",
                        random() % 4 == 0 ? Pick<std::string>(random, {"2020/..", "../2025-06"})
                                          : Pick(random, Edtfs()),
                        "\"");
  };
  const std::string dated = Pick<std::string>(random, {"possibly", "certainly"});
  if (inside) {
    switch (random() % 6) {
      case 0:
        return "material" + same + material();
      case 1:
        return "finds.person:" + Quoted(Pick(random, Names()));
      case 2:
        return absl::StrCat(dated, "(finds.date, ", window(), ")");
      case 3:
        return "whole = true";
      case 4:
        return "finds.count.best:" + whole();
      default:
        return absl::StrCat("any(finds, (person = ", Quoted(Pick(random, Names())), " AND date", op,
                            window(), "))");
    }
  }
  switch (random() % 24) {
    case 0:
      return "note" + op + Quoted(Pick(random, Texts()));
    case 1:
      if (random() % 2 == 0) return "catalogue_number" + same + pattern();
      return Pick<std::string>(random, {"person", "parent"}) + same +
             Pick<std::string>(random, {"\"*\"", "\"persons/*\"", "\"*/a\"", "\"specimens/a*\""});
    case 2:
      return "person" + op + Quoted(Pick(random, Names()));
    case 3:
      return "review_state" + same +
             Pick<std::string>(random, {"DRAFT", "REVIEW_STATE_UNSPECIFIED"});
    case 4:
    case 5:
      return "made_date" + op + window();
    case 6:
      return absl::StrCat(dated, "(made_date, ", window(), ")");
    case 7:
      return absl::StrCat("made_date.", Pick<std::string>(random, {"earliest", "latest"}),
                          Pick<std::string>(random, {" = ", " < ", " >= ", " != "}), "2025-12-13");
    case 8: {
      const std::string time = absl::StrCat(
          "\"", Pick<std::string>(random, {"1969-12-31T23:59:59", "1970-01-01T00:00:00"}),
          Pick<std::string>(random, {"", ".000001", ".0000005", ".0000015"}), "Z\"");
      return absl::StrCat("seen_time", op == " : " ? " = " : op, time);
    }
    case 9:
      return absl::StrCat("create_time", op == " : " ? " = " : op, "\"2023-11-14T22:13:20",
                          Pick<std::string>(random, {"", ".000001", ".0000015"}), "Z\"");
    case 10:
      return "weight_kilograms" + op + Pick<std::string>(random, {"0", "-2.5", "1e0"});
    case 11:
      return Pick<std::string>(random, {"copy_count", "revision"}) + op + whole();
    case 12:
      return "shown = " + Pick<std::string>(random, {"true", "false"});
    case 13:
      return Pick<std::string>(random, {"note",
                                        "made_date",
                                        "seen_time",
                                        "weight_kilograms",
                                        "copy_count",
                                        "shown",
                                        "digest",
                                        "location",
                                        "person",
                                        "numbers",
                                        "parts",
                                        "labels",
                                        "parts.finds.count",
                                        "delete_time",
                                        "made_date.earliest",
                                        "review_state",
                                        "name",
                                        "etag",
                                        "made_date.state",
                                        "location.latitude",
                                        "parts.finds"}) +
             ":*";
    case 14:
      return "numbers:" + whole();
    case 15:
      return Pick<std::string>(random, {"materials", "parts.material"}) + ":" + material();
    case 16:
      return "about:" + Quoted(Pick(random, Names()));
    case 17:
      return "parts.finds.person:" +
             Pick<std::string>(random, {"\"persons/a\"", "\"persons/*\"", "\"\""});
    case 18:
      return Pick<std::string>(random, {"labels:case", "labels.case" + same + "BY", "labels.k:*"});
    case 19:
      return Pick<std::string>(
          random, {"name < a", "name >= \"t\"", "name > specimens", "name" + op + "specimens/a",
                   "name" + op + "specimens/b", "name" + op + "persons/a", "name" + op + "\"\""});
    case 20:
      return "name" + same +
             Pick<std::string>(random, {"specimens/a*", "specimens/*b", "s*", "*b", "x/*"});
    case 21:
      return Pick<std::string>(random, {"person", "\"test person\"", "matches_name(Person)", "by"});
    case 22:
      return Pick<std::string>(random, {"cites(\"sources/a\")", "refers_to(\"persons/a\")",
                                        "refers_to(\"sources/a\")", "refers_to(\"specimens/b\")"});
    default:
      return "location.latitude" + op + whole();
  }
}

std::string RandomFilter(Random& random, int depth, bool inside = false) {
  if (depth > 0 && random() % 3 != 0) {
    const auto below = [&] { return RandomFilter(random, depth - 1, inside); };
    switch (random() % 4) {
      case 0: {
        const std::string left = below();
        return absl::StrCat("(", left, ") AND (", below(), ")");
      }
      case 1: {
        const std::string left = below();
        return absl::StrCat("(", left, ") OR (", below(), ")");
      }
      case 2:
        return absl::StrCat("NOT (", below(), ")");
      default:
        if (inside) return below();
        return absl::StrCat("any(parts, (", RandomFilter(random, depth - 1, true), "))");
    }
  }
  return RandomLeaf(random, inside);
}

// Conditions over what is derived of a record, plainly.
struct Row {
  const Message& record;
  const store::Derived& derived;
  const store::Table& table;
  const std::set<std::string>& references;
};

Value ColumnOf(const Row& row, int column) {
  const auto& specimen = static_cast<const v1::Specimen&>(row.record);
  const auto micros = [](const google::protobuf::Timestamp& time) {
    return time.seconds() * 1'000'000 + time.nanos() / 1'000;
  };
  switch (column) {
    case store::kRowId:
      return specimen.name().substr(specimen.name().find('/') + 1);
    case store::kRowUid:
      return specimen.uid();
    case store::kRowRevision:
      return specimen.revision();
    case store::kRowCreateTime:
      return micros(specimen.create_time());
    case store::kRowUpdateTime:
      return micros(specimen.update_time());
    case store::kRowDeleteTime:
      if (!specimen.has_delete_time()) return {};
      return micros(specimen.delete_time());
    default: {
      const Value value = row.derived.columns.empty() ? row.table.columns[column].empty
                                                      : row.derived.columns[column];
      const auto* real = std::get_if<double>(&value);
      if (real != nullptr && std::isnan(*real)) return {};  // as SQLite has it
      return value;
    }
  }
}

bool Has(const std::string& words, const std::string& word) {
  const std::vector<std::string> all = absl::StrSplit(words, ' ');
  return std::find(all.begin(), all.end(), word) != all.end();
}

bool Holds(const Condition& condition, const Row& row) {
  const auto each = [&](const Condition& child) { return Holds(child, row); };
  const auto& children = condition.children;
  switch (condition.kind) {
    case Kind::kTrue:
      return true;
    case Kind::kFalse:
      return false;
    case Kind::kAnd:
      return std::all_of(children.begin(), children.end(), each);
    case Kind::kOr:
      return std::any_of(children.begin(), children.end(), each);
    case Kind::kNot:
      return !Holds(children.at(0), row);
    case Kind::kListHas:
      return std::find(row.derived.lists.begin(), row.derived.lists.end(),
                       std::pair(condition.column, condition.value)) != row.derived.lists.end();
    case Kind::kRefersTo:
      return row.references.contains(std::get<std::string>(condition.value));
    case Kind::kNamed:
      return Has(row.derived.names, std::get<std::string>(condition.value));
    case Kind::kSounds:
      return Has(row.derived.sounds, std::get<std::string>(condition.value));
    default:
      break;
  }
  const Value value = ColumnOf(row, condition.column);
  if (std::holds_alternative<std::monostate>(value)) return false;
  if (condition.kind == Kind::kPresent) return true;
  if (condition.kind == Kind::kLike) {
    return values::MatchesWildcard(std::get<std::string>(condition.value),
                                   std::get<std::string>(value));
  }
  if (condition.kind == Kind::kPossibly) {
    // Of the three columns of a date in a row, the text is the last.
    if (std::holds_alternative<std::monostate>(ColumnOf(row, condition.column - 2))) return false;
    if (std::get<std::string>(value).empty()) return true;
    values::DateWindow window;
    if (condition.from) window.from = values::CivilFromDays(*condition.from);
    if (condition.to) window.to = values::CivilFromDays(*condition.to);
    return values::Possibly(*values::ParseEdtf(std::get<std::string>(value)),
                            values::DateRelation::kWithin, window);
  }
  EXPECT_EQ(value.index(), condition.value.index()) << condition.column;
  switch (condition.op) {
    case Condition::Operator::kEqual:
      return value == condition.value;
    case Condition::Operator::kNotEqual:
      return value != condition.value;
    case Condition::Operator::kLess:
      return value < condition.value;
    case Condition::Operator::kLessOrEqual:
      return value <= condition.value;
    case Condition::Operator::kGreater:
      return value > condition.value;
    case Condition::Operator::kGreaterOrEqual:
      return value >= condition.value;
  }
  return false;
}

void AddReferences(const Message& message, std::set<std::string>* names) {
  std::vector<const FieldDescriptor*> fields;
  const auto* of = message.GetReflection();
  of->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const int size = field->is_repeated() ? of->FieldSize(message, field) : 1;
    for (int i = 0; i < size; ++i) {
      if (field->options().HasExtension(google::api::resource_reference)) {
        names->insert(field->is_repeated() ? of->GetRepeatedString(message, field, i)
                                           : of->GetString(message, field));
      } else if (field->message_type() != nullptr) {
        AddReferences(field->is_repeated() ? of->GetRepeatedMessage(message, field, i)
                                           : of->GetMessage(message, field),
                      names);
      }
    }
  }
}

TEST(FilterPropertyTest, LoweredFindsWhatTheEvaluatorDoes) {
  constexpr int kRecords = 60, kFilters = 20'000;
  Random random(20251213);
  const Columns columns(v1::Specimen::descriptor(), "specimens");
  std::vector<v1::Specimen> records;
  std::vector<store::Derived> derived;
  std::vector<std::set<std::string>> references;
  for (int i = 0; i < kRecords; ++i) {
    records.push_back(RandomSpecimen(random));
    const bool erased = records.back().name() == "specimens/erased-1";
    derived.push_back(erased ? store::Derived() : columns.Derive(records.back()));
    AddReferences(records.back(), &references.emplace_back());
  }
  int exact = 0, matched = 0;
  for (int i = 0; i < kFilters; ++i) {
    const std::string text = RandomFilter(random, 3);
    const auto filter = Filter::Parse(text, v1::Specimen::descriptor());
    ASSERT_TRUE(filter.ok()) << text << ": " << filter.status();
    const auto again = Filter::Parse(filter->Text(), v1::Specimen::descriptor());
    ASSERT_TRUE(again.ok()) << filter->Text() << ": " << again.status();
    ASSERT_EQ(again->Text(), filter->Text()) << text;
    for (const bool show_deleted : {false, true}) {
      const Lowered lowered = filter->Lower(columns, show_deleted);
      EXPECT_EQ(lowered.residual.empty(), lowered.heads_exact) << text;
      exact += lowered.heads_exact ? 1 : 0;
      for (int j = 0; j < kRecords; ++j) {
        if (records[j].has_delete_time() && !show_deleted) continue;
        const bool matches = filter->Matches(records[j]);
        matched += matches ? 1 : 0;
        ASSERT_EQ(again->Matches(records[j]), matches) << text;
        const Row row{records[j], derived[j], columns.table(), references[j]};
        const bool heads = Holds(lowered.heads, row), past = Holds(lowered.past, row);
        ASSERT_TRUE(heads || !matches) << text << "\n" << records[j].DebugString();
        ASSERT_TRUE(past || !matches) << text << "\n" << records[j].DebugString();
        if (lowered.heads_exact) {
          ASSERT_EQ(heads, matches) << text << "\n" << records[j].DebugString();
        }
        if (lowered.past_exact) {
          ASSERT_EQ(past, matches) << text << "\n" << records[j].DebugString();
        }
      }
    }
  }
  // Both kinds were seen, and records that match, and that don't.
  EXPECT_GT(exact, kFilters / 2);
  EXPECT_LT(exact, kFilters * 2 * 19 / 20);
  EXPECT_GT(matched, kFilters * 10);
}

TEST(FilterPropertyTest, LawsOfLogic) {
  Random random(7);
  std::vector<v1::Specimen> records;
  for (int i = 0; i < 20; ++i) records.push_back(RandomSpecimen(random));
  const auto parse = [](const std::string& text) {
    auto filter = Filter::Parse(text, v1::Specimen::descriptor());
    EXPECT_TRUE(filter.ok()) << text << ": " << filter.status();
    return filter.ok() ? *filter : Filter();
  };
  for (int i = 0; i < 5'000; ++i) {
    const std::string a = absl::StrCat("(", RandomFilter(random, 2), ")");
    const std::string b = absl::StrCat("(", RandomFilter(random, 2), ")");
    const Filter only = parse(a), other = parse(b), denied = parse("NOT " + a);
    const Filter both = parse(absl::StrCat(a, " AND ", b)), turned = parse(absl::StrCat(b, " ", a));
    const Filter neither = parse(absl::StrCat("NOT (", a, " OR ", b, ")"));
    const Filter each = parse(absl::StrCat("NOT ", a, " AND -", b));
    for (const v1::Specimen& record : records) {
      const bool x = only.Matches(record), y = other.Matches(record);
      ASSERT_EQ(denied.Matches(record), !x) << a;
      ASSERT_EQ(both.Matches(record), x && y) << a << b;
      ASSERT_EQ(turned.Matches(record), x && y) << a << b;
      ASSERT_EQ(neither.Matches(record), !x && !y) << a << b;
      ASSERT_EQ(each.Matches(record), !x && !y) << a << b;
    }
  }
}

// What a filter is lowered to, part by part.
TEST(FilterLowerTest, Parts) {
  const Columns columns(v1::Release::descriptor(), "releases");
  const auto parts = [&](const char* text) {
    const auto filter = Filter::Parse(text, v1::Release::descriptor());
    EXPECT_TRUE(filter.ok()) << filter.status();
    const Lowered lowered = filter->Lower(columns, false);
    return absl::StrCat(absl::StrJoin(lowered.lowered, "; "), " | ",
                        absl::StrJoin(lowered.residual, "; "));
  };
  EXPECT_EQ(parts("region_code = BY possibly(effective_date, 2025)"),
            "region_code = \"BY\"; possibly(effective_date, \"2025\") | ");
  EXPECT_EQ(parts("region_code = BY AND labels.case = x"),
            "region_code = \"BY\" | labels.case = \"x\"");
  EXPECT_EQ(parts("refers_to(\"persons/a\")"),
            "refers_to(\"persons/a\") | refers_to(\"persons/a\")");
  EXPECT_EQ(parts("NOT refers_to(\"persons/a\")"), " | NOT refers_to(\"persons/a\")");
  EXPECT_EQ(parts("participants.outcomes.kind:FREED"), "participants.outcomes.kind:FREED | ");
  EXPECT_EQ(parts("region_code = BY OR labels:case"), " | (region_code = \"BY\" OR labels.case:*)");
  EXPECT_EQ(parts("any(participants, (mechanism = PARDON AND clemency_request = SIGNED))"),
            "any(participants, (mechanism = PARDON AND clemency_request = SIGNED)) | "
            "any(participants, (mechanism = PARDON AND clemency_request = SIGNED))");
}

}  // namespace
}  // namespace detente::query
