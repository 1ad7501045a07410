// SearchRecords in this process beside FTS5 asked by hand, over the same words: those of a store
// that bench-query has made. Prints one JSON object: for each search, microseconds of each round.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/str_cat.h"
#include "api/instance.h"
#include "bench.h"
#include "detente/v1/query_service.pb.h"

ABSL_FLAG(std::string, store, "", "the store that bench-query has made");
ABSL_FLAG(std::string, raw, "", "where its raw twin is made anew, which takes ten seconds");
ABSL_FLAG(int32_t, rounds, 9, "measured rounds");
ABSL_FLAG(std::string, only, "", "do nothing else but this search of ours, for a profile");

namespace detente {
namespace {

using bench::Call;
using bench::Check;
using bench::Database;
using bench::Micros;
using bench::Open;
using bench::Statement;

constexpr char kSearch[] = "/detente.v1.QueryService/SearchRecords";
constexpr int kDeepPage = 100;

// In one piece, which an index that is written to is not.
void Make(const std::string& store, const std::string& path) {
  std::filesystem::remove(path);
  Database raw(path);
  raw.Execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF");
  raw.Execute(absl::StrCat("ATTACH '", store, "' AS ours"));
  raw.Execute("CREATE VIRTUAL TABLE words USING fts5(names, sounds, texts, tokenize = 'ascii')");
  raw.Execute(
      "INSERT INTO words (rowid, names, sounds, texts) "
      "SELECT id, c0, c1, c2 FROM ours.search_heads_content ORDER BY id");
  raw.Execute("INSERT INTO words (words) VALUES ('optimize')");
}

struct Search {
  std::string name;
  v1::SearchRecordsRequest request;
  std::string match;
  int pages = 1;
};

v1::SearchRecordsResponse Answer(const api::Instance& instance,
                                 const v1::SearchRecordsRequest& request) {
  v1::SearchRecordsResponse response;
  Check(response.ParseFromString(*Call(instance, kSearch, request.SerializeAsString())),
        "the answer is no SearchRecordsResponse");
  return response;
}

std::vector<Search> Searches(const api::Instance& instance) {
  std::vector<Search> searches;
  auto add = [&](const std::string& name, const std::string& query, const std::string& match) {
    v1::SearchRecordsRequest request;
    request.set_query(query);
    searches.push_back({name, request, match});
  };
  add("a word that all have", "invented", "invented");
  add("two that all have", "invented release", "invented AND release");
  add("a word that one has", "7777", "7777");
  // The pages before are read as one of so many hits.
  Search deep = searches[0];
  deep.name = absl::StrCat("page ", kDeepPage, " of a word that all have");
  deep.pages = kDeepPage;
  for (int left = (kDeepPage - 1) * 50; left > 0; left -= deep.request.page_size()) {
    deep.request.set_page_size(std::min(left, 1'000));
    deep.request.set_page_token(Answer(instance, deep.request).next_page_token());
  }
  deep.request.set_page_size(50);
  searches.push_back(deep);
  return searches;
}

int Rows(sqlite3_stmt* statement) {
  int rows = 0;
  while (sqlite3_step(statement) == SQLITE_ROW) ++rows;
  sqlite3_reset(statement);
  return rows;
}

void Run(const std::string& store, const std::string& path, int rounds) {
  auto ours = Open(store);
  Database raw(path);
  raw.Execute("PRAGMA cache_size = -16384");  // as a reader of ours
  const std::string only = absl::GetFlag(FLAGS_only);
  bench::Report report;
  for (const Search& search : Searches(*ours)) {
    if (!only.empty() && search.name != only) continue;
    const Statement best = raw.Prepare(
        absl::StrCat("SELECT rowid FROM words WHERE words MATCH '", search.match,
                     "' ORDER BY bm25(words, 10, 5, 1) LIMIT 50 OFFSET ", 50 * (search.pages - 1)));
    const v1::SearchRecordsResponse answer = Answer(*ours, search.request);
    Check(answer.hits_size() == Rows(best.get()), search.name + ": another number of hits");
    if (search.pages == 1) {
      Check(absl::StrCat(answer.total_size()) ==
                raw.Texts("SELECT count(*) FROM words WHERE words MATCH '" + search.match + "'")[0],
            search.name + ": another total");
    }
    const std::string request = search.request.SerializeAsString();
    std::function<double()> theirs;
    if (only.empty()) theirs = [&] { return Micros([&] { Rows(best.get()); }); };
    report.Measure(
        search.name, rounds, [&] { return Micros([&] { Call(*ours, kSearch, request); }); },
        theirs);
  }
  report.End();
}

}  // namespace
}  // namespace detente

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("SearchRecords beside FTS5");
  absl::ParseCommandLine(argc, argv);
  const std::string store = absl::GetFlag(FLAGS_store), raw = absl::GetFlag(FLAGS_raw);
  if (store.empty() || raw.empty()) detente::bench::Die("--store and --raw are required");
  detente::Make(store, raw);
  detente::Run(store, raw, absl::GetFlag(FLAGS_rounds));
  return 0;
}
