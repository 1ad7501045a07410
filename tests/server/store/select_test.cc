// Selections by columns, lists and references, over random tables, against a plain model.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/engine/testing.h"
#include "store/record.h"
#include "store/sqlite/compile.h"
#include "store/sqlite/sqlite_store.h"
#include "values/civil_date.h"
#include "values/edtf.h"
#include "values/wildcard.h"

namespace detente::store {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using Kind = Condition::Kind;
using Operator = Condition::Operator;

constexpr int64_t kNoFirst = INT64_MIN / 4;
constexpr int64_t kNoLast = INT64_MAX / 4;

enum Place : int { kColour, kSize, kEarliest, kLatest, kEdtf, kFlag, kPrice, kNote };

Table Things() {
  Table table;
  table.collection = "things";
  table.columns = {
      {.name = "colour", .indexed = true, .default_is_unset = true, .empty = std::string()},
      {.name = "size.best", .type = Column::Type::kInteger, .indexed = true},
      {.name = "day.earliest",
       .type = Column::Type::kInteger,
       .role = Column::Role::kEarliest,
       .indexed = true},
      {.name = "day.latest",
       .type = Column::Type::kInteger,
       .role = Column::Role::kLatest,
       .indexed = true},
      {.name = "day.edtf", .role = Column::Role::kReadings, .default_is_unset = true},
      {.name = "kind",
       .type = Column::Type::kInteger,
       .indexed = true,
       .default_is_unset = true,
       .empty = int64_t{0}},
      {.name = "price", .type = Column::Type::kReal},
      {.name = "note \"quoted\"", .default_is_unset = true, .empty = std::string()},
  };
  table.lists = {"tags", "kinds"};
  table.fingerprint = "one";
  return table;
}

// A version and what the model knows of it.
struct Row {
  Version version;
  Revision until = INT64_MAX;
  Derived derived;
  std::vector<std::string> references;  // of a live head
};

Value ColumnOf(const Row& row, int column) {
  switch (column) {
    case kRowId:
      return row.version.id;
    case kRowUid:
      return row.version.uid;
    case kRowRevision:
      return row.version.since;
    case kRowCreateTime:
      return row.version.create_time;
    case kRowUpdateTime:
      return row.version.update_time;
    case kRowDeleteTime:
      return row.version.delete_time == 0 ? Value() : Value(row.version.delete_time);
    default:
      return row.derived.columns[column];
  }
}

bool Absent(const Value& value) { return std::holds_alternative<std::monostate>(value); }

// Numbers by their size, whatever their type.
int CompareValues(const Value& a, const Value& b) {
  if (const auto* text = std::get_if<std::string>(&a)) {
    return text->compare(std::get<std::string>(b));
  }
  auto number = [](const Value& v) {
    return std::holds_alternative<double>(v) ? static_cast<long double>(std::get<double>(v))
                                             : static_cast<long double>(std::get<int64_t>(v));
  };
  return number(a) < number(b) ? -1 : number(a) > number(b) ? 1 : 0;
}

bool Holds(const Condition& condition, const Row& row) {
  switch (condition.kind) {
    case Kind::kTrue:
      return true;
    case Kind::kFalse:
    case Kind::kNamed:
    case Kind::kSounds:
      return false;
    case Kind::kAnd:
      return std::all_of(condition.children.begin(), condition.children.end(),
                         [&](const Condition& child) { return Holds(child, row); });
    case Kind::kOr:
      return std::any_of(condition.children.begin(), condition.children.end(),
                         [&](const Condition& child) { return Holds(child, row); });
    case Kind::kNot:
      return !Holds(condition.children[0], row);
    case Kind::kPresent:
      return !Absent(ColumnOf(row, condition.column));
    case Kind::kCompare: {
      const Value value = ColumnOf(row, condition.column);
      if (Absent(value)) return false;
      const int compared = CompareValues(value, condition.value);
      switch (condition.op) {
        case Operator::kEqual:
          return compared == 0;
        case Operator::kNotEqual:
          return compared != 0;
        case Operator::kLess:
          return compared < 0;
        case Operator::kLessOrEqual:
          return compared <= 0;
        case Operator::kGreater:
          return compared > 0;
        case Operator::kGreaterOrEqual:
          return compared >= 0;
      }
      return false;
    }
    case Kind::kLike: {
      const Value value = ColumnOf(row, condition.column);
      return !Absent(value) && values::MatchesWildcard(std::get<std::string>(condition.value),
                                                       std::get<std::string>(value));
    }
    case Kind::kPossibly: {
      if (Absent(row.derived.columns[kEarliest])) return false;
      const std::string& edtf = std::get<std::string>(row.derived.columns[condition.column]);
      if (edtf.empty()) return true;
      values::DateWindow window;
      if (condition.from) window.from = values::CivilFromDays(*condition.from);
      if (condition.to) window.to = values::CivilFromDays(*condition.to);
      return values::Possibly(*values::ParseEdtf(edtf), values::DateRelation::kWithin, window);
    }
    case Kind::kListHas:
      return std::find(row.derived.lists.begin(), row.derived.lists.end(),
                       std::pair(condition.column, condition.value)) != row.derived.lists.end();
    case Kind::kRefersTo:
      return std::find(row.references.begin(), row.references.end(),
                       std::get<std::string>(condition.value)) != row.references.end();
  }
  return false;
}

// To show a failing case.
std::string ToText(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return absl::StrCat("'", *text, "'");
  if (const auto* number = std::get_if<int64_t>(&value)) return absl::StrCat(*number);
  if (const auto* real = std::get_if<double>(&value)) return absl::StrCat(*real);
  return "absent";
}

std::string ToText(const Condition& condition) {
  static const char* const kOperators[] = {"=", "!=", "<", "<=", ">", ">="};
  auto children = [&](absl::string_view with) {
    return absl::StrCat("(",
                        absl::StrJoin(condition.children, with,
                                      [](std::string* out, const Condition& child) {
                                        absl::StrAppend(out, ToText(child));
                                      }),
                        ")");
  };
  const std::string column = absl::StrCat("#", condition.column);
  switch (condition.kind) {
    case Kind::kTrue:
      return "true";
    case Kind::kFalse:
      return "false";
    case Kind::kAnd:
      return children(" AND ");
    case Kind::kOr:
      return children(" OR ");
    case Kind::kNot:
      return absl::StrCat("NOT ", children(""));
    case Kind::kPresent:
      return absl::StrCat(column, " is present");
    case Kind::kCompare:
      return absl::StrCat(column, " ", kOperators[static_cast<int>(condition.op)], " ",
                          ToText(condition.value));
    case Kind::kLike:
      return absl::StrCat(column, " like ", ToText(condition.value));
    case Kind::kPossibly:
      return absl::StrCat("possibly(", condition.from ? absl::StrCat(*condition.from) : "..", ", ",
                          condition.to ? absl::StrCat(*condition.to) : "..", ")");
    case Kind::kListHas:
      return absl::StrCat("list ", condition.column, " has ", ToText(condition.value));
    case Kind::kRefersTo:
      return absl::StrCat("refers to ", ToText(condition.value));
    default:
      return "words";
  }
}

std::string ToText(const Selection& selection) {
  std::string text =
      absl::StrCat("at ", selection.view.revision, selection.show_deleted ? " with deleted" : "",
                   ", heads: ", ToText(selection.heads), ", past: ", ToText(selection.past));
  for (const Order& order : selection.order) {
    absl::StrAppend(&text, ", by #", order.column, order.descending ? " desc" : "",
                    order.none ? " of those that have it" : "");
  }
  return absl::StrCat(text, ", after '", selection.after, "', limit ", selection.limit);
}

// All random things come from here.
class Dice {
 public:
  explicit Dice(uint64_t seed) : random_(seed) {}
  int Below(int end) { return static_cast<int>(random_() % static_cast<uint64_t>(end)); }
  bool OneIn(int count) { return Below(count) == 0; }
  template <typename T>
  const T& Of(const std::vector<T>& values) {
    return values[Below(static_cast<int>(values.size()))];
  }

 private:
  std::mt19937_64 random_;
};

const std::vector<std::string> kColours = {"",    "blue", "blueish", "green",
                                           "red", "réd",  "\xff\xff"};
const std::vector<std::string> kDates = {"1970-01-05",
                                         "1970-01",
                                         "1970",
                                         "1969/1971",
                                         "1970-01-05/..",
                                         "../1970-01-09",
                                         "{1970-01-02,1970-01-20}",
                                         "[1970-01-02,1970-01-20]",
                                         "1970-01-XX",
                                         "1970-01-1X"};
const std::vector<std::string> kTargets = {"others/x", "others/y", "others/z"};

Derived RandomDerived(Dice& dice) {
  Derived derived;
  derived.columns.resize(8);
  auto& columns = derived.columns;
  columns[kColour] = dice.Of(kColours);
  if (!dice.OneIn(3)) columns[kSize] = int64_t{dice.Below(5)} - 1;
  switch (dice.Below(6)) {
    case 0:
      break;  // no date
    case 1:
      columns[kEdtf] = std::string();  // there is none, and that is said
      break;
    case 2:
      columns[kEarliest] = kNoFirst;
      columns[kLatest] = kNoLast;
      columns[kEdtf] = std::string();
      break;
    default: {
      const std::string& text = dice.Of(kDates);
      const auto date = *values::ParseEdtf(text);
      columns[kEarliest] = date.earliest ? values::DaysFromCivil(*date.earliest) : kNoFirst;
      columns[kLatest] = date.latest ? values::DaysFromCivil(*date.latest) : kNoLast;
      columns[kEdtf] = text;
    }
  }
  columns[kFlag] = int64_t{dice.Below(4)};
  if (dice.OneIn(2)) columns[kPrice] = dice.Below(4) / 2.0;
  if (!dice.OneIn(4)) columns[kNote] = dice.Of(kColours);  // may be absent
  for (int list = 0; list < 2; ++list) {
    for (int i = dice.Below(3); i > 0; --i) {
      derived.lists.emplace_back(
          list, list == 0 ? Value(dice.Of(kColours)) : Value(int64_t{dice.Below(3)}));
    }
  }
  std::sort(derived.lists.begin(), derived.lists.end());
  derived.lists.erase(std::unique(derived.lists.begin(), derived.lists.end()), derived.lists.end());
  return derived;
}

Condition RandomCondition(Dice& dice, int depth, bool past) {
  Condition condition;
  if (depth > 0 && dice.OneIn(2)) {
    condition.kind = dice.Of<Kind>({Kind::kAnd, Kind::kOr, Kind::kNot});
    const int children = condition.kind == Kind::kNot ? 1 : dice.Below(4);
    for (int i = 0; i < children; ++i) {
      condition.children.push_back(RandomCondition(dice, depth - 1, past));
    }
    return condition;
  }
  switch (dice.Below(past ? 10 : 13)) {
    case 0:
      condition.kind = dice.OneIn(2) ? Kind::kTrue : Kind::kFalse;
      break;
    case 1:
      condition.kind = Kind::kPresent;
      condition.column = dice.Of<int>(
          {kColour, kSize, kEarliest, kFlag, kPrice, kNote, kRowDeleteTime, kRowCreateTime});
      break;
    case 2:
    case 3: {
      condition.kind = Kind::kLike;
      condition.column = dice.Of<int>({kColour, kNote, kRowId});
      condition.value = dice.Of<std::string>(
          {"*", "b*", "blue*", "*e", "*", "g*n", "red", "r\\*", "\xff*", "id-1*", "*\xff"});
      break;
    }
    case 4:
    case 5:
      condition.kind = Kind::kPossibly;
      condition.column = kEdtf;
      if (!dice.OneIn(4)) condition.from = dice.Below(30) - 5;
      if (!dice.OneIn(4)) condition.to = condition.from.value_or(0) + dice.Below(20);
      break;
    case 10:
    case 11: {
      condition.kind = Kind::kListHas;
      condition.column = dice.Below(2);
      condition.value =
          condition.column == 0 ? Value(dice.Of(kColours)) : Value(int64_t{dice.Below(3)});
      break;
    }
    case 12:
      condition.kind = Kind::kRefersTo;
      condition.value = dice.Of(kTargets);
      break;
    default:
      condition.kind = Kind::kCompare;
      condition.op = static_cast<Operator>(dice.Below(6));
      condition.column = dice.Of<int>({kColour, kColour, kSize, kSize, kEarliest, kLatest, kFlag,
                                       kFlag, kPrice, kNote, kRowId, kRowRevision, kRowCreateTime,
                                       kRowUpdateTime, kRowDeleteTime});
      switch (condition.column) {
        case kColour:
        case kNote:
          condition.value = dice.Of(kColours);
          break;
        case kRowId:
          condition.value = absl::StrCat("id-", dice.Below(40));
          break;
        case kPrice:
          condition.value = dice.OneIn(2) ? Value(dice.Below(4) / 2.0) : Value(int64_t{1});
          break;
        case kRowCreateTime:
        case kRowUpdateTime:
        case kRowDeleteTime:
          condition.value = int64_t{dice.Below(200)};
          break;
        default:
          condition.value = int64_t{dice.Below(7)} - 1;
      }
  }
  return condition;
}

std::vector<Order> RandomOrder(Dice& dice) {
  std::vector<Order> order;
  for (int i = dice.Below(4); i > 0; --i) {
    const int column = dice.Of<int>({kColour, kSize, kEarliest, kEarliest, kFlag, kPrice, kNote,
                                     kRowUpdateTime, kRowDeleteTime, kRowId});
    const bool descending = dice.OneIn(2);
    if (dice.OneIn(8)) {  // a bound for itself
      order.push_back(dice.OneIn(2) ? Order{kEarliest, descending, kNoFirst}
                                    : Order{kLatest, descending, kNoLast});
      continue;
    }
    order.push_back({column, descending});
    if (column == kEarliest && !dice.OneIn(5)) order.push_back({kLatest, descending});
  }
  return order;
}

// A store, and a model of it.
class Pair {
 public:
  explicit Pair(const std::string& path, Table table = Things()) {
    SqliteOptions options;
    options.create = true;
    options.sync = false;
    options.many_rows = 8;  // so that both ways to read an order are taken
    auto opened = OpenSqlite(path, {std::move(table)}, options);
    EXPECT_TRUE(opened.ok()) << opened.status();
    store = *std::move(opened);
  }

  Writer& writer() { return *store->writer(); }

  // One commit about one record; `deleted` and `references` are of the new version.
  void Put(const std::string& id, Derived derived, bool deleted = false,
           std::vector<std::string> references = {}) {
    Row* before = Head(id);
    Row row;
    ++revision;
    row.version = {id,
                   "uid-" + id,
                   revision,
                   before == nullptr ? revision * 2 : before->version.create_time,
                   revision * 2,
                   deleted ? revision * 2 : 0,
                   absl::StrCat("payload ", revision),
                   "salt"};
    row.derived = std::move(derived);
    if (!deleted) row.references = std::move(references);
    ASSERT_OK(writer().Begin());
    ASSERT_OK(writer().Put("things", row.version, row.derived, before != nullptr));
    ASSERT_OK(writer().PutReferences(
        "things/" + id, revision,
        before == nullptr ? std::vector<std::string>() : before->references, row.references));
    Commit commit;
    commit.revision = revision;
    ASSERT_OK(writer().PutCommit(commit, {}));
    ASSERT_OK(writer().Commit());
    if (before != nullptr) {
      before->until = revision;
      before->references.clear();
    }
    rows.push_back(std::move(row));
  }

  Row* Head(const std::string& id) {
    for (Row& row : rows) {
      if (row.version.id == id && row.until == INT64_MAX) return &row;
    }
    return nullptr;
  }

  void Fill(Dice& dice, int records, int commits) {
    for (int i = 0; i < commits; ++i) {
      std::vector<std::string> references;
      for (const std::string& target : kTargets) {
        if (dice.OneIn(4)) references.push_back(target);
      }
      Put(absl::StrCat("id-", dice.Below(records)), RandomDerived(dice), dice.OneIn(6), references);
    }
  }

  // What the model selects, as id@since.
  std::vector<std::string> Expected(const Selection& selection) const {
    std::vector<const Row*> found;
    const Row* after = nullptr;
    for (const Row& row : rows) {
      const Revision at = selection.view.revision;
      if (row.version.since > at || row.until <= at) continue;
      if (row.version.id == selection.after) after = &row;
      if (!selection.show_deleted && row.version.delete_time != 0) continue;
      if (Holds(row.until == INT64_MAX ? selection.heads : selection.past, row)) {
        found.push_back(&row);
      }
    }
    auto less = [&](const Row* a, const Row* b) {
      for (const Order& order : selection.order) {
        const Value x = ColumnOf(*a, order.column), y = ColumnOf(*b, order.column);
        const bool no_x = Unset(x, order), no_y = Unset(y, order);
        if (no_x != no_y) return no_y;
        if (no_x) continue;
        const int compared = CompareValues(x, y);
        if (compared != 0) return order.descending ? compared > 0 : compared < 0;
      }
      return a->version.id < b->version.id;
    };
    std::sort(found.begin(), found.end(), less);
    std::vector<std::string> ids;
    for (const Row* row : found) {
      if (after != nullptr && !less(after, row)) continue;
      if (selection.limit >= 0 && ids.size() >= static_cast<size_t>(selection.limit)) break;
      ids.push_back(absl::StrCat(row->version.id, "@", row->version.since));
    }
    return ids;
  }

  static bool Unset(const Value& value, const Order& order) {
    const int column = order.column;
    if (Absent(value) || (order.none && value == Value(*order.none))) return true;
    if (column < 0 || !Things().columns[column].default_is_unset) return false;
    return value == Value(std::string()) || value == Value(int64_t{0});
  }

  std::unique_ptr<Store> store;
  std::vector<Row> rows;
  Revision revision = 0;
};

std::vector<std::string> Selected(Reader& reader, const Selection& selection) {
  std::vector<std::string> ids;
  absl::Status status = reader.Select("things", selection, [&](const store::Row& row) {
    Version version;
    EXPECT_TRUE(ReadRecord(row.record, &version).ok());
    EXPECT_EQ(version.payload, absl::StrCat("payload ", version.since));
    ids.push_back(absl::StrCat(version.id, "@", version.since));
    return true;
  });
  EXPECT_TRUE(status.ok()) << status;
  return ids;
}

// Page by page, each after the last row of the one before.
std::vector<std::string> Paged(Reader& reader, Selection selection, int64_t size) {
  std::vector<std::string> ids;
  selection.limit = size;
  while (true) {
    const std::vector<std::string> page = Selected(reader, selection);
    ids.insert(ids.end(), page.begin(), page.end());
    if (page.size() < static_cast<size_t>(size) || ids.size() > 1'000) return ids;
    selection.after = page.back().substr(0, page.back().find('@'));
  }
}

class SelectTest : public ::testing::TestWithParam<const char*> {
 protected:
  std::string path() { return GetParam() == std::string("File") ? folder_.File() : ":memory:"; }

 private:
  testing::TempDir folder_;
};

INSTANTIATE_TEST_SUITE_P(Stores, SelectTest, ::testing::Values("File", "Memory"),
                         [](const auto& info) { return std::string(info.param); });

// Cuts the condition down while the case still fails.
template <typename Fails>
void Shrink(Condition* condition, const Fails& fails) {
  bool shrunk = true;
  while (shrunk) {
    shrunk = false;
    for (size_t i = 0; i < condition->children.size() && !shrunk; ++i) {
      const Condition whole = *condition;
      const Condition child = whole.children[i];
      *condition = child;
      shrunk = fails();
      if (shrunk) break;
      *condition = whole;
      if (condition->kind != Kind::kNot) {
        condition->children.erase(condition->children.begin() + static_cast<long>(i));
        shrunk = fails();
        if (!shrunk) *condition = whole;
      }
    }
  }
  for (Condition& child : condition->children) Shrink(&child, fails);
}

TEST_P(SelectTest, FindsWhatAPlainModelFinds) {
  const uint64_t seed = 20'251'213;
  Dice dice(seed);
  Pair pair(path());
  auto reader = *pair.store->NewReader();
  for (int round = 0; round < 12; ++round) {
    pair.Fill(dice, 40, 40);
    for (int i = 0; i < 250; ++i) {
      Selection selection;
      selection.view.revision =
          dice.OneIn(2) ? pair.revision : 1 + dice.Below(static_cast<int>(pair.revision));
      selection.show_deleted = dice.OneIn(3);
      selection.heads = RandomCondition(dice, 3, false);
      selection.past = RandomCondition(dice, 3, true);
      selection.order = RandomOrder(dice);
      if (dice.OneIn(3)) {
        const auto all = pair.Expected({.view = selection.view, .show_deleted = true});
        if (!all.empty()) {
          const std::string& row = dice.Of(all);
          selection.after = row.substr(0, row.find('@'));
        }
      }
      if (dice.OneIn(3)) selection.limit = dice.Below(10);
      auto fails = [&] { return Selected(*reader, selection) != pair.Expected(selection); };
      if (fails()) {
        Shrink(&selection.heads, fails);
        Shrink(&selection.past, fails);
      }
      ASSERT_EQ(Selected(*reader, selection), pair.Expected(selection))
          << "seed " << seed << ", round " << round << ": " << ToText(selection);
      if (selection.limit >= 0) continue;
      ASSERT_EQ(Paged(*reader, selection, 1 + dice.Below(7)), pair.Expected(selection))
          << ToText(selection);
      selection.after.clear();
      selection.order.clear();
      const auto expected = pair.Expected(selection);
      ASSERT_EQ(*reader->Count("things", selection), expected.size()) << ToText(selection);
      std::vector<std::string> scanned;
      ASSERT_OK(reader->Scan(
          "things", selection, {kRowId, kRowRevision, kSize}, [&](absl::Span<const Value> values) {
            scanned.push_back(
                absl::StrCat(std::get<std::string>(values[0]), "@", std::get<int64_t>(values[1])));
            return true;
          }));
      ASSERT_THAT(scanned, ::testing::UnorderedElementsAreArray(expected)) << ToText(selection);
    }
  }
}

Condition Equals(int column, Value value) {
  Condition condition;
  condition.kind = Kind::kCompare;
  condition.column = column;
  condition.value = std::move(value);
  return condition;
}

TEST_P(SelectTest, ValuesAreNeverInTheText) {
  const std::string evil = "x' OR 1=1 --";
  Condition all;
  all.kind = Kind::kOr;
  for (const Kind kind : {Kind::kCompare, Kind::kLike, Kind::kListHas, Kind::kRefersTo,
                          Kind::kNamed, Kind::kSounds}) {
    Condition condition = Equals(0, evil);
    condition.kind = kind;
    all.children.push_back(condition);
    if (kind == Kind::kLike) all.children.back().value = evil + "*";
  }
  auto sql = CompileCondition(all, Things(), false);
  ASSERT_OK(sql);
  EXPECT_THAT(sql->text, Not(HasSubstr("1=1")));
  Pair pair(path());
  auto reader = *pair.store->NewReader();
  Selection selection;
  selection.heads = all;
  EXPECT_THAT(Selected(*reader, selection), ElementsAre());
  // Nor is the id that a page goes on after.
  const auto after = CompileAfter(Pass::kWithValue, {{kColour, true}}, Things(), {evil}, evil);
  EXPECT_THAT(after->text, Not(HasSubstr("1=1")));
}

TEST_P(SelectTest, PlansNameTheIndexes) {
  Dice dice(1);
  Pair pair(path());
  pair.Fill(dice, 300, 600);
  auto reader = *pair.store->NewReader();
  auto indexes = [&](Condition condition, std::vector<Order> order = {}) {
    Selection selection;
    selection.view.revision = pair.revision;
    selection.heads = std::move(condition);
    selection.order = std::move(order);
    selection.limit = 50;
    return reader->Explain("things", selection)->indexes;
  };
  EXPECT_THAT(indexes(Equals(kColour, std::string("red"))), ElementsAre("colour"));
  EXPECT_THAT(indexes(Equals(kFlag, int64_t{2})), ElementsAre("kind"));
  EXPECT_THAT(indexes({}, {{kSize}}), Contains("size.best"));
  EXPECT_THAT(indexes({}, {{kEarliest, true}, {kLatest, true}}), Contains("day.earliest"));
  // Many are sorted by walking the order's index, few by sorting them.
  EXPECT_THAT(indexes(Equals(kColour, std::string("red")), {{kSize}}),
              ElementsAre("size.best", "name"));
  EXPECT_THAT(indexes(Equals(kColour, std::string("none")), {{kSize}}), Contains("colour"));
  Condition window;
  window.kind = Kind::kPossibly;
  window.column = kEdtf;
  window.from = 1'000;
  window.to = 1'001;
  EXPECT_THAT(indexes(window), ElementsAre("day.earliest", "day.latest"));
  Condition refers = Equals(0, std::string("others/x"));
  refers.kind = Kind::kRefersTo;
  EXPECT_THAT(indexes(refers), Contains("references"));
}

// OR of thousands, and a chain of NOTs.
TEST_P(SelectTest, LargeConditionsRun) {
  Dice dice(2);
  Pair pair(path());
  pair.Fill(dice, 20, 40);
  auto reader = *pair.store->NewReader();
  Selection selection;
  selection.view.revision = pair.revision;
  selection.heads.kind = Kind::kOr;
  for (int64_t i = 0; i < 5'000; ++i) selection.heads.children.push_back(Equals(kSize, i));
  EXPECT_EQ(Selected(*reader, selection), pair.Expected(selection));
  for (int64_t i = 0; i < 30'000; ++i) selection.heads.children.push_back(Equals(kSize, i));
  EXPECT_FAILS(reader->Select("things", selection, [](const store::Row&) { return true; }),
               kInvalidArgument, LIMIT_EXCEEDED);
  selection.heads = Equals(kFlag, int64_t{1});
  for (int i = 0; i < 50; ++i) {
    Condition outer;
    outer.kind = Kind::kNot;
    outer.children = {selection.heads};
    selection.heads = outer;
  }
  EXPECT_EQ(Selected(*reader, selection), pair.Expected(selection));
  // AND and OR by turns, each beside a tree of its own.
  Condition tree = RandomCondition(dice, 0, false);
  for (int i = 0; i < 8; ++i) {
    const Condition child = tree;
    tree = {};
    tree.kind = i % 2 == 0 ? Kind::kAnd : Kind::kOr;
    tree.children = {child, child};
  }
  for (int i = 0; i < 50; ++i) {
    Condition outer;
    outer.kind = i % 2 == 0 ? Kind::kAnd : Kind::kOr;
    outer.children = {tree, Equals(kColour, std::string("red")), selection.heads};
    if (i > 2) outer.children.erase(outer.children.begin());
    selection.heads = outer;
  }
  EXPECT_EQ(Selected(*reader, selection), pair.Expected(selection));
  // Deeper ones are refused before SQLite's parser does so.
  selection.order = {{kSize, true}, {kColour, true}, {kPrice}, {kNote, true}};
  selection.after = "id-1";
  absl::Status status;
  for (int i = 0; i < 2'000 && status.ok(); ++i) {
    Condition outer;
    outer.kind = i % 2 == 0 ? Kind::kAnd : Kind::kOr;
    Condition like = Equals(kColour, std::string("r*"));
    like.kind = Kind::kLike;
    Condition never;
    never.kind = Kind::kNot;
    never.children = {like};
    outer.children = {never, selection.heads};
    selection.heads = outer;
    status = reader->Select("things", selection, [](const store::Row&) { return true; });
  }
  EXPECT_FAILS(status, kInvalidArgument, LIMIT_EXCEEDED);
}

TEST_P(SelectTest, ACheckEndsTheReadAndNoOther) {
  Dice dice(3);
  Pair pair(path());
  pair.Fill(dice, 40, 3'000);
  auto reader = *pair.store->NewReader();
  Selection selection;
  selection.view.revision = pair.revision;
  selection.heads.kind = Kind::kFalse;
  selection.past = Equals(kNote, std::string("none"));
  selection.view.revision = 1;  // all the past is passed over
  int asked = 0;
  selection.check = [&] {
    ++asked;
    return CallCancelled();
  };
  const absl::Status ended =
      reader->Select("things", selection, [](const store::Row&) { return true; });
  EXPECT_EQ(ended.code(), absl::StatusCode::kCancelled) << ended;
  EXPECT_EQ(asked, 1);
  selection.check = nullptr;
  ASSERT_OK(reader->Select("things", selection, [](const store::Row&) { return true; }));
}

// Whichever of its statements the check ends: each version of the past is read by one of its own.
TEST_P(SelectTest, AReadOfThePastEndsWithTheReasonOfTheCheck) {
  Pair pair(path());
  Derived derived;
  derived.columns.resize(8);
  for (int i = 0; i < 4'000; ++i) pair.Put(absl::StrCat("id-", i), derived);
  Selection selection;
  selection.view.revision = pair.revision;
  pair.Put("another", derived);
  auto reader = *pair.store->NewReader();
  bool ended = true;
  for (int most = 0; ended; ++most) {
    ASSERT_LT(most, 1'000);
    int asked = 0;
    selection.check = [&] { return ++asked <= most ? absl::OkStatus() : CallCancelled(); };
    const absl::Status status =
        reader->Select("things", selection, [](const store::Row&) { return true; });
    ended = asked > most;
    EXPECT_EQ(status.code(), ended ? absl::StatusCode::kCancelled : absl::StatusCode::kOk)
        << status;
  }
}

// One step of SQLite may be a long way for a pattern.
TEST_P(SelectTest, ALongMatchIsCheckedToo) {
  Pair pair(path());
  Derived derived;
  derived.columns.resize(8);
  derived.columns[kNote] = std::string(60'000, 'a');
  for (int i = 0; i < 20; ++i) pair.Put(absl::StrCat("id-", i), derived);
  auto reader = *pair.store->NewReader();
  Selection selection;
  selection.view.revision = pair.revision;
  selection.heads = Equals(kNote, "*" + std::string(2'000, 'a') + "b*");
  selection.heads.kind = Kind::kLike;
  int asked = 0;
  selection.check = [&] { return ++asked < 3 ? absl::OkStatus() : CallCancelled(); };
  const absl::Status ended =
      reader->Select("things", selection, [](const store::Row&) { return true; });
  EXPECT_EQ(ended.code(), absl::StatusCode::kCancelled) << ended;
  // To explain a page in an order rows are counted.
  asked = 0;
  selection.order = {{kRowCreateTime}};
  selection.limit = 10;
  const absl::Status unexplained = reader->Explain("things", selection).status();
  EXPECT_EQ(unexplained.code(), absl::StatusCode::kCancelled) << unexplained;
}

TEST_P(SelectTest, ThePlaceAfterARowThatIsGoneIsNotGuessed) {
  Dice dice(4);
  Pair pair(path());
  pair.Fill(dice, 5, 10);
  auto reader = *pair.store->NewReader();
  Selection selection;
  selection.view.revision = pair.revision;
  selection.after = "nobody";
  EXPECT_FAILS(reader->Select("things", selection, [](const store::Row&) { return true; }),
               kNotFound, RECORD_NOT_FOUND);
}

TEST_P(SelectTest, RewritesAndErasuresChangeWhatIsFound) {
  Pair pair(path());
  Derived red;
  red.columns.resize(8);
  red.columns[kColour] = std::string("red");
  red.lists.emplace_back(0, std::string("tag"));
  pair.Put("a", red);
  pair.Put("a", red);
  pair.Put("b", red);
  auto reader = *pair.store->NewReader();
  auto found = [&](Condition condition, Revision at) {
    Selection selection;
    selection.view.revision = at;
    selection.show_deleted = true;
    selection.heads = condition;
    selection.past = condition.kind == Kind::kListHas ? Condition{.kind = Kind::kFalse} : condition;
    return *reader->Count("things", selection);
  };
  Condition tagged = Equals(0, std::string("tag"));
  tagged.kind = Kind::kListHas;
  EXPECT_EQ(found(Equals(kColour, std::string("red")), 3), 2);
  EXPECT_EQ(found(tagged, 3), 2);
  Derived green = red;
  green.columns[kColour] = std::string("green");
  green.lists.clear();
  ASSERT_OK(pair.writer().Begin());
  ASSERT_OK(pair.writer().Rewrite("things", "a", 1, "payload", green));
  ASSERT_OK(pair.writer().Rewrite("things", "b", 3, "payload", green));
  ASSERT_OK(pair.writer().Commit());
  EXPECT_EQ(found(Equals(kColour, std::string("green")), 1), 1);
  EXPECT_EQ(found(Equals(kColour, std::string("red")), 3), 1);
  EXPECT_EQ(found(tagged, 3), 1);
  ASSERT_OK(pair.writer().Begin());
  ASSERT_OK(pair.writer().EraseRecord("things", "a", "erased-1", "uid", 99, {}));
  ASSERT_OK(pair.writer().Commit());
  EXPECT_EQ(found(Equals(kColour, std::string("red")), 3), 0);
  EXPECT_EQ(found(Equals(kColour, std::string("green")), 1), 0);
  EXPECT_EQ(found(tagged, 3), 0);
  EXPECT_EQ(found(Equals(kRowId, std::string("erased-1")), 3), 1);
  EXPECT_EQ(found(Equals(kRowId, std::string("erased-1")), 1), 1);
  EXPECT_EQ(found(Equals(kColour, std::string()), 3), 1) << "as an empty record has it";
}

// A reader that is not pinned sees what another connection commits, with statements that it has
// kept; a pinned one after its next stamp.
TEST(SharedTest, ReadersSeeWhatIsCommitted) {
  testing::TempDir folder;
  Dice dice(11);
  Pair pair(folder.File());
  pair.Fill(dice, 20, 60);
  SqliteOptions read_only;
  read_only.read_only = true;
  auto store = *OpenSqlite(folder.File(), {Things()}, read_only);
  auto reader = *store->NewReader();
  auto pinned = *store->NewReader();
  Selection selection;
  selection.show_deleted = true;
  auto read = [&](Reader& from) {
    std::vector<std::string> found;
    const absl::Status status = from.Select("things", selection, [&](const auto& row) {
      Version version;
      EXPECT_TRUE(ReadRecord(row.record, &version).ok());
      found.push_back(absl::StrCat(version.id, "@", version.since));
      return true;
    });
    EXPECT_TRUE(status.ok()) << status;
    return found;
  };
  for (int i = 0; i < 30; ++i) {
    selection.view.revision = pair.revision;
    selection.limit = -1;
    const auto before = pair.Expected(selection);
    pinned->Pin(i);
    for (int again = 0; again < 2; ++again) {
      EXPECT_EQ(read(*reader), before);
      EXPECT_EQ(read(*pinned), before);
    }
    const Revision last = pair.revision;
    pair.Fill(dice, 20, 1);
    EXPECT_EQ(read(*reader), before) << "of the state that the view is of";
    pinned->Pin(i);
    EXPECT_EQ(pinned->Newest()->revision, last) << "the stamp is the same";
    selection.view.revision = pair.revision;
    const auto after = pair.Expected(selection);
    EXPECT_NE(after, before);
    EXPECT_EQ(read(*reader), after);
    EXPECT_EQ(read(*pinned), before);
    if (i % 2 == 0) {
      pinned->Pin(i + 1);
    } else {
      pinned->Unpin();
    }
    EXPECT_EQ(read(*pinned), after);
    // Of the statements that were kept: other limits, and pages that go on.
    selection.limit = 3;
    EXPECT_EQ(read(*reader), std::vector<std::string>(after.begin(), after.begin() + 3));
    for (const size_t at : {size_t{2}, size_t{5}}) {
      selection.after = after[at].substr(0, after[at].find('@'));
      const std::vector<std::string> rest(after.begin() + at + 1, after.begin() + at + 4);
      EXPECT_EQ(read(*reader), rest);
      EXPECT_EQ(read(*pinned), rest);
    }
    selection.after.clear();
  }
  ASSERT_OK(pair.writer().BeginDeriving("things"));
  EXPECT_FAILS(reader->Select("things", selection, [](const auto&) { return true; }),
               kFailedPrecondition, STORE_READ_ONLY);
  pinned->Unpin();
  EXPECT_FAILS(pinned->Select("things", selection, [](const auto&) { return true; }),
               kFailedPrecondition, STORE_READ_ONLY);
}

// By another fingerprint all is derived anew, in steps that a crash may end.
TEST(DerivedTest, IsMadeAnewInSteps) {
  testing::TempDir folder;
  Dice dice(5);
  Revision revision = 0;
  {
    Pair pair(folder.File());
    pair.Fill(dice, 30, 100);
    revision = pair.revision;
    EXPECT_TRUE(*pair.writer().IsDerived("things"));
  }
  Table other = Things();
  other.fingerprint = "two";
  other.columns.push_back({.name = "new", .type = Column::Type::kInteger, .indexed = true});
  Selection selection;
  selection.view.revision = revision;
  selection.show_deleted = true;
  selection.heads = selection.past = Equals(8, int64_t{7});
  {
    SqliteOptions read_only;
    read_only.read_only = true;
    auto store = *OpenSqlite(folder.File(), {other}, read_only);
    auto reader = *store->NewReader();
    EXPECT_FALSE(*reader->IsDerived("things"));
    EXPECT_FAILS(reader->Count("things", selection), kFailedPrecondition, STORE_READ_ONLY);
    EXPECT_FAILS(reader->Explain("things", selection), kFailedPrecondition, STORE_READ_ONLY);
    ASSERT_OK(reader->List("things", "", {revision}, true, [](Version&) { return true; }));
  }
  Derived derived;
  derived.columns.resize(9);
  derived.columns[8] = int64_t{7};
  int put = 0;
  for (int step = 0; step < 4; ++step) {
    auto store = *OpenSqlite(folder.File(), {other}, {});
    Writer& writer = *store->writer();
    EXPECT_FALSE(*writer.IsDerived("things"));
    ASSERT_OK(writer.BeginDeriving("things"));
    std::vector<std::pair<std::string, Revision>> versions;
    ASSERT_OK(writer.Underived("things", [&](Version& version) {
      versions.emplace_back(version.id, version.since);
      return step == 3 || versions.size() < 25;
    }));
    ASSERT_OK(writer.Begin());
    for (const auto& [id, since] : versions) {
      ASSERT_OK(writer.PutDerived("things", id, since, derived));
      ++put;
    }
    ASSERT_OK(writer.Commit());
    if (step == 3) {
      EXPECT_FALSE(*writer.IsDerived("things"));
      ASSERT_OK(writer.EndDeriving("things"));
      EXPECT_TRUE(*writer.IsDerived("things"));
    }
  }
  EXPECT_EQ(put, 100) << "each version once, whatever was done before";
  auto store = *OpenSqlite(folder.File(), {other}, {});
  auto reader = *store->NewReader();
  const auto count = reader->Count("things", selection);
  ASSERT_OK(count);
  int64_t all = 0;
  ASSERT_OK(reader->List("things", "", {revision}, true, [&](Version&) { return ++all > 0; }));
  EXPECT_EQ(*count, all);
  selection.view.revision = revision / 2;
  EXPECT_GT(*reader->Count("things", selection), 0);
}

}  // namespace
}  // namespace detente::store
