// CreateReadSession and ReadRows as callers see them: bytes in, Arrow out.
#include <arrow/api.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/dictionary.h>
#include <arrow/ipc/reader.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "api/handler_table.h"
#include "detente/v1/person.pb.h"
#include "detente/v1/person_service.pb.h"
#include "detente/v1/row_service.pb.h"
#include "query/page_token.h"
#include "query/seal.h"
#include "server/api/calling.h"
#include "server/columnar/arrow_cells.h"
#include "server/engine/testing.h"

namespace detente::api {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Session = v1::CreateReadSessionResponse;

// What a stream has sent.
struct Received {
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
  int64_t rows = 0;

  std::vector<std::string> Texts(const std::string& column) const {
    std::vector<std::string> texts;
    for (const auto& batch : batches) {
      const auto array = batch->GetColumnByName(column);
      for (int64_t i = 0; i < batch->num_rows(); ++i) {
        texts.push_back(array->IsNull(i)
                            ? "null"
                            : static_cast<const arrow::StringArray&>(*array).GetString(i));
      }
    }
    return texts;
  }
};

class ReadRowsTest : public ::testing::Test {
 protected:
  absl::StatusOr<Session> Create(const std::string& request) {
    return Ask<v1::CreateReadSessionRequest, Session>(table_, "RowService/CreateReadSession",
                                                      request + " return_row_count: true");
  }

  absl::StatusOr<Received> Read(const std::string& stream, int64_t offset = 0,
                                const CallContext& context = {}) {
    v1::ReadRowsRequest request;
    request.set_stream(stream);
    request.set_offset(offset);
    auto open = table_.Open(*table_.Find("/detente.v1.RowService/ReadRows"),
                            request.SerializeAsString(), context);
    if (!open.ok()) return open.status();
    Received received;
    while (true) {
      auto next = (*open)->Next();
      if (!next.ok()) return next.status();
      if (!next->has_value()) return received;
      std::string bytes;
      for (const Piece& piece : **next) bytes.append(piece.bytes.data(), piece.bytes.size());
      EXPECT_LT(bytes.size(), 4 << 20);
      v1::ReadRowsResponse response;
      EXPECT_TRUE(response.ParseFromString(bytes));
      EXPECT_EQ(response.offset(), offset + received.rows);
      received.batches.push_back(testing::ReadIpcStream(response.arrow_stream()));
      EXPECT_EQ(received.batches.back()->num_rows(), response.row_count());
      EXPECT_GT(response.row_count(), 0);
      received.rows += response.row_count();
    }
  }

  // Of a session with one stream.
  Received ReadAll(const std::string& request) {
    auto session = Create(request);
    EXPECT_TRUE(session.ok()) << session.status();
    if (!session.ok() || session->streams().empty()) return {};
    auto received = Read(session->streams(0).name());
    EXPECT_TRUE(received.ok()) << received.status();
    if (!received.ok()) return {};
    if (session->has_row_count()) {
      EXPECT_EQ(session->row_count(), received->rows);
    }
    return *std::move(received);
  }

  // Persons p0 ... in commits of `batch`.
  void Fill(int count, int batch = 100, int first = 0) {
    for (int i = first; i < first + count; i += batch) {
      engine::CommitRequest commit;
      commit.method = "test";
      for (int k = i; k < std::min(i + batch, first + count); ++k) {
        commit.operations.push_back(testing::Create(PersonOf(k), absl::StrCat("p", k)));
      }
      ASSERT_OK(testing::Write(*engine_, std::move(commit)));
    }
  }

  static v1::Person PersonOf(int k) {
    return testing::Proto<v1::Person>(absl::StrCat(
        "display_name: 'Test Person ", k, "' nationalities: 'BY' names { full: 'Test Person ", k,
        "' kind: LEGAL } birth_date { edtf: '19", 50 + k % 50, "' }"));
  }

  static std::string Ids(const Received& received) {
    return absl::StrJoin(received.Texts("name"), " ");
  }

  std::unique_ptr<engine::Engine> engine_ = testing::OpenEngine();
  HandlerTable table_{*engine_};
};

TEST_F(ReadRowsTest, TheSchemaSaysWhatIsRead) {
  Fill(1);
  auto session = Create("collection: 'persons' filter: 'display_name = \"Test*\"'");
  ASSERT_OK(session);
  EXPECT_EQ(session->revision(), 1);
  EXPECT_EQ(session->row_count(), 1);
  EXPECT_NEAR(session->expire_time().seconds(), absl::ToUnixSeconds(absl::Now()) + 72 * 3600, 60);
  arrow::io::BufferReader input(arrow::Buffer::FromString(session->arrow_schema()));
  arrow::ipc::DictionaryMemo memo;
  auto schema = arrow::ipc::ReadSchema(&input, &memo);
  ASSERT_TRUE(schema.ok()) << schema.status().ToString();
  EXPECT_EQ((*schema)->num_fields(), v1::Person::descriptor()->field_count());
  auto metadata = (*schema)->metadata();
  EXPECT_EQ(*metadata->Get("detente.collection"), "persons");
  EXPECT_EQ(*metadata->Get("detente.revision"), "1");
  EXPECT_EQ(*metadata->Get("detente.filter"), "display_name = \"Test*\"");
  // The stream's own is the same.
  auto received = Read(session->streams(0).name());
  ASSERT_OK(received);
  EXPECT_TRUE(received->batches[0]->schema()->Equals(**schema, /*check_metadata=*/true));
}

TEST_F(ReadRowsTest, ColumnsAreNamedByTheirPathsInOrder) {
  Fill(3);
  auto names = [](const Received& received) {
    return received.batches[0]->schema()->field_names();
  };
  EXPECT_THAT(
      names(ReadAll("collection: 'persons' columns: 'birth_date.earliest' columns: 'name'")),
      ElementsAre("birth_date.earliest", "name"));
  EXPECT_THAT(
      names(ReadAll("collection: 'persons' columns: 'birth_date' columns: 'names' flat: true")),
      ElementsAre("birth_date.edtf", "birth_date.state", "birth_date.earliest", "birth_date.latest",
                  "birth_date.precision", "birth_date.approximate", "birth_date.uncertain",
                  "names"));
  const Received received = ReadAll("collection: 'persons' columns: 'birth_date.edtf'");
  EXPECT_THAT(received.Texts("birth_date.edtf"), ElementsAre("1950", "1951", "1952"));
}

TEST_F(ReadRowsTest, AnyOffsetGivesTheRest) {
  Fill(25, 7);
  for (const char* compression : {"NONE", "LZ4", "ZSTD"}) {
    auto session = Create(absl::StrCat("collection: 'persons' compression: ", compression));
    ASSERT_OK(session);
    const std::string stream = session->streams(0).name();
    auto all = Read(stream);
    ASSERT_OK(all);
    const std::vector<std::string> names = all->Texts("name");
    EXPECT_THAT(names, SizeIs(25));
    for (int offset = 0; offset <= 25; ++offset) {
      auto rest = Read(stream, offset);
      ASSERT_OK(rest);
      EXPECT_EQ(rest->Texts("name"), std::vector<std::string>(names.begin() + offset, names.end()));
    }
    EXPECT_FAILS(Read(stream, 26), kInvalidArgument, INVALID_FIELD);
    EXPECT_FAILS(Read(stream, -1), kInvalidArgument, INVALID_FIELD);
  }
}

TEST_F(ReadRowsTest, StreamsHaveEachRowOnce) {
  Fill(1'000, 10);
  std::vector<std::string> expected = ReadAll("collection: 'persons'").Texts("name");
  for (const int streams : {2, 5, 64, 1'000}) {
    auto session = Create(absl::StrCat("collection: 'persons' max_stream_count: ", streams));
    ASSERT_OK(session);
    EXPECT_EQ(session->streams_size(), std::min(streams, 64));
    std::vector<std::string> names;
    for (const auto& stream : session->streams()) {
      auto received = Read(stream.name());
      ASSERT_OK(received);
      if (streams == 5) {
        EXPECT_NEAR(static_cast<double>(received->rows), 200, 60);
      }
      for (std::string& name : received->Texts("name")) names.push_back(std::move(name));
    }
    EXPECT_EQ(names, expected) << streams;
  }
}

TEST_F(ReadRowsTest, ASessionSeesItsRevisionAlone) {
  Fill(30);
  auto session = Create("collection: 'persons' columns: 'name' columns: 'note'");
  ASSERT_OK(session);
  const std::string before = Ids(*Read(session->streams(0).name()));
  v1::Person changed = PersonOf(1);
  changed.set_note("changed");
  ASSERT_OK(testing::WriteOf(*engine_, testing::Update(changed, "p1", {"note"}),
                             testing::Delete("persons/p2")));
  Fill(5, 5, 30);
  auto again = Read(session->streams(0).name());
  ASSERT_OK(again);
  EXPECT_EQ(Ids(*again), before);
  EXPECT_THAT(again->Texts("note"), ::testing::Each(""));
  // The newest one has all that.
  const Received newest = ReadAll("collection: 'persons' columns: 'name' columns: 'note'");
  EXPECT_EQ(newest.rows, 34);
  EXPECT_THAT(newest.Texts("note"), ::testing::Contains("changed").Times(1));
  EXPECT_EQ(ReadAll("collection: 'persons' show_deleted: true").rows, 35);
  ASSERT_OK(testing::WriteOf(*engine_, testing::Undelete("persons/p2")));
  EXPECT_EQ(ReadAll("collection: 'persons' columns: 'name' columns: 'note'").rows, 35);
  EXPECT_EQ(ReadAll("collection: 'persons' at { revision: 1 }").rows, 30);
}

TEST_F(ReadRowsTest, WritersDoNotDisturb) {
  Fill(2'000, 500);
  auto session = Create("collection: 'persons' max_stream_count: 3");
  ASSERT_OK(session);
  auto read = [&](std::string* out) {
    out->clear();
    for (const auto& stream : session->streams()) {
      auto received = Read(stream.name());
      ASSERT_OK(received);
      absl::StrAppend(out, absl::StrJoin(received->Texts("name"), " "),
                      absl::StrJoin(received->Texts("note"), " "), ";");
    }
  };
  std::string expected;
  read(&expected);
  std::atomic<bool> over{false};
  std::thread writer([&] {
    for (int i = 0; !over; ++i) {
      v1::Person person = PersonOf(i % 2'000);
      person.set_note(absl::StrCat("change ", i));
      ASSERT_OK(testing::WriteOf(*engine_,
                                 testing::Update(person, absl::StrCat("p", i % 2'000), {"note"})));
    }
  });
  std::vector<std::thread> readers;
  for (int r = 0; r < 3; ++r) {
    readers.emplace_back([&] {
      for (int i = 0; i < 15; ++i) {
        std::string got;
        read(&got);
        EXPECT_TRUE(got == expected);
        // Catches up meanwhile.
        EXPECT_EQ(ReadAll("collection: 'persons'").rows, 2'000);
      }
    });
  }
  for (std::thread& reader : readers) reader.join();
  over = true;
  writer.join();
}

TEST_F(ReadRowsTest, ErasedRowsAreGone) {
  Fill(20);
  auto session = Create("collection: 'persons'");
  ASSERT_OK(session);
  const std::string stream = session->streams(0).name();
  EXPECT_THAT(Ids(*Read(stream)), HasSubstr("persons/p7 "));
  engine::EraseRequest erase;
  erase.records = {{&testing::ResourceOf(v1::Person()), "p7"}};
  erase.method = "test";
  erase.reason = "asked for";
  ASSERT_OK(engine_->Erase(erase));
  // From the start everything is as it is now; to go on from the middle would miss or double rows.
  auto again = Read(stream);
  ASSERT_OK(again);
  EXPECT_EQ(again->rows, 19);
  EXPECT_THAT(Ids(*again), ::testing::Not(HasSubstr("persons/p7 ")));
  EXPECT_FAILS(Read(stream, 3), kAborted, ERASED);
  EXPECT_EQ(ReadAll("collection: 'persons'").rows, 19);
  const Received all = ReadAll("collection: 'persons' show_deleted: true");
  EXPECT_EQ(all.rows, 20);
  EXPECT_THAT(Ids(all), HasSubstr("persons/erased-"));
  EXPECT_THAT(all.Texts("display_name"), ::testing::Contains("").Times(1));
}

TEST_F(ReadRowsTest, AnErasureEndsAReadInItsMiddle) {
  for (int k = 0; k < 60; ++k) {
    v1::Person person = PersonOf(k);
    person.set_note(std::string(60'000, 'x'));
    ASSERT_OK(testing::WriteOf(*engine_, testing::Create(person, absl::StrCat("p", k))));
  }
  auto session = Create("collection: 'persons'");
  ASSERT_OK(session);
  v1::ReadRowsRequest request;
  request.set_stream(session->streams(0).name());
  auto open =
      table_.Open(*table_.Find("/detente.v1.RowService/ReadRows"), request.SerializeAsString(), {});
  ASSERT_OK(open);
  auto first = (*open)->Next();
  ASSERT_OK(first);
  ASSERT_TRUE(first->has_value());
  engine::EraseRequest erase;
  erase.records = {{&testing::ResourceOf(v1::Person()), "p59"}};
  erase.method = "test";
  ASSERT_OK(engine_->Erase(erase));
  EXPECT_FAILS((*open)->Next(), kAborted, ERASED);
}

TEST_F(ReadRowsTest, MessagesHaveAboutAMebibyte) {
  for (int k = 0; k < 80; ++k) {
    v1::Person person = PersonOf(k);
    person.set_note(std::string(static_cast<size_t>(k % 7) * 10'000, 'x'));
    ASSERT_OK(testing::WriteOf(*engine_, testing::Create(person, absl::StrCat("p", k))));
  }
  const Received received = ReadAll("collection: 'persons'");
  EXPECT_EQ(received.rows, 80);
  EXPECT_GE(received.batches.size(), 2);
  EXPECT_LE(received.batches.size(), 8);
}

TEST_F(ReadRowsTest, RowLimit) {
  Fill(50, 10);
  auto session = Create("collection: 'persons' row_limit: 17");
  ASSERT_OK(session);
  EXPECT_EQ(session->row_count(), 17);
  auto all = Read(session->streams(0).name());
  ASSERT_OK(all);
  EXPECT_EQ(all->rows, 17);
  auto rest = Read(session->streams(0).name(), 15);
  ASSERT_OK(rest);
  EXPECT_EQ(rest->rows, 2);
  EXPECT_EQ(Read(session->streams(0).name(), 17)->rows, 0);
  EXPECT_FAILS(Read(session->streams(0).name(), 18), kInvalidArgument, INVALID_FIELD);
}

TEST_F(ReadRowsTest, RowsAreCountedWhereThatIsAskedFor) {
  Fill(3);
  auto session = Ask<v1::CreateReadSessionRequest, Session>(
      table_, "RowService/CreateReadSession", "collection: 'persons' filter: 'note = \"x\"'");
  ASSERT_OK(session);
  EXPECT_FALSE(session->has_row_count());
  ASSERT_EQ(session->streams_size(), 1);
  EXPECT_EQ(Read(session->streams(0).name())->rows, 0);
}

TEST_F(ReadRowsTest, NoRows) {
  auto empty = Create("collection: 'persons'");
  ASSERT_OK(empty);
  EXPECT_EQ(empty->revision(), 0);
  EXPECT_EQ(empty->row_count(), 0);
  EXPECT_THAT(empty->streams(), IsEmpty());
  EXPECT_FALSE(empty->arrow_schema().empty());
  Fill(3);
  EXPECT_THAT(Create("collection: 'persons' filter: 'display_name = \"Nobody\"'")->streams(),
              IsEmpty());
  // Where only reading can tell.
  auto unknown = Create("collection: 'persons' filter: 'names.full = \"Nobody\"'");
  if (unknown.ok() && !unknown->has_row_count()) {
    EXPECT_EQ(Read(unknown->streams(0).name())->rows, 0);
  }
}

TEST_F(ReadRowsTest, WhatIsWrongIsSaid) {
  Fill(1);
  EXPECT_THAT(
      testing::Violations(Create("collection: 'persons' columns: 'display_nam' columns: 'name' "
                                 "columns: 'name' columns: 'names.full' columns: 'uid.x' "
                                 "columns: 'birth_date.earlier' columns: '' row_limit: -1 "
                                 "max_stream_count: -1 compression: 9 filter: 'nam = 1'")
                              .status()),
      ::testing::IsSupersetOf(
          {"columns[0]: Person has no field `display_nam`; did you mean `display_name`?",
           "columns[2]: `name` is a column already",
           "columns[3]: `names` is repeated: a column is the whole of it, `names`",
           "columns[4]: `uid` has no fields",
           "columns[5]: UncertainDate has no field `earlier`; did you mean `earliest`?"}));
  EXPECT_THAT(testing::ViolatedFields(Create("collection: 'person'").status()),
              ElementsAre("collection"));
  EXPECT_FAILS(Create("collection: 'persons' row_limit: 5 max_stream_count: 2"), kInvalidArgument,
               INVALID_FIELD);
  EXPECT_FAILS(Create("collection: 'persons' columns: 'birth_date.edtf' columns: 'birth_date' "
                      "flat: true"),
               kInvalidArgument, INVALID_FIELD);
  std::string many = "collection: 'persons'";
  for (int i = 0; i < 1'001; ++i) absl::StrAppend(&many, " columns: 'name'");
  EXPECT_FAILS(Create(many), kInvalidArgument, LIMIT_EXCEEDED);
  EXPECT_FAILS(Create("collection: 'persons' at { revision: 9 }"), kInvalidArgument,
               REVISION_OUT_OF_RANGE);
}

TEST_F(ReadRowsTest, StreamsAreTheStoresOwn) {
  Fill(1);
  const std::string stream = Create("collection: 'persons'")->streams(0).name();
  EXPECT_FAILS(Read(""), kInvalidArgument, INVALID_FIELD);
  EXPECT_FAILS(Read("nonsense"), kInvalidArgument, INVALID_PAGE_TOKEN);
  for (size_t i = 0; i < stream.size(); i += 3) {
    std::string forged = stream;
    forged[i] = forged[i] == 'A' ? 'B' : 'A';
    EXPECT_FAILS(Read(forged), kInvalidArgument, INVALID_PAGE_TOKEN);
  }
  const std::string& key = engine_->page_token_key();
  EXPECT_FAILS(
      Read(query::SealPageToken({{1}, "p0"}, query::HashArguments("a", "b"), key, absl::Now())),
      kInvalidArgument, INVALID_PAGE_TOKEN);
  auto content =
      query::Unseal(query::Sealed::kRowStream, stream, key, absl::Now(), "stream", "again");
  ASSERT_OK(content);
  EXPECT_FAILS(
      Read(query::Seal(query::Sealed::kRowStream, *content, key, absl::Now() - absl::Hours(73))),
      kInvalidArgument, PAGE_TOKEN_EXPIRED);
  auto other = testing::OpenEngine();
  HandlerTable elsewhere(*other);
  v1::ReadRowsRequest request;
  request.set_stream(stream);
  EXPECT_FAILS(elsewhere.Open(*elsewhere.Find("/detente.v1.RowService/ReadRows"),
                              request.SerializeAsString(), {}),
               kInvalidArgument, INVALID_PAGE_TOKEN);
}

TEST_F(ReadRowsTest, ACallThatIsOverReadsNoFurther) {
  Fill(2'000, 1'000);
  auto session = Create("collection: 'persons'");
  ASSERT_OK(session);
  std::atomic<int> asked{0};
  CallContext context;
  context.cancelled = [&] { return ++asked > 3; };
  EXPECT_FAILS(Read(session->streams(0).name(), 0, context), kCancelled, CALL_CANCELLED);
  // Others are none the worse for it.
  EXPECT_EQ(Read(session->streams(0).name())->rows, 2'000);
  context.cancelled = nullptr;
  context.deadline = absl::Now() - absl::Seconds(1);
  EXPECT_FAILS(Read(session->streams(0).name(), 0, context), kDeadlineExceeded, DEADLINE_PASSED);
}

}  // namespace
}  // namespace detente::api
