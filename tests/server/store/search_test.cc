// Searches in a store against a plain evaluation over all versions: random words, queries and
// histories, as of any revision.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "error/error.h"
#include "server/engine/testing.h"
#include "server/store/search_model.h"
#include "store/record.h"
#include "store/sqlite/sqlite_store.h"
#include "store/store.h"

namespace detente::store {
namespace {

const std::vector<std::string> kCollections = {"things", "others"};
const std::vector<Table> kTables = {{.collection = "things"}, {.collection = "others"}};

SearchNode Term(const Words& words, bool prefix = false, const std::string& sound = "") {
  return {Kind::kTerm, {words, prefix, sound}, {}};
}

struct Hits {
  std::vector<SearchHit> list;
  SearchCounts counts;

  std::map<std::string, double> ByName() const {
    std::map<std::string, double> scores;
    for (const SearchHit& hit : list) {
      EXPECT_TRUE(scores.emplace(NameOf(hit), hit.score).second) << NameOf(hit) << " twice";
    }
    return scores;
  }
  static std::string NameOf(const SearchHit& hit) {
    return absl::StrCat(hit.collection, "/", hit.id);
  }
  bool operator==(const Hits& other) const {
    return ByName() == other.ByName() && counts == other.counts;
  }
};

Hits Found(Reader& reader, const SearchQuery& query, SearchStatistics* statistics,
           size_t most = SIZE_MAX) {
  Hits hits;
  auto counts = reader.Search(query, statistics, [&](SearchHit& hit) {
    hits.list.push_back(hit);
    return hits.list.size() < most;
  });
  EXPECT_TRUE(counts.ok()) << counts.status();
  if (counts.ok()) hits.counts = *std::move(counts);
  return hits;
}

class SearchTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    SqliteOptions options;
    options.create = true;
    auto opened = OpenSqlite(GetParam() ? ":memory:" : folder_.File(), kTables, options);
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
    reader_ = *store_->NewReader();
  }
  Writer& writer() { return *store_->writer(); }

  // One commit of what `work` does at the next revision.
  template <typename Work>
  void Write(Work work) {
    ASSERT_OK(writer().Begin());
    ASSERT_OK(writer().BeginCommit());
    ++revision_;
    work();
    ASSERT_OK(writer().PutCommit({revision_, revision_, "", "", "m", "", ""}, {}));
    ASSERT_OK(writer().EndCommit());
    ASSERT_OK(writer().Commit());
  }

  void Put(const std::string& collection, const std::string& id, const Derived& derived,
           bool live = true) {
    ModelRow* head = model_.Head(collection, id);
    Version version{id, "u", revision_, 1, 1, live ? 0 : 1, "p", "s"};
    ASSERT_OK(writer().Put(collection, version, derived, head != nullptr));
    if (head != nullptr) head->until = revision_;
    model_.rows.push_back({collection, id, revision_, INT64_MAX, live, derived});
  }

  void Compare(const SearchQuery& query) {
    SearchStatistics expected = model_.Statistics(query.root), statistics;
    const Hits hits = Found(*reader_, query, &statistics);
    ASSERT_EQ(statistics.documents, expected.documents);
    ASSERT_EQ(statistics.words, expected.words);
    ASSERT_EQ(statistics.frequencies, expected.frequencies);
    const auto found = hits.ByName(), expected_hits = model_.Search(query, expected);
    ASSERT_EQ(found.size(), expected_hits.size()) << Text(query.root);
    SearchCounts counts;
    for (const auto& [name, score] : expected_hits) {
      ASSERT_EQ(found.count(name), 1) << name;
      ASSERT_NEAR(found.at(name), score, 1e-9) << name << " for " << Text(query.root);
      ASSERT_GT(score, 0);
      ++counts[name.substr(0, name.find('/'))];
    }
    ASSERT_EQ(hits.counts, counts);
    for (size_t i = 1; i < hits.list.size(); ++i) {
      const SearchHit &a = hits.list[i - 1], &b = hits.list[i];
      ASSERT_TRUE(a.score > b.score || (a.score == b.score && Hits::NameOf(a) < Hits::NameOf(b)))
          << Hits::NameOf(a) << " before " << Hits::NameOf(b) << " for " << Text(query.root);
    }
    if (++compared_ % 8 == 0) ComparePages(query, statistics, hits);
  }

  // Page by page they are the same, bit by bit.
  void ComparePages(SearchQuery query, SearchStatistics statistics, const Hits& all) {
    const size_t size = 1 + all.list.size() / 5;
    size_t at = 0;
    while (true) {
      const Hits page = Found(*reader_, query, &statistics, size);
      ASSERT_EQ(page.counts, all.counts);
      ASSERT_EQ(page.list.size(), std::min(size, all.list.size() - at));
      for (const SearchHit& hit : page.list) {
        ASSERT_EQ(Hits::NameOf(hit), Hits::NameOf(all.list[at]));
        ASSERT_EQ(hit.score, all.list[at++].score);
      }
      if (page.list.empty()) return;
      query.after = page.list.back();
    }
  }

  detente::testing::TempDir folder_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Reader> reader_;
  Model model_;
  Revision revision_ = 0;
  int compared_ = 0;
};

class Random {
 public:
  explicit Random(uint64_t seed) : random_(seed) {}
  uint64_t Below(uint64_t n) { return random_() % n; }

  std::string Word() { return absl::StrCat("w", Below(4), std::string(Below(3), 'x')); }
  Derived SomeWords() {
    Derived derived;
    Words names, sounds, texts;
    if (Below(12) == 0) return derived;
    for (uint64_t i = Below(4); i > 0; --i) {
      names.push_back(Word());
      sounds.push_back(absl::StrCat("s", Below(4)));
    }
    for (uint64_t i = Below(12); i > 0; --i) texts.push_back(Word());
    derived.names = absl::StrJoin(names, " ");
    derived.sounds = absl::StrJoin(sounds, " ");
    derived.texts = absl::StrJoin(texts, " ");
    return derived;
  }
  SearchNode Node(int depth) {
    if (depth == 0 || Below(3) == 0) {
      Words words;
      for (uint64_t i = 1 + (Below(3) == 0 ? Below(3) : 0); i > 0; --i) words.push_back(Word());
      const bool prefix = Below(4) == 0;
      const bool sound = words.size() == 1 && !prefix && Below(2) == 0;
      return Term(words, prefix, sound ? absl::StrCat("s", Below(5)) : "");
    }
    constexpr Kind kKinds[] = {Kind::kAnd, Kind::kOr, Kind::kExcept};
    SearchNode node{kKinds[Below(3)], {}, {}};
    for (uint64_t i = node.kind == Kind::kExcept ? 2 : 2 + Below(2); i > 0; --i) {
      node.children.push_back(Node(depth - 1));
    }
    return node;
  }

 private:
  std::mt19937_64 random_;
};

TEST_P(SearchTest, RandomHistories) {
  Random random(20251213);
  for (int commit = 0; commit < 150; ++commit) {
    Write([&] {
      std::set<std::string> used;
      for (uint64_t i = 1 + random.Below(4); i > 0; --i) {
        const std::string collection = kCollections[random.Below(2)];
        const std::string id = absl::StrCat("r", random.Below(30));
        if (!used.insert(collection + id).second) continue;
        Put(collection, id, random.SomeWords(), random.Below(8) != 0);
      }
    });
    if (random.Below(10) == 0) {  // as erasures rewrite other records
      ModelRow& row = model_.rows[random.Below(model_.rows.size())];
      row.derived = random.SomeWords();
      ASSERT_OK(writer().Begin());
      ASSERT_OK(writer().Rewrite(row.collection, row.id, row.since, "q", row.derived));
      ASSERT_OK(writer().Commit());
    }
    if (random.Below(25) == 0) {
      const ModelRow& row = model_.rows[random.Below(model_.rows.size())];
      const std::string id = row.id, collection = row.collection;
      const std::string erased = absl::StrCat("erased-", commit);
      ASSERT_OK(writer().Begin());
      ASSERT_OK(writer().EraseRecord(collection, id, erased, "u2", 5, {}));
      ASSERT_OK(writer().Commit());
      ASSERT_OK(writer().Purge());
      for (ModelRow& one : model_.rows) {
        if (one.collection != collection || one.id != id) continue;
        one.id = erased;
        one.live = false;
        one.derived = {};
      }
    }
    for (int i = 0; i < 20; ++i) {
      SearchQuery query;
      query.view.revision = random.Below(2) == 0 ? revision_ : 1 + random.Below(revision_);
      if (random.Below(3) == 0) query.collections = {kCollections[random.Below(2)]};
      query.root = random.Node(3);
      Compare(query);
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(SearchTest, RandomGroupsOfCommits) {
  Random random(20251214);
  for (int group = 0; group < 120; ++group) {
    const Model model = model_;
    const Revision revision = revision_;
    ASSERT_OK(writer().Begin());
    for (uint64_t commit = 1 + random.Below(4); commit > 0; --commit) {
      const Model before = model_;
      ASSERT_OK(writer().BeginCommit());
      ++revision_;
      std::set<std::string> used;
      for (uint64_t i = 1 + random.Below(3); i > 0; --i) {
        const std::string collection = kCollections[random.Below(2)];
        const std::string id = absl::StrCat("r", random.Below(4));
        if (!used.insert(collection + id).second) continue;
        const ModelRow* head = model_.Head(collection, id);
        const bool same = head != nullptr && random.Below(3) == 0;
        Put(collection, id, same ? Derived(head->derived) : random.SomeWords());
      }
      ASSERT_OK(writer().PutCommit({revision_, revision_, "", "", "m", "", ""}, {}));
      if (random.Below(3) == 0) {
        ASSERT_OK(writer().UndoCommit());
        model_ = before;
        --revision_;
      } else {
        ASSERT_OK(writer().EndCommit());
      }
    }
    if (random.Below(6) == 0) {
      ASSERT_OK(writer().Rollback());
      model_ = model;
      revision_ = revision;
    } else {
      ASSERT_OK(writer().Commit());
    }
    for (int i = 0; i < 20 && revision_ > 0; ++i) {
      SearchQuery query;
      query.view.revision = random.Below(2) == 0 ? revision_ : 1 + random.Below(revision_);
      query.root = random.Node(3);
      Compare(query);
      if (HasFatalFailure()) return;
    }
  }
}

// Most have the same score: names decide, by a walk through all of them or each looked up.
TEST_P(SearchTest, ManyEquals) {
  constexpr int kRecords = 1'200;
  Random random(17);
  const std::vector<Derived> some = {
      {{}, {}, "w1 w2", "s1 s2", ""}, {{}, {}, "w1", "s1", "w2"}, {{}, {}, "", "", "w2 w1 w2 w1"}};
  auto put = [&](int i, bool live) {
    // Names are in another order than the rows.
    const std::string id = absl::StrCat("r", i * 7'919 % kRecords);
    Derived derived = some[random.Below(9) == 0 ? random.Below(3) : 0];
    if (i % 40 == 0) derived.texts = "rare";
    Put(kCollections[i % 2], id, derived, live);
  };
  Write([&] {
    for (int i = 0; i < kRecords; ++i) put(i, i % 11 != 0);
  });
  for (int commit = 0; commit < 4; ++commit) {
    Write([&] {
      for (int i = commit; i < kRecords; i += 29) put(i, random.Below(3) != 0);
    });
  }
  const std::vector<SearchNode> roots = {Term({"w1"}),
                                         Term({"w1"}, false, "s1"),
                                         Term({"rare"}),
                                         {Kind::kAnd, {}, {Term({"w1"}), Term({"rare"})}},
                                         {Kind::kExcept, {}, {Term({"w2"}), Term({"rare"})}}};
  for (const SearchNode& root : roots) {
    for (const Revision revision : {revision_, revision_ - 1, Revision{1}}) {
      SearchQuery query;
      query.view.revision = revision;
      query.root = root;
      compared_ = 7;  // page by page, too
      Compare(query);
      query.collections = {"things"};
      Compare(query);
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(SearchTest, PagesAreScoredAlikeWhileOthersWrite) {
  Random random(7);
  Write([&] {
    for (int i = 0; i < 20; ++i) Put("things", absl::StrCat("r", i), random.SomeWords());
  });
  SearchQuery query;
  query.view.revision = revision_;
  query.root = Term({"w1"}, true, "s1");
  SearchStatistics statistics;
  const Hits before = Found(*reader_, query, &statistics);
  ASSERT_FALSE(before.list.empty());
  Write([&] {
    for (int i = 0; i < 30; ++i) Put("things", absl::StrCat("r", i), random.SomeWords());
  });
  EXPECT_TRUE(Found(*reader_, query, &statistics) == before);
  ComparePages(query, statistics, before);
  SearchStatistics anew;
  EXPECT_FALSE(Found(*reader_, query, &anew) == before);
}

TEST_P(SearchTest, ConditionsOnNames) {
  Write([&] {
    Put("things", "a", {{}, {}, "anna bella", "s1 s2", "carl"});
    Put("others", "b", {{}, {}, "anna", "s1", ""});
    Put("things", "c", {{}, {}, "carl", "s3", "anna"});
  });
  Write([&] { Put("things", "a", {{}, {}, "dora", "s4", ""}); });
  auto found = [&](Condition::Kind kind, const std::string& word, Revision revision) {
    Selection selection;
    selection.view.revision = revision;
    selection.heads = {.kind = kind, .value = word};
    selection.past = selection.heads;
    std::vector<std::string> ids;
    const absl::Status status = reader_->Select("things", selection, [&](const store::Row& row) {
      ids.emplace_back(IdOfRecord(row.record));
      return true;
    });
    EXPECT_TRUE(status.ok()) << status;
    return absl::StrJoin(ids, " ");
  };
  EXPECT_EQ(found(Condition::Kind::kNamed, "anna", 1), "a");
  EXPECT_EQ(found(Condition::Kind::kNamed, "anna", 2), "");
  EXPECT_EQ(found(Condition::Kind::kNamed, "dora", 2), "a");
  EXPECT_EQ(found(Condition::Kind::kSounds, "s2", 1), "a");
  EXPECT_EQ(found(Condition::Kind::kSounds, "s3", 2), "c");
  EXPECT_EQ(found(Condition::Kind::kNamed, "\" OR names : \"carl", 2), "");
  EXPECT_EQ(found(Condition::Kind::kNamed, "", 2), "");
}

// As an erasure does, whatever the search is at: a new reader opens the full-text tables too.
TEST_P(SearchTest, IsInterrupted) {
  constexpr int kReaders = 1'500;
  Random random(11);
  Write([&] {
    for (int i = 0; i < 20; ++i) Put("things", absl::StrCat("r", i), random.SomeWords());
  });
  SearchQuery query;
  query.view.revision = revision_;
  query.root = Term({"w1"}, true, "s1");
  int ended = 0;
  for (int i = 0; i < kReaders; ++i) {
    auto reader = *store_->NewReader();
    std::atomic<bool> begun = false, done = false;
    std::thread eraser([&, pause = random.Below(400)] {
      while (!begun) std::this_thread::yield();
      while (!done) {
        const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(pause);
        while (std::chrono::steady_clock::now() < until) {
        }
        reader->Interrupt();
      }
    });
    begun = true;
    SearchStatistics statistics;
    const absl::Status status =
        reader->Search(query, &statistics, [](SearchHit&) { return true; }).status();
    done = true;
    eraser.join();
    if (status.ok()) continue;
    ++ended;
    ASSERT_EQ(ReasonOf(status), v1::ERASED) << status << " of reader " << i;
  }
  EXPECT_GT(ended, 0);
}

// Wherever it is: in the words and sounds, their sizes, what the view sees, or the names.
TEST_P(SearchTest, IsEndedByItsCheck) {
  constexpr int kRecords = 3'000;
  constexpr int kRowsBetween = 256;
  Write([&] {
    for (int i = 0; i < kRecords; ++i) {
      Put("things", absl::StrCat("r", i), {{}, {}, "w", "s", ""}, i % 2 == 0);
    }
  });
  SearchQuery query;
  query.view.revision = revision_;
  query.root = Term({"w"}, false, "s");
  int asked = 0, last = INT32_MAX;
  query.check = [&] { return asked++ < last ? absl::OkStatus() : absl::CancelledError("enough"); };
  SearchStatistics statistics;
  EXPECT_EQ(Found(*reader_, query, &statistics).list.size(), kRecords / 2);
  EXPECT_GE(asked, 5 * kRecords / kRowsBetween);
  const int all = asked;
  for (last = 0; last < all; ++last) {
    asked = 0;
    auto counts = reader_->Search(query, &(statistics = {}), [](SearchHit&) { return true; });
    ASSERT_EQ(counts.status().code(), absl::StatusCode::kCancelled) << last << " of " << all;
    ASSERT_EQ(asked, last + 1);
  }
  query.check = nullptr;
  EXPECT_EQ(Found(*reader_, query, &(statistics = {})).list.size(), kRecords / 2);
  // A writer is not kept from its work by what has ended.
  Write([&] { Put("things", "new", {{}, {}, "w", "s", ""}); });
  ASSERT_OK(writer().Purge());
}

INSTANTIATE_TEST_SUITE_P(Stores, SearchTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "InMemory" : "InFile"; });

}  // namespace
}  // namespace detente::store
