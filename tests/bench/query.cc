// List with filters and orders, in this process, beside the same queries written by hand for
// SQLite, over stores of two sizes. `--make` makes a store and its raw twin, whose rows hold the
// same bytes; without it they are measured, and every answer is compared. Prints one JSON object:
// for each query, microseconds of each round.
#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "api/instance.h"
#include "bench.h"
#include "detente/v1/record_service.pb.h"
#include "detente/v1/release.pb.h"
#include "detente/v1/release_service.pb.h"

ABSL_FLAG(std::string, folder, "", "where the stores are");
ABSL_FLAG(int32_t, make, 0, "make the stores of so many records");
ABSL_FLAG(std::vector<std::string>, sizes, {}, "measure the stores of so many records");
ABSL_FLAG(int32_t, rounds, 9, "measured rounds");
ABSL_FLAG(std::string, only, "", "do nothing else but this query of ours, for a profile");

namespace detente {
namespace {

using bench::Call;
using bench::Check;
using bench::Database;
using bench::kBatchWrite;
using bench::Open;
using bench::Pad;
using bench::Statement;

constexpr char kList[] = "/detente.v1.ReleaseService/ListReleases";
constexpr int kRare = 100;        // records of the rare region, in a store of any size
constexpr int kDeepPage = 1'000;  // of 50 records
constexpr int kCalls = 25;        // of a query in a round; the median counts

// --- records, all of them made up ----------------------------------------------------------------

uint64_t Hash(uint64_t value) {  // splitmix64
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

std::string Id(int number) { return "r-" + Pad(number, 8); }

v1::Release MakeUpRelease(int number, int count) {
  const uint64_t chance = Hash(number);
  v1::Release release;
  release.set_display_name(absl::StrCat("Invented release ", number));
  const bool rare = number % (count / kRare) == 3;
  // Skewed: half of all are of the first region.
  const int region = __builtin_ctzll(chance | 1ULL << 15);
  release.set_region_code(rare ? "XZ" : std::string("X") + static_cast<char>('A' + region));
  release.set_mechanism(static_cast<v1::Release::Mechanism>(1 + (chance >> 16) % 5));
  const int day = static_cast<int>((chance >> 20) % 11'000);
  const std::string month = absl::StrCat(1995 + day / 365, "-", Pad(1 + day % 365 / 31, 2));
  const bool by_month = (chance >> 36) % 8 == 0;
  release.mutable_effective_date()->set_edtf(
      by_month ? month : absl::StrCat(month, "-", Pad(1 + day % 28, 2)));
  release.mutable_headcount()->set_best(static_cast<int64_t>((chance >> 40) % 500));
  release.set_note("Made up for a benchmark; no such release is known to anybody.");
  return release;
}

// --- stores --------------------------------------------------------------------------------------

// A read is answered before the call returns.
api::Bytes Read(const api::Instance& instance, const std::string& request) {
  absl::StatusOr<api::Bytes> answer;
  api::CallContext context;
  context.caller = "bench";
  instance.handlers().Call(*instance.handlers().Find(kList), request, context,
                           [&](absl::StatusOr<api::Bytes> bytes) { answer = std::move(bytes); });
  Check(answer.ok(), answer.status().ToString());
  return *std::move(answer);
}

v1::ListReleasesResponse List(const api::Instance& instance,
                              const v1::ListReleasesRequest& request) {
  v1::ListReleasesResponse response;
  Check(response.ParseFromString(*Read(instance, request.SerializeAsString())),
        "the answer is no ListReleasesResponse");
  return response;
}

// With the settings of a reader of ours.
class RawStore : public Database {
 public:
  explicit RawStore(const std::string& path) : Database(path) {
    Execute("PRAGMA journal_mode = WAL");
    Execute("PRAGMA cache_size = -16384");
  }
};

std::string Path(const std::string& folder, const std::string& size, const char* kind) {
  return absl::StrCat(folder, "/", kind, "-", size, ".db");
}

// What someone would write who needs these queries and no others.
void Make(const std::string& folder, int count) {
  Check(count >= 10'000, "--make takes 10,000 records at least");
  auto ours = Open(Path(folder, std::to_string(count), "ours"));
  constexpr int kBatch = 1'000;
  for (int first = 0; first < count; first += kBatch) {
    v1::BatchWriteRequest request;
    for (int i = first; i < std::min(count, first + kBatch); ++i) {
      auto* create = request.add_operations()->mutable_create();
      create->set_record_id(Id(i));
      create->mutable_record()->PackFrom(MakeUpRelease(i, count));
    }
    Call(*ours, kBatchWrite, request.SerializeAsString());
  }
  RawStore raw(Path(folder, std::to_string(count), "raw"));
  raw.Execute("PRAGMA synchronous = OFF");
  raw.Execute(
      "CREATE TABLE releases (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, region TEXT, "
      "mechanism INTEGER, earliest INTEGER, latest INTEGER, headcount INTEGER, record BLOB)");
  raw.Execute("BEGIN");
  const Statement insert = raw.Prepare(
      "INSERT INTO releases (id, region, mechanism, earliest, latest, headcount, "
      "record) VALUES (?,?,?,julianday(?)-2440587.5,julianday(?)-2440587.5,?,?)");
  v1::ListReleasesRequest request;
  request.set_page_size(1'000);
  int seen = 0;
  do {
    const v1::ListReleasesResponse page = List(*ours, request);
    for (const v1::Release& release : page.releases()) {
      const std::string id = release.name().substr(9);
      auto day = [](const google::type::Date& date) {
        return absl::StrCat(Pad(date.year(), 4), "-", Pad(date.month(), 2), "-",
                            Pad(date.day(), 2));
      };
      const std::string earliest = day(release.effective_date().earliest());
      const std::string latest = day(release.effective_date().latest());
      const std::string record = release.SerializeAsString();
      sqlite3_stmt* put = insert.get();
      sqlite3_bind_text(put, 1, id.data(), static_cast<int>(id.size()), SQLITE_STATIC);
      sqlite3_bind_text(put, 2, release.region_code().data(), 2, SQLITE_STATIC);
      sqlite3_bind_int(put, 3, release.mechanism());
      sqlite3_bind_text(put, 4, earliest.data(), 10, SQLITE_STATIC);
      sqlite3_bind_text(put, 5, latest.data(), 10, SQLITE_STATIC);
      sqlite3_bind_int64(put, 6, release.headcount().best());
      sqlite3_bind_blob(put, 7, record.data(), static_cast<int>(record.size()), SQLITE_STATIC);
      Check(sqlite3_step(put) == SQLITE_DONE, "can't insert");
      sqlite3_reset(put);
      ++seen;
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  Check(seen == count, "another number of records");
  raw.Execute("COMMIT");
  raw.Execute("CREATE INDEX by_region ON releases (region, id)");
  raw.Execute("CREATE INDEX by_mechanism ON releases (mechanism, id)");
  raw.Execute("CREATE INDEX by_earliest ON releases (earliest, latest, id)");
  raw.Execute("CREATE INDEX by_latest ON releases (latest) WHERE latest > earliest");
  raw.Execute("CREATE INDEX by_headcount ON releases (headcount, id)");
  raw.Execute("ANALYZE");
}

// --- queries -------------------------------------------------------------------------------------

struct Query {
  std::string name;
  v1::ListReleasesRequest request;
  std::string sql;  // selects id and record; or, of a count, one number
  bool counts = false;
};

v1::ListReleasesRequest Request(const std::string& filter, const std::string& order = "") {
  v1::ListReleasesRequest request;
  request.set_filter(filter);
  request.set_order_by(order);
  return request;
}

// The same request, so many pages further on, and the last record before.
std::pair<v1::ListReleasesRequest, std::string> Deep(const api::Instance& instance,
                                                     v1::ListReleasesRequest request, int pages) {
  v1::ListReleasesRequest deep = request;
  std::string last;
  for (int i = 1; i < pages; ++i) {
    const v1::ListReleasesResponse page = List(instance, deep);
    Check(!page.next_page_token().empty(), "there are not so many pages");
    last = page.releases(page.releases_size() - 1).name().substr(9);
    deep.set_page_token(page.next_page_token());
  }
  return {deep, last};
}

std::vector<Query> Queries(const api::Instance& instance, int count) {
  std::vector<Query> queries;
  const std::string select = "SELECT id, record FROM releases WHERE ";
  auto add = [&](const std::string& name, const v1::ListReleasesRequest& request,
                 const std::string& where) {
    queries.push_back({name, request, select + where + " LIMIT 50"});
  };
  add("selective", Request("region_code = \"XZ\""), "region = 'XZ' ORDER BY id");
  add("selective, two conditions", Request("region_code = \"XZ\" AND mechanism = PARDON"),
      "region = 'XZ' AND mechanism = 1 ORDER BY id");
  add("half of all", Request("region_code = \"XA\""), "region = 'XA' ORDER BY id");
  add("possibly on a day", Request("possibly(effective_date, \"2011-05-09\")"),
      "((earliest = 15103 ) OR (earliest < 15103 AND latest >= 15103 AND latest > earliest)) "
      "ORDER BY id");
  add("by date", Request("", "effective_date desc"), "1 ORDER BY earliest DESC, latest DESC, id");
  add("by headcount, of a region", Request("region_code = \"XZ\"", "headcount.best desc"),
      "region = 'XZ' ORDER BY headcount DESC, id");
  Query counted{"count of a region", Request("region_code = \"XB\""),
                "SELECT count(*) FROM releases WHERE region = 'XB'", true};
  counted.request.set_return_total_size(true);
  counted.request.set_page_size(1);
  queries.push_back(counted);
  if (count >= 100 * 50 * 20) {
    for (const char* order : {"", "effective_date desc"}) {
      auto [deep, last] = Deep(instance, Request("region_code = \"XA\"", order), kDeepPage);
      const std::string name = *order == 0 ? "by name" : "by date";
      add("page 1, half of all " + name, Request("region_code = \"XA\"", order),
          *order == 0 ? "region = 'XA' ORDER BY id"
                      : "region = 'XA' ORDER BY earliest DESC, latest DESC, id");
      add(absl::StrCat("page ", kDeepPage, ", half of all ", name), deep,
          *order == 0
              ? absl::StrCat("region = 'XA' AND id > '", last, "' ORDER BY id")
              : absl::StrCat("region = 'XA' AND (-earliest, -latest, id) > (SELECT -earliest, "
                             "-latest, id FROM releases WHERE id = '",
                             last, "') AND earliest <= (SELECT earliest FROM releases WHERE id = '",
                             last, "') ORDER BY earliest DESC, latest DESC, id"));
    }
  }
  return queries;
}

double MedianMicros(const std::function<void()>& call) {
  std::vector<double> all;
  for (int i = 0; i < kCalls; ++i) {
    all.push_back(bench::Micros(call));
  }
  std::nth_element(all.begin(), all.begin() + kCalls / 2, all.end());
  return all[kCalls / 2];
}

// The rows' bytes, one after the other, as a program would take them out.
void RunRaw(sqlite3_stmt* statement, std::string* out) {
  out->clear();
  while (sqlite3_step(statement) == SQLITE_ROW) {
    out->append(static_cast<const char*>(sqlite3_column_blob(statement, 1)),
                sqlite3_column_bytes(statement, 1));
  }
  sqlite3_reset(statement);
}

void CheckEqual(const Query& query, const std::string& answer, Database& raw) {
  v1::ListReleasesResponse response;
  Check(response.ParseFromString(answer), "the answer is no ListReleasesResponse");
  const Statement statement = raw.Prepare(query.sql);
  if (query.counts) {
    Check(sqlite3_step(statement.get()) == SQLITE_ROW, "no count");
    Check(sqlite3_column_int64(statement.get(), 0) == response.total_size(),
          query.name + ": another count");
    return;
  }
  std::vector<std::string> ours, theirs;
  for (const v1::Release& release : response.releases()) ours.push_back(release.name().substr(9));
  while (sqlite3_step(statement.get()) == SQLITE_ROW) {
    theirs.emplace_back(reinterpret_cast<const char*>(sqlite3_column_text(statement.get(), 0)));
  }
  Check(ours == theirs, absl::StrCat(query.name, ": other records:\n", absl::StrJoin(ours, " "),
                                     "\nnot\n", absl::StrJoin(theirs, " ")));
}

void Run(const std::string& folder, const std::vector<std::string>& sizes, int rounds) {
  bench::Report report;
  for (const std::string& size : sizes) {
    auto ours = Open(Path(folder, size, "ours"));
    RawStore raw(Path(folder, size, "raw"));
    const std::string only = absl::GetFlag(FLAGS_only);
    for (const Query& query : Queries(*ours, std::stoi(size))) {
      if (!only.empty() && query.name != only) continue;
      const std::string request = query.request.SerializeAsString();
      CheckEqual(query, *Read(*ours, request), raw);
      const Statement statement = raw.Prepare(query.sql);
      std::string out;
      std::function<double()> theirs;
      if (only.empty()) {
        theirs = [&] { return MedianMicros([&] { RunRaw(statement.get(), &out); }); };
      }
      report.Measure(
          absl::StrCat(size, ": ", query.name), rounds,
          [&] { return MedianMicros([&] { Read(*ours, request); }); }, theirs);
    }
  }
  report.End();
}

}  // namespace
}  // namespace detente

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("List with filters beside the same queries in raw SQLite");
  absl::ParseCommandLine(argc, argv);
  const std::string folder = absl::GetFlag(FLAGS_folder);
  if (folder.empty()) detente::bench::Die("--folder is required");
  if (absl::GetFlag(FLAGS_make) > 0) {
    detente::Make(folder, absl::GetFlag(FLAGS_make));
  } else {
    detente::Run(folder, absl::GetFlag(FLAGS_sizes), absl::GetFlag(FLAGS_rounds));
  }
  return 0;
}
