// The table as the wire and the embedded mode call it: bytes in, bytes or a failure out.
#include "api/handler_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "api/method.h"
#include "detente/v1/person_service.pb.h"
#include "detente/v1/query_service.pb.h"
#include "detente/v1/record_service.pb.h"
#include "detente/v1/release_service.pb.h"
#include "google/protobuf/stubs/logging.h"
#include "server/engine/testing.h"

namespace detente::api {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

constexpr char kPersons[] = "/detente.v1.PersonService/";

class HandlerTableTest : public ::testing::Test {
 protected:
  // Requests that can't be parsed are answered, not logged.
  static void SetUpTestSuite() { google::protobuf::SetLogHandler(nullptr); }

  absl::StatusOr<Bytes> CallBytes(absl::string_view path, absl::string_view request,
                                  CallContext context = {}) {
    const Method* method = table_.Find(path);
    if (method == nullptr) return absl::NotFoundError(path);
    std::promise<absl::StatusOr<Bytes>> answer;
    auto answered = answer.get_future();
    int calls = 0;
    table_.Call(*method, request, context, [&](absl::StatusOr<Bytes> result) {
      ++calls;
      answer.set_value(std::move(result));
    });
    auto result = answered.get();
    EXPECT_EQ(calls, 1);
    return result;
  }

  template <typename Response, typename Request>
  absl::StatusOr<Response> Call(const std::string& path, const Request& request,
                                CallContext context = {}) {
    auto bytes = CallBytes(path, request.SerializeAsString(), std::move(context));
    if (!bytes.ok()) return bytes.status();
    Response response;
    EXPECT_TRUE(response.ParseFromString(**bytes));
    return response;
  }

  absl::Status Create(const std::string& id, size_t size = 1) {
    v1::CreatePersonRequest request;
    request.set_person_id(id);
    request.mutable_person();
    while (size > 0) {
      const size_t part = std::min<size_t>(size, 60'000);
      request.mutable_person()->add_occupations(std::string(part, 'x'));
      size -= part;
    }
    return Call<v1::Person>(absl::StrCat(kPersons, "CreatePerson"), request).status();
  }

  std::string GetRequest(const std::string& name) {
    v1::GetPersonRequest request;
    request.set_name(name);
    return request.SerializeAsString();
  }

  std::unique_ptr<engine::Engine> engine_ = testing::OpenEngine();
  HandlerTable table_{*engine_};
};

using Shape = HandlerTable::Shape;

TEST_F(HandlerTableTest, HasEveryMethodOfTheContract) {
  EXPECT_THAT(table_.Paths(), SizeIs(12 * 9 + 5 + 3 + 5 + 5 + 3));
  for (const std::string& path : table_.Paths()) {
    const Method& method = *table_.Find(path);
    const Shape shape = HandlerTable::ShapeOf(method);
    EXPECT_EQ(method.handle != nullptr, shape == Shape::kCall) << path;
    EXPECT_EQ(method.open != nullptr, shape == Shape::kStream) << path;
    EXPECT_EQ(method.exchange != nullptr, shape == Shape::kExchange) << path;
  }
  EXPECT_EQ(table_.Find("/detente.v1.PersonService/Nothing"), nullptr);
  EXPECT_EQ(table_.Find(""), nullptr);
}

// --- garbage ------------------------------------------------------------------------------------

TEST_F(HandlerTableTest, GarbageIsAnsweredAndChangesNothing) {
  ASSERT_OK(Create("a"));
  std::mt19937_64 random(11);
  const std::string valid = GetRequest("persons/a");
  const std::set<absl::StatusCode> expected = {
      absl::StatusCode::kOk, absl::StatusCode::kInvalidArgument, absl::StatusCode::kNotFound,
      absl::StatusCode::kUnimplemented};
  for (const std::string& path : table_.Paths()) {
    bool writes = false;
    for (const char* verb :
         {"Create", "Update", "Delete", "Undelete", "Rollback", "BatchWrite", "Erase"}) {
      writes |= absl::StrContains(path, absl::StrCat("/", verb));
    }
    for (int i = 0; i < 60; ++i) {
      std::string bytes;
      if (i % 3 == 0) {
        for (uint64_t n = random() % 40; n > 0; --n) bytes.push_back(static_cast<char>(random()));
      } else if (i % 3 == 1) {  // cut off, or one byte changed
        bytes = valid.substr(0, random() % valid.size());
        if (!bytes.empty()) bytes[random() % bytes.size()] = static_cast<char>(random());
      } else {  // fields that parse, with random contents
        for (int f = 0; f < 4; ++f) {
          bytes.push_back(static_cast<char>((1 + random() % 8) << 3 | 2));
          bytes.push_back(2);
          bytes.append(
              {static_cast<char>(8 * (1 + random() % 15)), static_cast<char>(random() % 128)});
        }
      }
      const Method* method = table_.Find(path);
      auto cached = table_.Cached(*method, bytes);
      EXPECT_FALSE(cached.has_value());
      const Shape shape = HandlerTable::ShapeOf(*method);
      const absl::Status status =
          shape == Shape::kExchange ? table_.OpenExchange(*method, bytes, {}).status()
          : shape == Shape::kStream ? table_.Open(*method, bytes, {}).status()
                                    : CallBytes(path, bytes).status();
      EXPECT_TRUE(expected.contains(status.code())) << path << status;
      if (!status.ok()) {
        EXPECT_NE(ReasonOf(status), v1::ERROR_REASON_UNSPECIFIED) << path;
      }
      EXPECT_FALSE(writes && status.ok()) << path;
    }
  }
  EXPECT_EQ(engine_->View(std::nullopt)->revision, 1);
}

TEST_F(HandlerTableTest, WhatCannotBeParsed) {
  const std::string get = absl::StrCat(kPersons, "GetPerson");
  EXPECT_FAILS(CallBytes(get, "\x0a\x7f"), kInvalidArgument, MALFORMED_REQUEST);
  EXPECT_FAILS(CallBytes(get, "\x0a\x02\xff\xfe"), kInvalidArgument, MALFORMED_REQUEST);
  std::string deep;
  for (int i = 0; i < 10'000; ++i) deep.push_back('\x0b');  // groups that open and never end
  EXPECT_FAILS(CallBytes(get, deep), kInvalidArgument, MALFORMED_REQUEST);
  EXPECT_FAILS(CallBytes(get, ""), kInvalidArgument, INVALID_FIELD);
}

TEST_F(HandlerTableTest, RequestSize) {
  const std::string get = absl::StrCat(kPersons, "GetPerson");
  EXPECT_FAILS(CallBytes(get, std::string(kMaxRequestBytes + 1, 'x')), kInvalidArgument,
               LIMIT_EXCEEDED);
  EXPECT_FAILS(CallBytes(get, std::string(kMaxRequestBytes, 'x')), kInvalidArgument, INVALID_FIELD);
  EXPECT_FAILS(Create("large", (1 << 20) + 1), kInvalidArgument, LIMIT_EXCEEDED);
  EXPECT_TRUE(Create("just", (1 << 20) - 500).ok());
}

TEST_F(HandlerTableTest, ReadsOfNames) {
  for (const char* bad : {"", "persons", "persons/", "persons/A", "releases/a", "persons/a/b",
                          "persons/-", "/persons/a", "persons/a@1"}) {
    EXPECT_FAILS(CallBytes(absl::StrCat(kPersons, "GetPerson"), GetRequest(bad)), kInvalidArgument,
                 INVALID_FIELD);
  }
  EXPECT_FAILS(CallBytes(absl::StrCat(kPersons, "GetPerson"), GetRequest("persons/none")),
               kNotFound, RECORD_NOT_FOUND);
}

// --- the head cache -----------------------------------------------------------------------------

TEST_F(HandlerTableTest, CachedIsForPlainGetsOnly) {
  ASSERT_OK(Create("a"));
  const Method& get = *table_.Find(absl::StrCat(kPersons, "GetPerson"));
  auto cached = table_.Cached(get, GetRequest("persons/a"));
  ASSERT_TRUE(cached.has_value());
  EXPECT_EQ(**cached, **CallBytes(absl::StrCat(kPersons, "GetPerson"), GetRequest("persons/a")));

  v1::GetPersonRequest request;
  request.set_name("persons/a");
  request.mutable_at()->set_revision(1);
  EXPECT_FALSE(table_.Cached(get, request.SerializeAsString()).has_value());
  request.clear_at();
  request.mutable_read_mask()->add_paths("name");
  EXPECT_FALSE(table_.Cached(get, request.SerializeAsString()).has_value());
  request.clear_read_mask();
  EXPECT_TRUE(table_.Cached(get, request.SerializeAsString()).has_value());

  const std::string plain = GetRequest("persons/a");
  EXPECT_FALSE(table_.Cached(get, "").has_value());
  EXPECT_FALSE(table_.Cached(get, plain + plain).has_value());
  EXPECT_FALSE(table_.Cached(get, plain.substr(0, plain.size() - 1)).has_value());
  EXPECT_FALSE(table_.Cached(get, GetRequest("persons/b")).has_value());
  EXPECT_FALSE(table_.Cached(get, GetRequest("releases/a")).has_value());
  EXPECT_FALSE(table_.Cached(get, GetRequest("persons")).has_value());
  EXPECT_FALSE(table_.Cached(get, GetRequest("personsx/a")).has_value());
  // Another service's Get, and other methods whose field 1 is the name, too.
  for (const std::string& path : table_.Paths()) {
    if (path == absl::StrCat(kPersons, "GetPerson")) continue;
    EXPECT_FALSE(table_.Cached(*table_.Find(path), plain).has_value()) << path;
  }
}

TEST_F(HandlerTableTest, CachedFollowsWritesAndDeletions) {
  ASSERT_OK(Create("a"));
  const Method& get = *table_.Find(absl::StrCat(kPersons, "GetPerson"));
  v1::DeletePersonRequest gone;
  gone.set_name("persons/a");
  auto deleted = Call<v1::Person>(absl::StrCat(kPersons, "DeletePerson"), gone);
  ASSERT_OK(deleted);
  v1::Person person;
  ASSERT_TRUE(person.ParseFromString(**table_.Cached(get, GetRequest("persons/a"))));
  EXPECT_EQ(person.SerializeAsString(), deleted->SerializeAsString());
  EXPECT_TRUE(person.has_delete_time());
}

// --- lists --------------------------------------------------------------------------------------

TEST_F(HandlerTableTest, PagesNeitherRepeatNorMissWhileOthersWrite) {
  for (int i = 0; i < 40; ++i) ASSERT_OK(Create(absl::StrCat("p", 10 + i)));
  v1::ListPersonsRequest request;
  std::vector<std::string> names;
  for (int page = 0; page < 100; ++page) {
    request.set_page_size(1 + page % 7);  // may change
    auto response = Call<v1::ListPersonsResponse>(absl::StrCat(kPersons, "ListPersons"), request);
    ASSERT_OK(response);
    EXPECT_EQ(response->revision(), 40);
    for (const auto& person : response->persons()) names.push_back(person.name());
    if (response->next_page_token().empty()) break;
    request.set_page_token(response->next_page_token());
    // Before, behind and at the place where the next page starts.
    ASSERT_OK(Create(absl::StrCat("p", 10 + page, "x")));
    v1::DeletePersonRequest gone;
    gone.set_name(absl::StrCat("persons/p", 10 + page));
    ASSERT_OK(Call<v1::Person>(absl::StrCat(kPersons, "DeletePerson"), gone));
    gone.set_name(absl::StrCat("persons/p", 49 - page));
    (void)CallBytes(absl::StrCat(kPersons, "DeletePerson"), gone.SerializeAsString());
  }
  ASSERT_THAT(names, SizeIs(40));
  for (int i = 0; i < 40; ++i)
    EXPECT_EQ(names[static_cast<size_t>(i)], absl::StrCat("persons/p", 10 + i));
}

TEST_F(HandlerTableTest, TokensBelongToTheirArguments) {
  for (int i = 0; i < 3; ++i) ASSERT_OK(Create(absl::StrCat("p", i)));
  const std::string list = absl::StrCat(kPersons, "ListPersons");
  v1::ListPersonsRequest request;
  request.set_page_size(1);
  auto first = Call<v1::ListPersonsResponse>(list, request);
  ASSERT_OK(first);
  request.set_page_token(first->next_page_token());
  for (auto change : {+[](v1::ListPersonsRequest* r) { r->set_show_deleted(true); },
                      +[](v1::ListPersonsRequest* r) { r->mutable_read_mask()->add_paths("name"); },
                      +[](v1::ListPersonsRequest* r) { r->mutable_at()->set_revision(2); }}) {
    auto changed = request;
    change(&changed);
    EXPECT_FAILS(Call<v1::ListPersonsResponse>(list, changed), kInvalidArgument,
                 INVALID_PAGE_TOKEN);
  }
  EXPECT_FAILS(CallBytes("/detente.v1.ReleaseService/ListReleases", request.SerializeAsString()),
               kInvalidArgument, INVALID_PAGE_TOKEN);
  // Of another store.
  auto other = testing::OpenEngine();
  HandlerTable table(*other);
  table.Call(*table.Find(list), request.SerializeAsString(), {}, [](absl::StatusOr<Bytes> result) {
    EXPECT_FAILS(result, kInvalidArgument, INVALID_PAGE_TOKEN);
  });
  request.set_page_size(1'000'000);  // more than is given
  auto rest = Call<v1::ListPersonsResponse>(list, request);
  ASSERT_OK(rest);
  EXPECT_THAT(rest->persons(), SizeIs(2));
  EXPECT_EQ(rest->next_page_token(), "");
  request.set_page_size(-1);
  EXPECT_FAILS(Call<v1::ListPersonsResponse>(list, request), kInvalidArgument, INVALID_FIELD);
}

TEST_F(HandlerTableTest, APageEndsAtTwoMebibytes) {
  for (int i = 0; i < 7; ++i) ASSERT_OK(Create(absl::StrCat("p", i), 700'000));
  v1::ListPersonsRequest request;
  std::vector<int> sizes;
  do {
    auto bytes = CallBytes(absl::StrCat(kPersons, "ListPersons"), request.SerializeAsString());
    ASSERT_OK(bytes);
    EXPECT_LE((*bytes)->size(), kMaxPageBytes + 300);  // and its token
    v1::ListPersonsResponse response;
    ASSERT_TRUE(response.ParseFromString(**bytes));
    sizes.push_back(response.persons_size());
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_THAT(sizes, ElementsAre(2, 2, 2, 1));
}

TEST_F(HandlerTableTest, RevisionsInPages) {
  ASSERT_OK(Create("a"));
  for (int i = 0; i < 9; ++i) {
    v1::UpdatePersonRequest update;
    update.mutable_person()->set_name("persons/a");
    update.mutable_person()->set_note(absl::StrCat(i));
    ASSERT_OK(Call<v1::Person>(absl::StrCat(kPersons, "UpdatePerson"), update));
  }
  v1::ListPersonRevisionsRequest request;
  request.set_name("persons/a");
  request.set_page_size(4);
  std::vector<int64_t> revisions;
  do {
    auto response = Call<v1::ListPersonRevisionsResponse>(
        absl::StrCat(kPersons, "ListPersonRevisions"), request);
    ASSERT_OK(response);
    for (const auto& person : response->persons()) revisions.push_back(person.revision());
    request.set_page_token(response->next_page_token());
    ASSERT_OK(Create(""));  // others write
  } while (!request.page_token().empty());
  EXPECT_THAT(revisions, ElementsAre(10, 9, 8, 7, 6, 5, 4, 3, 2, 1));
  request.set_name("persons/none");
  EXPECT_FAILS(
      Call<v1::ListPersonRevisionsResponse>(absl::StrCat(kPersons, "ListPersonRevisions"), request),
      kNotFound, RECORD_NOT_FOUND);
}

TEST_F(HandlerTableTest, BatchGetLimits) {
  for (int i = 0; i < 5; ++i) ASSERT_OK(Create(absl::StrCat("p", i), 700'000));
  const std::string batch_get = absl::StrCat(kPersons, "BatchGetPersons");
  v1::BatchGetPersonsRequest request;
  EXPECT_FAILS(Call<v1::BatchGetPersonsResponse>(batch_get, request), kInvalidArgument,
               INVALID_FIELD);
  for (int i = 0; i < 4; ++i) request.add_names(absl::StrCat("persons/p", 3 - i));
  auto four = Call<v1::BatchGetPersonsResponse>(batch_get, request);
  ASSERT_OK(four);
  EXPECT_EQ(four->persons(0).name(), "persons/p3");
  EXPECT_EQ(four->persons(3).name(), "persons/p0");
  request.add_names("persons/p4");
  auto five = Call<v1::BatchGetPersonsResponse>(batch_get, request);
  EXPECT_FAILS(five, kInvalidArgument, LIMIT_EXCEEDED);
  EXPECT_THAT(std::string(five.status().message()), ::testing::HasSubstr("3145728"));
  request.mutable_read_mask()->add_paths("name");
  EXPECT_THAT(Call<v1::BatchGetPersonsResponse>(batch_get, request)->persons(), SizeIs(5));
  request.add_names("persons/none");
  EXPECT_FAILS(Call<v1::BatchGetPersonsResponse>(batch_get, request), kNotFound, RECORD_NOT_FOUND);
  while (request.names_size() < kMaxBatchGetNames) request.add_names("persons/p0");
  request.set_names(5, "persons/p0");
  EXPECT_TRUE(Call<v1::BatchGetPersonsResponse>(batch_get, request).ok());
  request.add_names("persons/p0");
  EXPECT_FAILS(Call<v1::BatchGetPersonsResponse>(batch_get, request), kInvalidArgument,
               LIMIT_EXCEEDED);
}

// Many patterns over long texts take their time; other calls are served meanwhile.
TEST_F(HandlerTableTest, AFilterThatRunsAwayIsStoppedAtItsDeadline) {
  for (int i = 0; i < 40; ++i) {
    v1::CreatePersonRequest request;
    request.set_person_id(absl::StrCat("p", i));
    request.mutable_person()->set_note(std::string(60'000, 'a'));
    ASSERT_OK(Call<v1::Person>(absl::StrCat(kPersons, "CreatePerson"), request));
  }
  v1::ListPersonsRequest list;
  std::string filter;
  for (int i = 100; i < 300; ++i) {
    absl::StrAppend(&filter, filter.empty() ? "" : " OR ", "note=\"*", std::string(10, 'a'), i,
                    "*\"");
  }
  list.set_filter(filter);
  list.set_return_total_size(true);
  const absl::Time start = absl::Now();
  CallContext context;
  context.deadline = start + absl::Milliseconds(50);
  const std::string path = absl::StrCat(kPersons, "ListPersons");
  auto other = std::async(std::launch::async, [&] {
    v1::ListPersonsRequest plain;
    plain.set_filter("note != \"\"");
    plain.set_page_size(1);
    return Call<v1::ListPersonsResponse>(path, plain).status();
  });
  EXPECT_FAILS(Call<v1::ListPersonsResponse>(path, list, context), kDeadlineExceeded,
               DEADLINE_PASSED);
  EXPECT_LT(absl::Now() - start, absl::Seconds(2));
  ASSERT_OK(other.get());
  bool cancelled = false;
  context.deadline = absl::InfiniteFuture();
  context.cancelled = [&] { return std::exchange(cancelled, true); };  // not at once
  EXPECT_FAILS(Call<v1::ListPersonsResponse>(path, list, context), kCancelled, CALL_CANCELLED);
}

// A look at one record may take long too: here it has 90,000 combinations.
TEST_F(HandlerTableTest, RecordsThatTakeLongAreStoppedAtTheDeadline) {
  ASSERT_OK(Create("p"));
  v1::CreateReleaseRequest request;
  for (int i = 0; i < 300; ++i) {
    auto* participant = request.mutable_release()->add_participants();
    participant->set_id(absl::StrCat("a", i));
    participant->set_person("persons/p");
    request.mutable_release()->add_transfers()->set_id(absl::StrCat("t", i));
  }
  constexpr int kRecords = 20;
  for (int i = 0; i < kRecords; ++i) {
    request.set_release_id(absl::StrCat("r", i));
    ASSERT_OK(Call<v1::Release>("/detente.v1.ReleaseService/CreateRelease", request));
  }
  v1::AggregateRecordsRequest groups;
  groups.set_collection("releases");
  groups.add_group_paths("participants.id");
  groups.add_group_paths("transfers.id");
  int asked = 0;
  CallContext context;
  context.cancelled = [&] { return ++asked > 5; };
  EXPECT_FAILS(Call<v1::AggregateRecordsResponse>("/detente.v1.QueryService/AggregateRecords",
                                                  groups, context),
               kCancelled, CALL_CANCELLED);
  EXPECT_EQ(asked, 6);
}

// --- writes -------------------------------------------------------------------------------------

TEST_F(HandlerTableTest, BatchWriteLimits) {
  const std::string path = "/detente.v1.RecordService/BatchWrite";
  v1::BatchWriteRequest request;
  EXPECT_FAILS(Call<v1::BatchWriteResponse>(path, request), kInvalidArgument, INVALID_FIELD);
  for (size_t i = 0; i < engine::kMaxOperations; ++i) {
    request.add_operations()->mutable_create()->mutable_record()->PackFrom(v1::Person());
  }
  auto full = Call<v1::BatchWriteResponse>(path, request);
  ASSERT_OK(full);
  EXPECT_EQ(full->results_size(), 1'000);
  EXPECT_EQ(full->revision(), 1);
  request.add_operations()->mutable_create()->mutable_record()->PackFrom(v1::Person());
  EXPECT_FAILS(Call<v1::BatchWriteResponse>(path, request), kInvalidArgument, LIMIT_EXCEEDED);
  EXPECT_EQ(engine_->View(std::nullopt)->revision, 1);
}

TEST_F(HandlerTableTest, BatchWriteRefusesWhatIsNoRecord) {
  const std::string path = "/detente.v1.RecordService/BatchWrite";
  v1::BatchWriteRequest request;
  request.add_operations();
  EXPECT_THAT(testing::ViolatedFields(Call<v1::BatchWriteResponse>(path, request).status()),
              ElementsAre("operations[0]"));
  auto* any = request.mutable_operations(0)->mutable_create()->mutable_record();
  any->set_type_url("type.googleapis.com/detente.v1.Nothing");
  EXPECT_FAILS(Call<v1::BatchWriteResponse>(path, request), kInvalidArgument, INVALID_FIELD);
  any->set_type_url("type.googleapis.com/detente.v1.Estimate");
  EXPECT_FAILS(Call<v1::BatchWriteResponse>(path, request), kInvalidArgument, INVALID_FIELD);
  any->set_type_url("type.googleapis.com/detente.v1.Person");
  any->set_value("\xff\xff");
  EXPECT_FAILS(Call<v1::BatchWriteResponse>(path, request), kInvalidArgument, MALFORMED_REQUEST);
  request.mutable_operations(0)->mutable_soft_delete()->set_name("nonsense");
  EXPECT_THAT(testing::ViolatedFields(Call<v1::BatchWriteResponse>(path, request).status()),
              ElementsAre("operations[0].soft_delete.name"));
}

TEST_F(HandlerTableTest, UnknownFieldsOfWritesAreRefused) {
  const std::string create = absl::StrCat(kPersons, "CreatePerson");
  v1::CreatePersonRequest request;
  request.mutable_person();
  const std::string unknown = "\xfa\xff\x3f\x01x";  // field 131,071 holds "x"
  EXPECT_FAILS(CallBytes(create, request.SerializeAsString() + unknown), kInvalidArgument,
               UNKNOWN_FIELD);
  request.mutable_person()->ParseFromString(unknown);
  EXPECT_FAILS(CallBytes(create, request.SerializeAsString()), kInvalidArgument, UNKNOWN_FIELD);
}

TEST_F(HandlerTableTest, RequestHashesCoverTheWholeRequest) {
  const std::string create = absl::StrCat(kPersons, "CreatePerson");
  CallContext me;
  me.caller = "me";
  v1::CreatePersonRequest request;
  request.set_person_id("a");
  request.set_request_id("r");
  request.mutable_person()->set_note("1");
  auto first = Call<v1::Person>(create, request, me);
  ASSERT_OK(first);
  auto repeat = Call<v1::Person>(create, request, me);
  ASSERT_OK(repeat);
  EXPECT_EQ(repeat->SerializeAsString(), first->SerializeAsString());
  request.set_reason("another");
  EXPECT_FAILS(Call<v1::Person>(create, request, me), kInvalidArgument, REQUEST_ID_REUSED);
}

// --- deadlines ----------------------------------------------------------------------------------

TEST_F(HandlerTableTest, DeadlinesAndCancellation) {
  ASSERT_OK(Create("a"));
  CallContext late;
  late.deadline = absl::Now() - absl::Seconds(1);
  CallContext gone;
  gone.cancelled = [] { return true; };
  for (const std::string& path : table_.Paths()) {
    EXPECT_FAILS(CallBytes(path, "", late), kDeadlineExceeded, DEADLINE_PASSED);
    EXPECT_FAILS(CallBytes(path, "", gone), kCancelled, CALL_CANCELLED);
  }
}

TEST_F(HandlerTableTest, LongListsStopWhenTheCallerIsGone) {
  for (int i = 0; i < 200; ++i) ASSERT_OK(Create(absl::StrCat("p", i)));
  CallContext context;
  int asked = 0;
  context.cancelled = [&] { return ++asked > 1; };
  v1::ListPersonsRequest request;
  request.set_page_size(1'000);
  EXPECT_FAILS(
      Call<v1::ListPersonsResponse>(absl::StrCat(kPersons, "ListPersons"), request, context),
      kCancelled, CALL_CANCELLED);
}

}  // namespace
}  // namespace detente::api
