// BatchWrite beside raw inserts. Every round writes the same new records into three stores:
//   handler  through the handler table, in this process
//   wire     through a server on loopback
//   raw      the rows that the handler has written, with SQLite's own functions, into the same
//            tables, as durably
// and at the end the stores must hold the same. Prints one JSON object with a number for each
// round.
#include <time.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "bench.h"
#include "detente/client/remote.h"
#include "detente/v1/organization.pb.h"
#include "detente/v1/person.pb.h"
#include "detente/v1/record_service.pb.h"
#include "detente/v1/source.pb.h"
#include "rpc/server.h"

ABSL_FLAG(std::string, folder, "", "an empty folder for the stores");
ABSL_FLAG(int32_t, rounds, 7, "measured rounds");
ABSL_FLAG(int32_t, records, 1'000, "of a batch");
ABSL_FLAG(std::string, replay, "", "do nothing else but write what this store holds, raw");
ABSL_FLAG(std::string, only, "", "do nothing else but `handler`, for a profile");

namespace detente {
namespace {

using bench::Check;
using bench::Database;
using bench::kBatchWrite;
using bench::Pad;
using bench::Statement;
using v1::BatchWriteRequest;

constexpr int kSources = 20;
constexpr int kOrganizations = 10;

// --- records, all of them made up ----------------------------------------------------------------

template <typename Record>
void AddCreate(const std::string& id, const Record& record, BatchWriteRequest* request) {
  auto* create = request->add_operations()->mutable_create();
  create->set_record_id(id);
  create->mutable_record()->PackFrom(record);
}

// What the persons below refer to.
BatchWriteRequest Referred() {
  BatchWriteRequest request;
  for (int i = 0; i < kSources; ++i) {
    v1::Source source;
    source.set_display_name(absl::StrCat("Invented Newspaper ", i, ": an invented headline"));
    source.set_title("An invented headline");
    AddCreate(absl::StrCat("source-", i), source, &request);
  }
  for (int i = 0; i < kOrganizations; ++i) {
    v1::Organization organization;
    organization.set_display_name(absl::StrCat("Invented Society ", i));
    AddCreate(absl::StrCat("society-", i), organization, &request);
  }
  return request;
}

v1::Person MakeUpPerson(int number) {
  const std::string family = absl::StrCat("Exampleson-", number);
  v1::Person person;
  person.set_display_name(absl::StrCat("Example ", family));
  auto name = [&](const char* id, const std::string& full, const char* script, const char* language,
                  v1::Name::Kind kind) {
    v1::Name* out = person.add_names();
    out->set_id(id);
    out->set_full(full);
    out->set_script_code(script);
    out->set_language_code(language);
    out->set_kind(kind);
    return out;
  };
  v1::Name* preferred =
      name("en", absl::StrCat("Example ", family), "Latn", "en", v1::Name::TRANSLITERATION);
  preferred->set_given("Example");
  preferred->set_family(family);
  preferred->set_preferred(true);
  name("be", absl::StrCat("Прыклад Прыкладаў ", number), "Cyrl", "be", v1::Name::LEGAL);
  name("pl", absl::StrCat("Przykład ", family), "Latn", "pl", v1::Name::SPELLING);
  person.mutable_birth_date()->set_edtf(absl::StrCat(1950 + number % 50, "-0", 1 + number % 9));
  person.set_gender(number % 2 == 0 ? v1::Person::FEMALE : v1::Person::MALE);
  person.add_nationalities("BY");
  person.add_occupations("invented occupation");
  auto* affiliation = person.add_affiliations();
  affiliation->set_id("society");
  affiliation->set_organization(absl::StrCat("organizations/society-", number % kOrganizations));
  affiliation->set_role("member");
  affiliation->mutable_start_date()->set_edtf("2019~");
  auto cite = [&](int source, std::initializer_list<const char*> fields, const std::string& text) {
    v1::Citation* citation = person.add_citations();
    citation->set_source(absl::StrCat("sources/source-", source % kSources));
    for (const char* field : fields) citation->add_fields(field);
    citation->set_paraphrase(text);
    citation->set_stance(v1::Citation::SUPPORTS);
  };
  cite(number, {"names[\"en\"].full", "birth_date"},
       absl::StrCat("says under number ", number,
                    " of its list how the name is spelt, and the year"));
  cite(number + 7, {"affiliations[\"society\"]", "occupations"},
       "names the society that the person is said to have belonged to");
  person.set_note("Made up for a benchmark; no such person is known to anybody.");
  return person;
}

std::string Id(int number) { return absl::StrCat("person-", Pad(number, 8)); }

std::string Persons(int first, int count) {
  BatchWriteRequest request;
  for (int i = first; i < first + count; ++i) AddCreate(Id(i), MakeUpPerson(i), &request);
  return request.SerializeAsString();
}

// --- time ----------------------------------------------------------------------------------------

struct Spent {
  double seconds = 0;
  double cpu_seconds = 0;  // of the whole process
};

double CpuSeconds() {
  timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

Spent Measure(const std::function<void()>& work) {
  const double cpu = CpuSeconds();
  const auto start = std::chrono::steady_clock::now();
  work();
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  return {elapsed.count(), CpuSeconds() - cpu};
}

// --- the stores ----------------------------------------------------------------------------------

// One result for each record, in order, all of one new revision.
int64_t CheckAnswer(const std::string& answer, int first, int count, int64_t revision) {
  v1::BatchWriteResponse response;
  Check(response.ParseFromString(answer), "the answer is no BatchWriteResponse");
  Check(response.revision() == revision, "the answer is of another revision");
  Check(response.results_size() == count, "the answer has another number of results");
  for (int i = 0; i < count; ++i) {
    Check(response.results(i).name() == "persons/" + Id(first + i) &&
              response.results(i).revision() == revision,
          "a result is of another record");
  }
  return response.revision();
}

// Quoted; of a table of words with its row's number, which it shares with a record.
std::vector<std::string> ColumnsOf(Database& db, const std::string& table) {
  std::vector<std::string> columns =
      db.Texts(absl::StrCat("SELECT name FROM pragma_table_info('", table, "')"));
  for (std::string& column : columns) column = absl::StrCat("\"", column, "\"");
  if (absl::StartsWith(table, "search_") && table != "search_collections") {
    columns.insert(columns.begin(), "rowid");
  }
  return columns;
}

// The rows that one commit left in a table, and how to insert them elsewhere.
class Rows {
 public:
  // `source`: the table, or one with the same columns.
  Rows(Database& from, const std::string& table, const std::string& source,
       const std::string& where)
      : table_(table), names_(ColumnsOf(from, table)) {
    const Statement statement = from.Prepare(
        absl::StrCat("SELECT ", absl::StrJoin(names_, ", "), " FROM ", source, " WHERE ", where));
    columns_ = sqlite3_column_count(statement.get());
    while (sqlite3_step(statement.get()) == SQLITE_ROW) {
      for (int i = 0; i < columns_; ++i) {
        values_.push_back(sqlite3_value_dup(sqlite3_column_value(statement.get(), i)));
      }
    }
  }
  Rows(const Rows&) = delete;
  ~Rows() {
    for (sqlite3_value* value : values_) sqlite3_value_free(value);
  }

  void PrepareInsert(Database& into) {
    insert_ = into.Prepare(
        absl::StrCat("INSERT INTO ", table_, " (", absl::StrJoin(names_, ", "), ") VALUES (",
                     absl::StrJoin(std::vector<std::string>(columns_, "?"), ","), ")"));
  }
  size_t size() const { return values_.size() / columns_; }

  void Insert(size_t row) {
    sqlite3_stmt* const insert = insert_.get();
    for (int i = 0; i < columns_; ++i) {
      sqlite3_value* value = values_[row * columns_ + i];
      switch (sqlite3_value_type(value)) {
        case SQLITE_INTEGER:
          sqlite3_bind_int64(insert, i + 1, sqlite3_value_int64(value));
          break;
        case SQLITE_TEXT:
          sqlite3_bind_text(insert, i + 1, reinterpret_cast<const char*>(sqlite3_value_text(value)),
                            sqlite3_value_bytes(value), SQLITE_STATIC);
          break;
        case SQLITE_BLOB:
          if (sqlite3_value_bytes(value) == 0) {
            sqlite3_bind_zeroblob(insert, i + 1, 0);
          } else {
            sqlite3_bind_blob(insert, i + 1, sqlite3_value_blob(value), sqlite3_value_bytes(value),
                              SQLITE_STATIC);
          }
          break;
        default:
          sqlite3_bind_null(insert, i + 1);
      }
    }
    Check(sqlite3_step(insert) == SQLITE_DONE, "can't insert into " + table_);
    sqlite3_reset(insert);
  }

 private:
  const std::string table_;
  const std::vector<std::string> names_;
  int columns_ = 0;
  std::vector<sqlite3_value*> values_;
  Statement insert_;
};

// What the commits of a store have written. All records are as they were created.
class Written {
 public:
  explicit Written(const std::string& path) : from_(path) {
    from_.Execute("CREATE TEMP TABLE refs_since AS SELECT * FROM refs");
    from_.Execute("CREATE INDEX temp.refs_of ON refs_since (since)");
  }

  int64_t revision() { return std::stoll(from_.Texts("SELECT max(revision) FROM commits")[0]); }

  // Of one, table by table.
  std::vector<std::unique_ptr<Rows>> RowsOf(int64_t revision) {
    std::vector<std::unique_ptr<Rows>> tables;
    auto add = [&](const std::string& table, const std::string& from, const std::string& where) {
      auto rows = std::make_unique<Rows>(from_, table, from, where);
      if (rows->size() > 0) tables.push_back(std::move(rows));
    };
    for (const std::string& collection : from_.Texts(
             absl::StrCat("SELECT DISTINCT collection FROM touches WHERE revision = ", revision))) {
      const std::string head = "head_" + collection;
      const std::string numbers = absl::StrCat("(SELECT num FROM touches JOIN ", head,
                                               " USING (id) WHERE revision = ", revision,
                                               " AND collection = '", collection, "')");
      // In the order of the commit: record by record.
      const std::string by_number = absl::StrCat("num IN ", numbers, " ORDER BY num");
      const std::string keys = "keys_" + collection;
      const std::string lists = "lists_" + collection;
      add(head, head, by_number);
      add(keys, keys, by_number);
      add(lists, lists, absl::StrCat(by_number, ", list, value"));
      add("search_heads", "search_heads",
          absl::StrCat("rowid IN (SELECT num << 8 | ordinal FROM ", numbers,
                       ", search_collections WHERE collection = '", collection,
                       "') ORDER BY rowid"));
    }
    add("refs", "refs_since", absl::StrCat("since = ", revision, " ORDER BY referrer, target"));
    add("commits", "commits", absl::StrCat("revision = ", revision));
    add("touches", "touches", absl::StrCat("revision = ", revision, " ORDER BY ordinal"));
    return tables;
  }

 private:
  Database from_;
};

class RawStore {
 public:
  // With the settings of store/sqlite.
  explicit RawStore(const std::string& path) : db_(path) {
    db_.Execute("PRAGMA journal_mode = WAL");
    db_.Execute("PRAGMA synchronous = FULL");
    db_.Execute("PRAGMA wal_autocheckpoint = 16384");
    db_.Execute("PRAGMA cache_size = -65536");
    db_.Execute("PRAGMA temp_store = MEMORY");
  }

  Spent Write(std::vector<std::unique_ptr<Rows>> tables) {
    for (auto& rows : tables) rows->PrepareInsert(db_);
    return Measure([&] {
      db_.Execute("BEGIN IMMEDIATE");
      for (auto& rows : tables) {
        const size_t size = rows->size();
        for (size_t row = 0; row < size; ++row) rows->Insert(row);
      }
      db_.Execute("COMMIT");
    });
  }

 private:
  Database db_;
};

// Dies unless every table of both files holds the same, but for how FTS5 and the planner keep
// theirs. `times`: whatever differs by the clock or
// by chance too.
void CheckEqual(const std::string& left, const std::string& right, bool times) {
  Database db(left);
  db.Execute(absl::StrCat("ATTACH '", right, "' AS other"));
  for (const std::string& table :
       db.Texts("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' "
                "AND name NOT LIKE 'search_heads_%' AND name NOT LIKE 'search_past_%' "
                "AND name NOT IN ('meta', 'analyzed')")) {
    std::vector<std::string> columns;
    for (const std::string& column : ColumnsOf(db, table)) {
      const bool differs = column == "\"uid\"" || column == "\"salt\"" || column == "\"actor\"" ||
                           column == "\"record\"" || absl::EndsWith(column, "time\"");
      if (times || !differs) columns.push_back(column);
    }
    const std::string list = absl::StrJoin(columns, ", ");
    for (const auto& [one, two] : {std::pair("main", "other"), std::pair("other", "main")}) {
      const std::vector<std::string> count =
          db.Texts(absl::StrCat("SELECT count(*) FROM (SELECT ", list, " FROM ", one, ".", table,
                                " EXCEPT SELECT ", list, " FROM ", two, ".", table, ")"));
      Check(count[0] == "0", absl::StrCat(table, ": ", count[0], " rows of one store are not in ",
                                          "the other (", left, ", ", right, ")"));
    }
  }
}

// Of the words: the index says what the rows say.
void CheckWords(const std::string& path) {
  Database db(path);
  for (const char* table : {"search_heads", "search_past"}) {
    db.Execute(absl::StrCat("INSERT INTO ", table, " (", table, ") VALUES ('integrity-check')"));
  }
}

// The stored bytes must be the record that was sent, with what the server adds.
void CheckStored(const std::string& path, int count) {
  Database db(path);
  const Statement statement = db.Prepare("SELECT record FROM head_persons ORDER BY id");
  int number = 0;
  for (; sqlite3_step(statement.get()) == SQLITE_ROW; ++number) {
    v1::Person stored;
    Check(stored.ParseFromArray(sqlite3_column_blob(statement.get(), 0),
                                sqlite3_column_bytes(statement.get(), 0)),
          "a stored record can't be read");
    auto plain = [](v1::UncertainDate* date) {
      const std::string edtf = date->edtf();
      date->Clear();
      date->set_edtf(edtf);
    };
    for (int number = 1; number <= 7; ++number) {
      stored.GetReflection()->ClearField(&stored,
                                         stored.GetDescriptor()->FindFieldByNumber(number));
    }
    stored.clear_review_state();
    stored.clear_visibility();
    plain(stored.mutable_birth_date());
    plain(stored.mutable_affiliations(0)->mutable_start_date());
    for (v1::Citation& citation : *stored.mutable_citations()) citation.clear_id();
    Check(stored.SerializeAsString() == MakeUpPerson(number).SerializeAsString(),
          "a stored record is not the one that was sent");
  }
  Check(number == count, "the store holds another number of records");
}

void Print(const std::vector<std::pair<std::string, std::vector<Spent>>>& all, int records,
           size_t record_bytes) {
  std::cout << "{\"records\": " << records << ", \"record_bytes\": " << record_bytes;
  for (const auto& [name, rounds] : all) {
    auto list = [](const Spent& spent, double Spent::* member) {
      return absl::StrCat(spent.*member);
    };
    std::vector<std::string> seconds;
    std::vector<std::string> cpu;
    for (const Spent& spent : rounds) {
      seconds.push_back(list(spent, &Spent::seconds));
      cpu.push_back(list(spent, &Spent::cpu_seconds));
    }
    std::cout << ", \"" << name << "\": {\"seconds\": [" << absl::StrJoin(seconds, ", ")
              << "], \"cpu_seconds\": [" << absl::StrJoin(cpu, ", ") << "]}";
  }
  std::cout << "}\n";
}

void Run(const std::string& folder, int rounds, int records, bool handler_only) {
  const std::string handler_path = folder + "/handler.db";
  const std::string wire_path = folder + "/wire.db";
  const std::string raw_path = folder + "/raw.db";
  bench::Open(raw_path);  // its tables, and no more
  auto handler = bench::Open(handler_path);
  auto wired = bench::Open(wire_path);
  rpc::ServerOptions options;
  options.listen = "localhost:0";
  auto server = rpc::StartServer(*wired, options);
  Check(server.ok(), server.status().ToString());
  auto connection = Connect((*server)->address());
  Check(connection.ok(), connection.status().ToString());

  const std::string referred = Referred().SerializeAsString();
  bench::Call(*handler, kBatchWrite, referred);
  bench::Call(*wired, kBatchWrite, referred);
  RawStore raw(raw_path);
  raw.Write(Written(handler_path).RowsOf(1));

  std::vector<Spent> by_handler;
  std::vector<Spent> by_wire;
  std::vector<Spent> by_raw;
  size_t record_bytes = 0;
  constexpr int kWarmUp = 1;
  for (int round = 0; round < rounds + kWarmUp; ++round) {
    const int first = round * records;
    const int64_t revision = round + 2;
    const std::string request = Persons(first, records);
    record_bytes = request.size() / records;
    std::string answer;
    const Spent handler_spent =
        Measure([&] { answer = *bench::Call(*handler, kBatchWrite, request); });
    CheckAnswer(answer, first, records, revision);
    if (round >= kWarmUp) by_handler.push_back(handler_spent);
    if (handler_only) continue;
    const Spent raw_spent = raw.Write(Written(handler_path).RowsOf(revision));
    absl::StatusOr<std::string> remote;
    const Spent wire_spent =
        Measure([&] { remote = (*connection)->Call(kBatchWrite, request, {}); });
    Check(remote.ok(), remote.status().ToString());
    CheckAnswer(*remote, first, records, revision);
    if (round < kWarmUp) continue;
    by_raw.push_back(raw_spent);
    by_wire.push_back(wire_spent);
  }
  (*connection)->Close();
  (*server)->Drain(absl::Seconds(1));
  handler.reset();
  wired.reset();
  CheckStored(handler_path, (rounds + kWarmUp) * records);
  if (!handler_only) {
    for (const std::string& path : {handler_path, wire_path, raw_path}) CheckWords(path);
    CheckEqual(handler_path, raw_path, true);
    CheckEqual(handler_path, wire_path, false);
  }
  Print({{"raw", by_raw}, {"handler", by_handler}, {"wire", by_wire}}, records, record_bytes);
}

// Into a new store, commit by commit, what another holds; prints how long the inserts take.
void Replay(const std::string& folder, const std::string& store) {
  const std::string raw_path = folder + "/raw.db";
  bench::Open(raw_path);  // its tables, and no more
  Spent total;
  {
    Written written(store);
    RawStore raw(raw_path);
    const int64_t last = written.revision();
    for (int64_t revision = 1; revision <= last; ++revision) {
      const Spent spent = raw.Write(written.RowsOf(revision));
      total.seconds += spent.seconds;
      total.cpu_seconds += spent.cpu_seconds;
    }
  }
  CheckEqual(store, raw_path, true);
  std::cout << "{\"seconds\": " << total.seconds << ", \"cpu_seconds\": " << total.cpu_seconds
            << "}\n";
}

}  // namespace
}  // namespace detente

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("BatchWrite beside raw SQLite inserts of the same rows");
  absl::ParseCommandLine(argc, argv);
  const std::string folder = absl::GetFlag(FLAGS_folder);
  if (folder.empty()) detente::bench::Die("--folder is required");
  const std::string only = absl::GetFlag(FLAGS_only);
  if (!only.empty() && only != "handler") detente::bench::Die("--only=handler, or nothing");
  if (const std::string store = absl::GetFlag(FLAGS_replay); !store.empty()) {
    detente::Replay(folder, store);
    return 0;
  }
  detente::Run(folder, absl::GetFlag(FLAGS_rounds), absl::GetFlag(FLAGS_records), !only.empty());
  return 0;
}
