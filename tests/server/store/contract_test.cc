// What every store promises (store/store.h), over each implementation. A map of versions is the
// oracle for random histories.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/engine/testing.h"
#include "server/store/crash_vfs.h"
#include "store/record.h"
#include "store/sqlite/sqlite_store.h"
#include "store/store.h"

namespace detente::store {

bool operator==(const Version& a, const Version& b) {
  return a.id == b.id && a.uid == b.uid && a.since == b.since && a.create_time == b.create_time &&
         a.update_time == b.update_time && a.delete_time == b.delete_time &&
         a.payload == b.payload && a.salt == b.salt;
}
bool operator==(const Commit& a, const Commit& b) {
  return a.revision == b.revision && a.time == b.time && a.actor == b.actor &&
         a.reason == b.reason && a.method == b.method && a.request_id == b.request_id &&
         a.request_hash == b.request_hash;
}
bool operator==(const Touched& a, const Touched& b) {
  return a.collection == b.collection && a.id == b.id && a.change == b.change;
}
void PrintTo(const Version& v, std::ostream* out) {
  *out << v.id << "@" << v.since << (v.delete_time != 0 ? " deleted " : " ") << v.payload.size();
}
void PrintTo(const Commit& c, std::ostream* out) { *out << "commit " << c.revision; }
void PrintTo(const Touched& t, std::ostream* out) { *out << t.collection << "/" << t.id; }

namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Optional;
using std::string_literals::operator""s;

const std::vector<std::string> kCollections = {"things", "others"};
const std::vector<Table> kTables = {{.collection = "things"}, {.collection = "others"}};
constexpr Revision kNewest = INT64_MAX;

// A store, and how to close it and open it anew.
class Subject {
 public:
  virtual ~Subject() = default;
  virtual std::string path() = 0;
  virtual SqliteOptions options() { return {}; }
  virtual bool survives() { return true; }

  Store& Open() {
    store_.reset();
    SqliteOptions open = options();
    open.create = true;
    auto opened = OpenSqlite(path(), kTables, open);
    if (!opened.ok()) ADD_FAILURE() << opened.status();
    store_ = *std::move(opened);
    return *store_;
  }
  void Close() { store_.reset(); }

 private:
  std::unique_ptr<Store> store_;
};

class InFile : public Subject {
 public:
  std::string path() override { return folder_.File(); }

 private:
  detente::testing::TempDir folder_;
};

class InMemory : public Subject {
 public:
  std::string path() override { return ":memory:"; }
  bool survives() override { return false; }
};

class OnCrashVfs : public InFile {
 public:
  ~OnCrashVfs() override { Close(); }
  SqliteOptions options() override {
    SqliteOptions options;
    options.vfs = vfs_.name();
    options.checkpoint_pages = 64;
    return options;
  }

 private:
  CrashVfs vfs_;
};

struct Implementation {
  const char* name;
  std::unique_ptr<Subject> (*make)();
};

void PrintTo(const Implementation& implementation, std::ostream* out) {
  *out << implementation.name;
}

class StoreContractTest : public ::testing::TestWithParam<Implementation> {
 protected:
  std::unique_ptr<Subject> subject_ = GetParam().make();
  Store* store_ = &subject_->Open();
  Writer& writer() { return *store_->writer(); }
  std::unique_ptr<Reader> NewReader() {
    auto reader = store_->NewReader();
    EXPECT_TRUE(reader.ok()) << reader.status();
    return *std::move(reader);
  }
};

INSTANTIATE_TEST_SUITE_P(Stores, StoreContractTest,
                         ::testing::Values(Implementation{"SqliteFile",
                                                          []() -> std::unique_ptr<Subject> {
                                                            return std::make_unique<InFile>();
                                                          }},
                                           Implementation{"SqliteMemory",
                                                          []() -> std::unique_ptr<Subject> {
                                                            return std::make_unique<InMemory>();
                                                          }},
                                           Implementation{"SqliteOnCrashVfs",
                                                          []() -> std::unique_ptr<Subject> {
                                                            return std::make_unique<OnCrashVfs>();
                                                          }}),
                         [](const auto& info) { return info.param.name; });

Version MakeVersion(const std::string& id, Revision since, const std::string& payload) {
  return {id, absl::StrCat("uid-", id), since, 1'000 + since, 2'000 + since, 0, payload, "salt"};
}

Commit MakeCommit(Revision revision, const std::string& request_id = "",
                  const std::string& actor = "") {
  return {revision,   10 * revision,          actor, absl::StrCat("reason ", revision), "method",
          request_id, std::string("h\0sh", 4)};
}

std::vector<Version> Listed(Reader& reader, const std::string& collection, Revision revision,
                            bool show_deleted = true, const std::string& after = "",
                            size_t limit = SIZE_MAX) {
  std::vector<Version> found;
  absl::Status status =
      reader.List(collection, after, {revision}, show_deleted, [&](Version& version) {
        found.push_back(version);
        return found.size() < limit;
      });
  EXPECT_TRUE(status.ok()) << status;
  size_t rows = 0;
  status = reader.ListRows(collection, after, {revision}, show_deleted, [&](const Row& row) {
    Version version;
    EXPECT_TRUE(ReadRecord(row.record, &version).ok());
    version.salt = rows < found.size() ? found[rows].salt : "";
    EXPECT_TRUE(rows < found.size() && found[rows] == version) << "row " << rows;
    return ++rows < limit;
  });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(rows, found.size());
  return found;
}

// Versions with the revisions at which they were superseded.
using Spans = std::vector<std::pair<Version, Revision>>;

Spans VersionsOf(Reader& reader, const std::string& collection, const VersionRange& range,
                 size_t limit) {
  Spans found;
  absl::Status status =
      reader.Versions(collection, range, [&](const Version& version, Revision until) {
        found.emplace_back(version, until);
        return found.size() < limit;
      });
  EXPECT_TRUE(status.ok()) << status;
  return found;
}

// id, since and until.
using Ends = std::set<std::tuple<std::string, Revision, Revision>>;

Ends SupersededOf(Reader& reader, const std::string& collection, Revision after, Revision to) {
  Ends found;
  absl::Status status = reader.Superseded(
      collection, after, to, [&](absl::string_view id, Revision since, Revision until) {
        EXPECT_TRUE(found.emplace(std::string(id), since, until).second);
      });
  EXPECT_TRUE(status.ok()) << status;
  return found;
}

std::vector<Version> RevisionsOf(Reader& reader, const std::string& collection,
                                 const std::string& id, Revision before = kNewest,
                                 size_t limit = SIZE_MAX) {
  std::vector<Version> found;
  absl::Status status = reader.Revisions(collection, id, before, [&](Version& version) {
    found.push_back(version);
    return found.size() < limit;
  });
  EXPECT_TRUE(status.ok()) << status;
  return found;
}

std::vector<std::string> ReferrersAt(Reader& reader, const std::string& name, Revision at,
                                     const std::string& after = "", const std::string& before = "",
                                     size_t limit = SIZE_MAX) {
  std::vector<std::string> found;
  absl::Status status =
      reader.ReferrersAt(name, {at}, after, before, [&](const std::string& referrer) {
        found.push_back(referrer);
        return found.size() < limit;
      });
  EXPECT_TRUE(status.ok()) << status;
  return found;
}

void PutOne(Writer& writer, const std::string& collection, const Version& version, bool supersedes,
            const Commit& commit) {
  ASSERT_OK(writer.Begin());
  ASSERT_OK(writer.BeginCommit());
  ASSERT_OK(writer.Put(collection, version, {}, supersedes));
  const Touched touched[] = {{collection, version.id}};
  ASSERT_OK(writer.PutCommit(commit, touched));
  ASSERT_OK(writer.EndCommit());
  ASSERT_OK(writer.Commit());
}

TEST_P(StoreContractTest, AnEmptyStore) {
  auto reader = NewReader();
  EXPECT_EQ(*reader->Newest(), Commit());
  EXPECT_EQ(*reader->Get("things", "a", {kNewest}), std::nullopt);
  EXPECT_THAT(Listed(*reader, "things", kNewest), IsEmpty());
  EXPECT_THAT(RevisionsOf(*reader, "things", "a"), IsEmpty());
  EXPECT_EQ(*reader->FindRequest("me", "x"), std::nullopt);
  EXPECT_EQ(*reader->FindRequest("", ""), std::nullopt);
  EXPECT_THAT(*reader->Touches(1), IsEmpty());
  EXPECT_THAT(*reader->Referrers("things/a", 10), IsEmpty());
  EXPECT_EQ(*store_->Meta("none"), "");
  EXPECT_EQ(store_->Meta("page_token_key")->size(), 32U);
}

TEST_P(StoreContractTest, PayloadsAreBytes) {
  const std::string bytes("a\0b\xff\xfe'\"", 7);
  PutOne(writer(), "things", MakeVersion("a", 1, bytes), false, MakeCommit(1));
  PutOne(writer(), "things", MakeVersion("empty", 2, ""), false, MakeCommit(2));
  PutOne(writer(), "things", MakeVersion("large", 3, std::string(3 << 20, 'x')), false,
         MakeCommit(3));
  auto reader = NewReader();
  EXPECT_EQ((*reader->Get("things", "a", {kNewest}))->payload, bytes);
  EXPECT_EQ((*reader->Get("things", "empty", {kNewest}))->payload, "");
  EXPECT_EQ((*reader->Get("things", "large", {kNewest}))->payload.size(), size_t{3} << 20);
  EXPECT_EQ(*reader->Newest(), MakeCommit(3));
}

TEST_P(StoreContractTest, CollectionsAreApart) {
  PutOne(writer(), "things", MakeVersion("a", 1, "thing"), false, MakeCommit(1));
  PutOne(writer(), "others", MakeVersion("a", 2, "other"), false, MakeCommit(2));
  auto reader = NewReader();
  EXPECT_EQ((*reader->Get("things", "a", {kNewest}))->payload, "thing");
  EXPECT_EQ((*reader->Get("others", "a", {kNewest}))->payload, "other");
  EXPECT_EQ(*reader->Get("others", "a", {1}), std::nullopt);
  EXPECT_FALSE(reader->Get("nothings", "a", {1}).ok());
}

TEST_P(StoreContractTest, AnIdIsTakenOnce) {
  PutOne(writer(), "things", MakeVersion("a", 1, "1"), false, MakeCommit(1));
  ASSERT_OK(writer().Begin());
  ASSERT_OK(writer().BeginCommit());
  EXPECT_FALSE(writer().Put("things", MakeVersion("a", 2, "2"), {}, false).ok());
  ASSERT_OK(writer().UndoCommit());
  ASSERT_OK(writer().Commit());
  EXPECT_EQ((*NewReader()->Get("things", "a", {kNewest}))->payload, "1");
}

TEST_P(StoreContractTest, WhatIsUndoneOrRolledBackIsGone) {
  ASSERT_OK(writer().Begin());
  ASSERT_OK(writer().BeginCommit());
  ASSERT_OK(writer().Put("things", MakeVersion("a", 1, "1"), {}, false));
  ASSERT_OK(writer().PutReferences("things/a", 1, {}, {"others/x"}));
  ASSERT_OK(writer().PutCommit(MakeCommit(1, "r"), {}));
  ASSERT_OK(writer().SetMeta("key", "value"));
  EXPECT_TRUE((*writer().Get("things", "a", {kNewest})).has_value()) << "sees what it has written";
  ASSERT_OK(writer().UndoCommit());
  EXPECT_EQ(*writer().Get("things", "a", {kNewest}), std::nullopt);
  EXPECT_EQ(*writer().FindRequest("", "r"), std::nullopt);
  EXPECT_THAT(*writer().Referrers("others/x", 9), IsEmpty());
  ASSERT_OK(writer().BeginCommit());
  ASSERT_OK(writer().Put("things", MakeVersion("b", 1, "1"), {}, false));
  ASSERT_OK(writer().PutCommit(MakeCommit(1), {}));
  ASSERT_OK(writer().EndCommit());
  ASSERT_OK(writer().Rollback());
  EXPECT_EQ(writer().Newest()->revision, 0);
  EXPECT_EQ(*writer().Get("things", "b", {kNewest}), std::nullopt);
  EXPECT_EQ(*store_->Meta("key"), "");
  PutOne(writer(), "things", MakeVersion("b", 1, "2"), false, MakeCommit(1, "r"));
  EXPECT_EQ((*NewReader()->Get("things", "b", {kNewest}))->payload, "2");
}

TEST_P(StoreContractTest, RequestIdsAreTheActorsOwn) {
  PutOne(writer(), "things", MakeVersion("a", 1, "1"), false, MakeCommit(1, "r", "me"));
  PutOne(writer(), "things", MakeVersion("b", 2, "1"), false, MakeCommit(2, "r", "you"));
  PutOne(writer(), "things", MakeVersion("c", 3, "1"), false, MakeCommit(3));
  PutOne(writer(), "things", MakeVersion("d", 4, "1"), false, MakeCommit(4));
  auto reader = NewReader();
  EXPECT_THAT(*reader->FindRequest("me", "r"), Optional(MakeCommit(1, "r", "me")));
  EXPECT_THAT(*reader->FindRequest("you", "r"), Optional(MakeCommit(2, "r", "you")));
  EXPECT_EQ(*reader->FindRequest("me", "s"), std::nullopt);
  EXPECT_EQ(*reader->FindRequest("", ""), std::nullopt) << "no id is no request";
  ASSERT_OK(writer().Begin());
  ASSERT_OK(writer().BeginCommit());
  EXPECT_FALSE(writer().PutCommit(MakeCommit(5, "r", "me"), {}).ok());
  ASSERT_OK(writer().Rollback());
}

TEST_P(StoreContractTest, ReferrersAreLimitedAndSorted) {
  ASSERT_OK(writer().Begin());
  for (const char* referrer : {"things/c", "things/a", "others/z", "things/b"}) {
    ASSERT_OK(writer().PutReferences(referrer, 1, {}, {"things/x", "things/y"}));
  }
  ASSERT_OK(writer().PutReferences("things/x", 1, {}, {"things/x"}));
  ASSERT_OK(writer().PutReferences("things/a", 2, {"things/y"}, {}));
  ASSERT_OK(writer().Commit());
  auto reader = NewReader();
  EXPECT_THAT(*reader->Referrers("things/x", 10),
              ElementsAre("others/z", "things/a", "things/b", "things/c"));
  EXPECT_THAT(*reader->Referrers("things/x", 2), ElementsAre("others/z", "things/a"));
  EXPECT_THAT(*reader->Referrers("things/y", 10), ElementsAre("others/z", "things/b", "things/c"));
  ASSERT_OK(writer().Begin());
  ASSERT_OK(writer().ClearReferences());
  ASSERT_OK(writer().Commit());
  EXPECT_THAT(*reader->Referrers("things/x", 10), IsEmpty());
}

// Every commit gives both records the same payload: no reader may see two.
TEST_P(StoreContractTest, ReadersSeeWholeRevisionsBesideTheWriter) {
  std::atomic<Revision> committed{0};
  std::atomic<int> torn{0};
  std::atomic<Revision> reads{0};
  std::vector<std::thread> readers;
  for (int t = 0; t < 2; ++t) {
    readers.emplace_back([&] {
      auto reader = store_->NewReader();
      ASSERT_TRUE(reader.ok());
      while (committed < 150) {
        const Revision at = committed;
        if (at == 0) continue;
        ++reads;
        auto newest = (*reader)->Newest();
        ASSERT_TRUE(newest.ok()) << newest.status();
        torn += newest->revision < at;
        for (Revision revision : {at, (at + 1) / 2}) {
          auto seen = Listed(**reader, "things", revision);
          torn += seen.size() != 2 || seen[0].payload != absl::StrCat(revision) ||
                  seen[1].payload != seen[0].payload;
        }
      }
    });
  }
  for (Revision revision = 1; revision <= 150; ++revision) {
    ASSERT_OK(writer().Begin());
    ASSERT_OK(writer().BeginCommit());
    for (const char* id : {"a", "b"}) {
      ASSERT_OK(writer().Put("things", MakeVersion(id, revision, absl::StrCat(revision)), {},
                             revision > 1));
    }
    ASSERT_OK(writer().PutCommit(MakeCommit(revision), {}));
    ASSERT_OK(writer().EndCommit());
    ASSERT_OK(writer().Commit());
    committed = revision;
    while (reads < revision) std::this_thread::yield();
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(torn, 0);
}

// --- random histories against the oracle --------------------------------------------------------

class Model {
 public:
  using Versions = std::vector<Version>;
  std::map<std::string, std::map<std::string, Versions>> collections;
  std::map<Revision, std::pair<Commit, std::vector<Touched>>> commits;
  std::map<std::string, std::set<std::string>> referrers;  // by target
  // By target and referrer: the revisions at which it began, or ceased, to refer.
  std::map<std::pair<std::string, std::string>, std::vector<std::pair<Revision, bool>>> referring;

  size_t Mark() const { return undo_.size(); }
  void UndoTo(size_t mark) {
    while (undo_.size() > mark) {
      undo_.back()();
      undo_.pop_back();
    }
  }
  void Keep() { undo_.clear(); }

  void Put(const std::string& collection, const Version& version) {
    collections[collection][version.id].push_back(version);
    undo_.emplace_back([this, collection, id = version.id] {
      auto& records = collections[collection];
      records[id].pop_back();
      if (records[id].empty()) records.erase(id);
    });
  }
  void Refer(const std::string& target, const std::string& referrer, Revision since, bool refers) {
    auto& turns = referring[{target, referrer}];
    turns.emplace_back(since, refers);
    undo_.emplace_back([&turns] { turns.pop_back(); });
    auto& names = referrers[target];
    const bool changed = refers ? names.insert(referrer).second : names.erase(referrer) > 0;
    if (changed) {
      undo_.emplace_back([this, target, referrer, refers] {
        if (refers) {
          referrers[target].erase(referrer);
        } else {
          referrers[target].insert(referrer);
        }
      });
    }
  }
  std::vector<std::string> ReferrersAt(const std::string& target, Revision at,
                                       const std::string& after, const std::string& before) {
    std::vector<std::string> found;
    for (const auto& [names, turns] : referring) {
      bool refers = false;
      for (const auto& [since, turn] : turns) {
        if (since <= at) refers = turn;
      }
      if (refers && names.first == target && names.second > after &&
          (before.empty() || names.second < before)) {
        found.push_back(names.second);
      }
    }
    return found;
  }
  void PutCommit(const Commit& commit, const std::vector<Touched>& touched) {
    commits[commit.revision] = {commit, touched};
    undo_.emplace_back([this, revision = commit.revision] { commits.erase(revision); });
  }

  std::optional<Version> Get(const std::string& collection, const std::string& id,
                             Revision revision) {
    auto found = collections[collection].find(id);
    if (found == collections[collection].end()) return std::nullopt;
    return At(found->second, revision);
  }
  Versions List(const std::string& collection, Revision revision, bool show_deleted,
                const std::string& after = "", size_t limit = SIZE_MAX) {
    Versions out;
    for (const auto& [id, versions] : collections[collection]) {
      auto version = At(versions, revision);
      if (id <= after || !version || (!show_deleted && version->delete_time != 0)) continue;
      if (out.size() < limit) out.push_back(*version);
    }
    return out;
  }
  Spans VersionsOf(const std::string& collection, const VersionRange& range, size_t limit) {
    Spans out;
    for (const auto& [id, versions] : collections[collection]) {
      for (size_t i = 0; i < versions.size(); ++i) {
        const Revision since = versions[i].since;
        const Revision until = i + 1 < versions.size() ? versions[i + 1].since : INT64_MAX;
        const bool after = since > range.after ||
                           (!range.after_id.empty() && since == range.after && id > range.after_id);
        if (after && since <= range.to && until > range.seen_at)
          out.emplace_back(versions[i], until);
      }
    }
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) {
      return std::tie(a.first.since, a.first.id) < std::tie(b.first.since, b.first.id);
    });
    if (out.size() > limit) out.resize(limit);
    return out;
  }
  Ends Superseded(const std::string& collection, Revision after, Revision to) {
    Ends out;
    for (const auto& [version, until] : VersionsOf(collection, {.to = INT64_MAX}, SIZE_MAX)) {
      if (until > after && until <= to) out.emplace(version.id, version.since, until);
    }
    return out;
  }
  Versions Revisions(const std::string& collection, const std::string& id, Revision before) {
    Versions out;
    auto found = collections[collection].find(id);
    if (found == collections[collection].end()) return out;
    for (auto v = found->second.rbegin(); v != found->second.rend(); ++v) {
      if (v->since < before) out.push_back(*v);
    }
    return out;
  }

 private:
  static std::optional<Version> At(const Versions& versions, Revision revision) {
    std::optional<Version> at;
    for (const Version& version : versions) {
      if (version.since <= revision) at = version;
    }
    return at;
  }
  std::vector<std::function<void()>> undo_;
};

TEST_P(StoreContractTest, RandomHistories) {
  std::mt19937_64 random(20251213);
  auto below = [&](uint64_t n) { return random() % n; };
  Model model;
  auto reader = NewReader();
  Revision revision = 0;
  auto random_id = [&] { return absl::StrCat(std::string(1, char('a' + below(3))), below(12)); };

  auto compare_at = [&](Reader& read, Revision at) {
    for (const std::string& collection : kCollections) {
      const bool show_deleted = below(2) == 0;
      ASSERT_EQ(Listed(read, collection, at, show_deleted),
                model.List(collection, at, show_deleted))
          << collection << " at " << at;
      const std::string after = random_id();
      const size_t limit = 1 + below(6);
      ASSERT_EQ(Listed(read, collection, at, show_deleted, after, limit),
                model.List(collection, at, show_deleted, after, limit));
      const std::string id = random_id();
      ASSERT_EQ(*read.Get(collection, id, {at}), model.Get(collection, id, at));
      ASSERT_EQ(RevisionsOf(read, collection, id, at), model.Revisions(collection, id, at));
      VersionRange range;
      range.after = static_cast<Revision>(below(static_cast<uint64_t>(at) + 1));
      if (below(2) == 0) range.after_id = id;
      range.to = range.after + static_cast<Revision>(below(60));
      if (below(2) == 0) range.seen_at = range.to;
      ASSERT_EQ(VersionsOf(read, collection, range, limit * 4),
                model.VersionsOf(collection, range, limit * 4));
      ASSERT_EQ(SupersededOf(read, collection, range.after, range.to),
                model.Superseded(collection, range.after, range.to));
    }
    const std::string target = absl::StrCat("things/", random_id());
    const std::string first = below(3) == 0 ? absl::StrCat("others/", random_id()) : "";
    const std::string last = below(3) == 0 ? absl::StrCat("things/", random_id()) : "";
    ASSERT_EQ(ReferrersAt(read, target, at, first, last),
              model.ReferrersAt(target, at, first, last))
        << target << " at " << at;
  };
  auto compare_rest = [&](Reader& read) {
    auto newest = read.Newest();
    ASSERT_OK(newest);
    ASSERT_EQ(newest->revision, revision);
    for (const auto& [number, commit] : model.commits) {
      ASSERT_EQ(*read.Touches(number), commit.second);
      for (const Touched& touched : commit.second) {
        ASSERT_EQ(*read.ChangeOf(number, touched.collection, touched.id), touched.change);
      }
      ASSERT_EQ(*read.ChangeOf(number, "no-such", "record"), std::nullopt);
      if (commit.first.request_id.empty()) continue;
      ASSERT_THAT(*read.FindRequest(commit.first.actor, commit.first.request_id),
                  Optional(commit.first));
    }
    for (const std::string& collection : kCollections) {
      std::vector<Revision> since;
      for (const auto& [version, until] :
           model.VersionsOf(collection, {.to = INT64_MAX, .seen_at = INT64_MAX - 1}, SIZE_MAX)) {
        since.push_back(version.since);
      }
      ASSERT_EQ(*read.SampleSince(collection, 1'000), since);
      ASSERT_THAT(*read.SampleSince(collection, 5),
                  ::testing::SizeIs(::testing::AllOf(::testing::Ge(5), ::testing::Le(9))));
    }
    for (const auto& [target, referrers] : model.referrers) {
      std::vector<std::string> expected;
      for (const std::string& referrer : referrers) {
        if (referrer != target) expected.push_back(referrer);
      }
      ASSERT_EQ(*read.Referrers(target, 1'000), expected) << target;
    }
  };

  for (int group = 0; group < 700; ++group) {
    ASSERT_OK(writer().Begin());
    const size_t group_mark = model.Mark();
    const Revision group_revision = revision;
    for (uint64_t c = 1 + below(5); c > 0; --c) {
      ASSERT_OK(writer().BeginCommit());
      const size_t mark = model.Mark();
      std::set<std::string> used;
      std::vector<Touched> touched;
      for (uint64_t o = 1 + below(4); o > 0; --o) {
        const std::string collection = kCollections[below(2)];
        const std::string id = random_id();
        const std::string name = absl::StrCat(collection, "/", id);
        if (!used.insert(name).second) continue;
        touched.push_back({collection, id});
        if (below(8) == 0) continue;  // touched, not changed
        auto before = model.Get(collection, id, kNewest);
        Version version =
            MakeVersion(id, revision + 1, std::string(below(300), char(0x40 + below(192))));
        version.delete_time = below(4) == 0 ? 77 : 0;
        ASSERT_OK(writer().Put(collection, version, {}, before.has_value()));
        model.Put(collection, version);
        std::vector<std::string> removed, added;
        for (int t = 0; t < 3; ++t) {
          const std::string target = absl::StrCat("things/", random_id());
          const bool refers = below(2) == 0;
          (refers ? added : removed).push_back(target);
        }
        ASSERT_OK(writer().PutReferences(name, revision + 1, removed, added));
        for (const auto& target : removed) model.Refer(target, name, revision + 1, false);
        for (const auto& target : added) model.Refer(target, name, revision + 1, true);
      }
      const Commit commit =
          MakeCommit(revision + 1, below(2) == 0 ? "" : absl::StrCat("r", random()),
                     absl::StrCat("actor", below(3)));
      ASSERT_OK(writer().PutCommit(commit, touched));
      model.PutCommit(commit, touched);
      if (below(5) == 0) {
        ASSERT_OK(writer().UndoCommit());
        model.UndoTo(mark);
      } else {
        ASSERT_OK(writer().EndCommit());
        ++revision;
      }
    }
    if (below(10) == 0) {
      compare_at(writer(), revision);  // what it has written and not committed
      ASSERT_OK(writer().Rollback());
      model.UndoTo(group_mark);
      revision = group_revision;
    } else {
      ASSERT_OK(writer().Commit());
      model.Keep();
    }
    compare_at(*reader, revision);
    if (revision > 0) compare_at(*reader, 1 + static_cast<Revision>(below(uint64_t(revision))));
    if (HasFatalFailure()) return;
    if (group % 200 == 199) {
      compare_rest(*reader);
      if (subject_->survives()) {
        reader.reset();
        store_ = &subject_->Open();
        reader = NewReader();
        compare_rest(*reader);
      }
    }
  }
  EXPECT_GT(revision, 1'000);
  for (Revision at = 0; at <= revision && !HasFatalFailure(); ++at) compare_at(*reader, at);
  compare_rest(*reader);
  for (const std::string& collection : kCollections) {
    for (const auto& [id, versions] : model.collections[collection]) {
      ASSERT_EQ(RevisionsOf(*reader, collection, id), model.Revisions(collection, id, kNewest));
      auto two = model.Revisions(collection, id, kNewest);
      two.resize(std::min<size_t>(two.size(), 2));
      ASSERT_EQ(RevisionsOf(*reader, collection, id, kNewest, 2), two);
    }
  }
}

// --- files --------------------------------------------------------------------------------------

absl::Status OpenStatus(const std::string& path, const SqliteOptions& options) {
  return OpenSqlite(path, kTables, options).status();
}

TEST(SqliteFileTest, MissingFilesAreNotMadeUnasked) {
  detente::testing::TempDir folder;
  EXPECT_FAILS(OpenStatus(folder.File(), {}), kNotFound, STORE_NOT_FOUND);
  SqliteOptions read_only;
  read_only.read_only = read_only.create = true;
  EXPECT_FAILS(OpenStatus(folder.File(), read_only), kNotFound, STORE_NOT_FOUND);
  SqliteOptions create;
  create.create = true;
  EXPECT_FAILS(OpenStatus(folder.File(""), create), kFailedPrecondition, STORE_UNUSABLE);
  EXPECT_FALSE(OpenStatus(folder.File("no/such/folder/x.db"), create).ok());
}

TEST(SqliteFileTest, OneWriterAtATime) {
  detente::testing::TempDir folder;
  SqliteOptions create;
  create.create = true;
  {
    auto first = OpenSqlite(folder.File(), kTables, create);
    ASSERT_OK(first);
    absl::Status second = OpenStatus(folder.File(), create);
    EXPECT_FAILS(second, kFailedPrecondition, STORE_LOCKED);
    EXPECT_THAT(std::string(second.message()), ::testing::HasSubstr(absl::StrCat(getpid())));
    SqliteOptions read_only;
    read_only.read_only = true;
    auto reader = OpenSqlite(folder.File(), kTables, read_only);
    ASSERT_OK(reader);
    EXPECT_EQ((*reader)->writer(), nullptr);
  }
  EXPECT_TRUE(OpenStatus(folder.File(), create).ok());
}

TEST(SqliteFileTest, OtherFilesAreLeftAlone) {
  detente::testing::TempDir folder;
  SqliteOptions create;
  create.create = true;
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(folder.File("other.db").c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db, "CREATE TABLE t (x)", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(db);
  EXPECT_FAILS(OpenStatus(folder.File("other.db"), create), kFailedPrecondition, STORE_UNUSABLE);

  FILE* file = fopen(folder.File("text").c_str(), "w");
  fprintf(file, "%s", std::string(5'000, 'x').c_str());
  fclose(file);
  EXPECT_FAILS(OpenStatus(folder.File("text"), create), kFailedPrecondition, STORE_UNUSABLE);

  {
    ASSERT_TRUE(OpenStatus(folder.File("newer.db"), create).ok());
  }
  ASSERT_EQ(sqlite3_open(folder.File("newer.db").c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db, "PRAGMA user_version = 5", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(db);
  EXPECT_FAILS(OpenStatus(folder.File("newer.db"), create), kFailedPrecondition, STORE_UNUSABLE);
}

// As the first version wrote it: two versions of one record, no salts.
constexpr char kFormat1[] = R"sql(
PRAGMA journal_mode = WAL;
PRAGMA application_id = 1156009598; PRAGMA user_version = 1;
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE commits (
  revision INTEGER PRIMARY KEY, time INTEGER NOT NULL, actor TEXT NOT NULL, reason TEXT NOT NULL,
  method TEXT NOT NULL, request_id TEXT NOT NULL, request_hash BLOB NOT NULL);
CREATE UNIQUE INDEX commits_request ON commits (request_id, actor) WHERE request_id <> '';
CREATE TABLE touches (
  revision INTEGER, ordinal INTEGER, collection TEXT NOT NULL, id TEXT NOT NULL,
  PRIMARY KEY (revision, ordinal)) WITHOUT ROWID;
CREATE TABLE refs (target TEXT, referrer TEXT, PRIMARY KEY (target, referrer)) WITHOUT ROWID;
CREATE TABLE head_things (
  id TEXT NOT NULL UNIQUE, uid TEXT NOT NULL, since INTEGER NOT NULL, create_time INTEGER NOT NULL,
  update_time INTEGER NOT NULL, delete_time INTEGER NOT NULL, payload BLOB NOT NULL);
CREATE TABLE past_things (
  id TEXT NOT NULL, uid TEXT NOT NULL, since INTEGER NOT NULL, create_time INTEGER NOT NULL,
  update_time INTEGER NOT NULL, delete_time INTEGER NOT NULL, payload BLOB NOT NULL,
  until INTEGER NOT NULL, UNIQUE (id, since));
INSERT INTO meta VALUES ('page_token_key', x'00');
INSERT INTO commits VALUES (1, 10, 'a', 'r', 'm', '', x''), (2, 20, 'a', 'r', 'm', '', x'');
INSERT INTO touches VALUES (1, 0, 'things', 'x'), (2, 0, 'things', 'x');
INSERT INTO past_things VALUES ('x', 'u', 1, 10, 10, 0, 'one', 2);
INSERT INTO head_things VALUES ('x', 'u', 2, 10, 20, 0, 'two'), ('y', 'v', 2, 20, 20, 0, 'why');
)sql";

TEST(SqliteFileTest, TheFirstFormatIsBroughtUp) {
  detente::testing::TempDir folder;
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(folder.File().c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db, kFormat1, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
  sqlite3_close(db);
  SqliteOptions read_only;
  read_only.read_only = true;
  EXPECT_FAILS(OpenStatus(folder.File(), read_only), kFailedPrecondition, STORE_UNUSABLE);
  std::string salt;
  for (int times = 0; times < 2; ++times) {
    auto store = OpenSqlite(folder.File(), kTables, {});
    ASSERT_OK(store);
    auto reader = *(*store)->NewReader();
    auto now = **reader->Get("things", "x", {2}), then = **reader->Get("things", "x", {1});
    EXPECT_EQ(now.payload, "two");
    EXPECT_EQ(then.payload, "one");
    EXPECT_EQ(now.salt.size(), 16);
    EXPECT_EQ(then.salt, now.salt);
    EXPECT_NE((**reader->Get("things", "y", {2})).salt, now.salt);
    if (times > 0) {
      EXPECT_EQ(now.salt, salt);
    }
    salt = now.salt;
    EXPECT_THAT(*reader->Touches(1), ElementsAre(Touched{"things", "x", Change::kUnknown}));
    EXPECT_EQ(*reader->RevisionAt(15), 1);
    EXPECT_FALSE(*reader->IsDerived("things"));
  }
}

// As the second version wrote it: rows without numbers, nothing to find them by.
constexpr char kFormat2[] = R"sql(
PRAGMA journal_mode = WAL;
PRAGMA application_id = 1156009598; PRAGMA user_version = 2;
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE commits (
  revision INTEGER PRIMARY KEY, time INTEGER NOT NULL, actor TEXT NOT NULL, reason TEXT NOT NULL,
  method TEXT NOT NULL, request_id TEXT NOT NULL, request_hash BLOB NOT NULL);
CREATE UNIQUE INDEX commits_request ON commits (request_id, actor) WHERE request_id <> '';
CREATE INDEX commits_actor ON commits (actor, revision) WHERE actor <> '';
CREATE TABLE touches (
  revision INTEGER, ordinal INTEGER, collection TEXT NOT NULL, id TEXT NOT NULL,
  change INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (revision, ordinal)) WITHOUT ROWID;
CREATE TABLE refs (target TEXT, referrer TEXT, PRIMARY KEY (target, referrer)) WITHOUT ROWID;
CREATE TABLE snapshots (
  id TEXT PRIMARY KEY, revision INTEGER NOT NULL, title TEXT NOT NULL, create_time INTEGER NOT NULL,
  actor TEXT NOT NULL, checksum TEXT NOT NULL, current_checksum TEXT NOT NULL,
  record_count INTEGER NOT NULL, erased_count INTEGER NOT NULL, delete_time INTEGER NOT NULL)
  WITHOUT ROWID;
CREATE TABLE kept_leaves (
  collection TEXT, id TEXT, since INTEGER, leaf TEXT NOT NULL, PRIMARY KEY (collection, id, since))
  WITHOUT ROWID;
CREATE TABLE erasures (
  uid_hash TEXT PRIMARY KEY, id TEXT NOT NULL, revision INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE head_things (
  id TEXT NOT NULL UNIQUE, uid TEXT NOT NULL, since INTEGER NOT NULL, create_time INTEGER NOT NULL,
  update_time INTEGER NOT NULL, delete_time INTEGER NOT NULL, payload BLOB NOT NULL,
  salt BLOB NOT NULL);
CREATE TABLE past_things (
  id TEXT NOT NULL, uid TEXT NOT NULL, since INTEGER NOT NULL, create_time INTEGER NOT NULL,
  update_time INTEGER NOT NULL, delete_time INTEGER NOT NULL, payload BLOB NOT NULL,
  salt BLOB NOT NULL, until INTEGER NOT NULL, UNIQUE (id, since));
INSERT INTO meta VALUES ('page_token_key', x'00');
INSERT INTO commits VALUES (1, 10, 'a', 'r', 'm', '', x''), (2, 20, 'a', 'r', 'm', '', x''),
  (3, 30, 'a', 'r', 'm', '', x'');
INSERT INTO past_things VALUES ('x', 'u', 1, 10, 10, 0, x'00ff01', x'aa', 2),
  ('x', 'u', 2, 10, 20, 20, x'', x'aa', 3);
INSERT INTO head_things VALUES ('x', 'u', 3, 10, 30, 0, x'61006200', x'aa'),
  ('erased-1', 'v', 2, 20, 20, 20, x'', x'');
)sql";

TEST(SqliteFileTest, TheSecondFormatIsBroughtUp) {
  detente::testing::TempDir folder;
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(folder.File().c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db, kFormat2, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
  sqlite3_close(db);
  SqliteOptions read_only;
  read_only.read_only = true;
  EXPECT_FAILS(OpenStatus(folder.File(), read_only), kFailedPrecondition, STORE_UNUSABLE);
  const Version newest{"x", "u", 3, 10, 30, 0, std::string("a\0b\0", 4), "\xaa"};
  const Version second{"x", "u", 2, 10, 20, 20, "", "\xaa"};
  const Version first{"x", "u", 1, 10, 10, 0, std::string("\0\xff\1", 3), "\xaa"};
  const Version erased{"erased-1", "v", 2, 20, 20, 20, "", ""};
  for (int times = 0; times < 2; ++times) {
    auto store = OpenSqlite(folder.File(), kTables, {});
    ASSERT_OK(store);
    Writer& writer = *(*store)->writer();
    EXPECT_THAT(Listed(writer, "things", kNewest), ElementsAre(erased, newest));
    EXPECT_THAT(RevisionsOf(writer, "things", "x"), ElementsAre(newest, second, first));
    EXPECT_TRUE(*writer.IsDerived("others")) << "of a collection without versions";
    EXPECT_FALSE(*writer.IsDerived("things"));
  }
  auto store = OpenSqlite(folder.File(), kTables, {});
  ASSERT_OK(store);
  Writer& writer = *(*store)->writer();
  ASSERT_OK(writer.BeginDeriving("things"));
  {
    // Each version that is put looks for its list values: without an index, among those of all.
    ASSERT_EQ(sqlite3_open(folder.File().c_str(), &db), SQLITE_OK);
    sqlite3_stmt* plan = nullptr;
    ASSERT_EQ(
        sqlite3_prepare_v2(db, "EXPLAIN QUERY PLAN SELECT value FROM lists_things WHERE num = 1",
                           -1, &plan, nullptr),
        SQLITE_OK);
    ASSERT_EQ(sqlite3_step(plan), SQLITE_ROW);
    EXPECT_THAT(reinterpret_cast<const char*>(sqlite3_column_text(plan, 3)),
                ::testing::StartsWith("SEARCH"));
    sqlite3_finalize(plan);
    sqlite3_close(db);
  }
  std::vector<Version> underived;
  ASSERT_OK(writer.Underived("things", [&](Version& version) {
    underived.push_back(version);
    return true;
  }));
  EXPECT_THAT(underived, ElementsAre(newest, erased, first, second));
  ASSERT_OK(writer.Begin());
  for (const Version& version : underived) {
    ASSERT_OK(writer.PutDerived("things", version.id, version.since, {}));
  }
  ASSERT_OK(writer.Commit());
  ASSERT_OK(writer.EndDeriving("things"));
  EXPECT_TRUE(*writer.IsDerived("things"));
  Selection selection;
  selection.view.revision = 1;
  selection.show_deleted = true;
  EXPECT_EQ(*writer.Count("things", selection), 1);
  selection.view.revision = 3;
  EXPECT_EQ(*writer.Count("things", selection), 2);
  PutOne(writer, "things", MakeVersion("x", 4, "four"), true, MakeCommit(4));
  EXPECT_EQ(*writer.Count("things", selection), 2);
}

// Makes of a store whose payloads have five bytes one as the third version wrote it.
constexpr char kBackToFormat3[] = R"sql(
PRAGMA user_version = 3;
ALTER TABLE head_things RENAME TO now_head;
ALTER TABLE past_things RENAME TO now_past;
CREATE TABLE head_things (
  num INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, uid TEXT NOT NULL, since INTEGER NOT NULL,
  create_time INTEGER NOT NULL, update_time INTEGER NOT NULL, delete_time INTEGER NOT NULL,
  payload BLOB NOT NULL, salt BLOB NOT NULL);
CREATE TABLE past_things (
  num INTEGER PRIMARY KEY, id TEXT NOT NULL, uid TEXT NOT NULL, since INTEGER NOT NULL,
  create_time INTEGER NOT NULL, update_time INTEGER NOT NULL, delete_time INTEGER NOT NULL,
  payload BLOB NOT NULL, salt BLOB NOT NULL, until INTEGER NOT NULL, UNIQUE (id, since));
INSERT INTO head_things SELECT num, k.id, k.uid, k.since, k.create_time, k.update_time,
  k.delete_time, substr(n.record, -5), n.salt FROM now_head AS n JOIN keys_things AS k USING (num);
INSERT INTO past_things SELECT num, k.id, k.uid, k.since, k.create_time, k.update_time,
  k.delete_time, substr(n.record, -5), n.salt, k.until
  FROM now_past AS n JOIN past_keys_things AS k USING (num);
DROP TABLE now_head;
DROP TABLE now_past;
CREATE INDEX "things.head_since" ON head_things (since, id);
CREATE INDEX "things.past_since" ON past_things (since, id, until);
CREATE INDEX "things.past_until" ON past_things (until, since, id);
)sql";

TEST(SqliteFileTest, TheThirdFormatIsBroughtUp) {
  detente::testing::TempDir folder;
  SqliteOptions create;
  create.create = true;
  std::vector<Version> listed, revisions;
  {
    auto store = OpenSqlite(folder.File(), {kTables[0]}, create);
    ASSERT_OK(store);
    Writer& writer = *(*store)->writer();
    PutOne(writer, "things", MakeVersion("b", 1, "first"), false, MakeCommit(1));
    PutOne(writer, "things", MakeVersion("a", 2, "other"), false, MakeCommit(2));
    Version deleted = MakeVersion("b", 3, "\xff\0\x7f\x80z"s);
    deleted.delete_time = deleted.update_time;
    PutOne(writer, "things", deleted, true, MakeCommit(3));
    listed = Listed(writer, "things", kNewest);
    revisions = RevisionsOf(writer, "things", "b");
    ASSERT_EQ(listed.size() + revisions.size(), 4);
  }
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(folder.File().c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db, kBackToFormat3, nullptr, nullptr, nullptr), SQLITE_OK)
      << sqlite3_errmsg(db);
  sqlite3_close(db);
  SqliteOptions read_only;
  read_only.read_only = true;
  EXPECT_FAILS(OpenStatus(folder.File(), read_only), kFailedPrecondition, STORE_UNUSABLE);
  for (int times = 0; times < 2; ++times) {
    auto store = OpenSqlite(folder.File(), {kTables[0]}, {});
    ASSERT_OK(store);
    Writer& writer = *(*store)->writer();
    EXPECT_EQ(Listed(writer, "things", kNewest), listed);
    EXPECT_EQ(RevisionsOf(writer, "things", "b"), revisions);
    // What is derived stands beside the same numbers, and needs not be made anew.
    ASSERT_TRUE(*writer.IsDerived("things"));
    Selection selection;
    selection.view.revision = 3;
    std::vector<std::string> ids;
    ASSERT_OK(writer.Select("things", selection, [&](const Row& row) {
      ids.emplace_back(IdOfRecord(row.record));
      return true;
    }));
    EXPECT_THAT(ids, ElementsAre("a"));
  }
  ASSERT_EQ(sqlite3_open(folder.File().c_str(), &db), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(db,
                         "SELECT * FROM head_things INDEXED BY \"things.head_since\", past_things "
                         "INDEXED BY \"things.past_until\" WHERE past_things.until > 0",
                         nullptr, nullptr, nullptr),
            SQLITE_OK)
      << sqlite3_errmsg(db);
  sqlite3_close(db);
}

TEST(SqliteFileTest, PathsAreNotUris) {
  detente::testing::TempDir folder;
  SqliteOptions create;
  create.create = true;
  for (const char* name : {"a?mode=memory", "a#b", "a%20b", "ä b"}) {
    {
      ASSERT_TRUE(OpenStatus(folder.File(name), create).ok()) << name;
    }
    EXPECT_TRUE(OpenStatus(folder.File(name), {}).ok()) << name;
  }
}

TEST(SqliteFileTest, NewCollectionsComeToOldStores) {
  detente::testing::TempDir folder;
  SqliteOptions create;
  create.create = true;
  {
    ASSERT_TRUE(OpenSqlite(folder.File(), {kTables[0]}, create).ok());
  }
  auto store = OpenSqlite(folder.File(), kTables, create);
  ASSERT_OK(store);
  PutOne(*(*store)->writer(), "others", MakeVersion("a", 1, "x"), false, MakeCommit(1));
}

}  // namespace
}  // namespace detente::store
