#include "server/engine/testing.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "proto_files.h"

namespace detente::testing {
namespace {

[[noreturn]] void Die(const absl::Status& status) {
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::abort();
}

template <typename Detail>
Detail DetailOf(const absl::Status& status) {
  Detail detail;
  auto payload =
      status.GetPayload(absl::StrCat("type.googleapis.com/", detail.GetDescriptor()->full_name()));
  if (payload.has_value()) detail.ParseFromString(std::string(*payload));
  return detail;
}

engine::Operation ByName(engine::Operation::Kind kind, absl::string_view name) {
  engine::Operation operation;
  operation.kind = kind;
  absl::string_view id;
  operation.resource = TestRegistry().ParseName(name, &id);
  if (operation.resource == nullptr) std::abort();
  operation.id = std::string(id);
  operation.field = "name";
  return operation;
}

}  // namespace

TempDir::TempDir() {
  std::string path = std::filesystem::temp_directory_path() / "detente-test-XXXXXX";
  if (mkdtemp(path.data()) == nullptr) std::abort();
  path_ = path;
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TempDir::File(absl::string_view name) const { return absl::StrCat(path_, "/", name); }

const engine::Registry& TestRegistry() {
  static const engine::Registry* registry = [] {
    auto made = engine::Registry::FromFiles(ProtoFiles());
    if (!made.ok()) Die(made.status());
    return made->release();
  }();
  return *registry;
}

std::unique_ptr<store::Store> OpenStore(const std::string& path, store::SqliteOptions options) {
  options.create = !options.read_only;
  auto store = store::OpenSqlite(path, TestRegistry().Tables(), options);
  if (!store.ok()) Die(store.status());
  return *std::move(store);
}

std::unique_ptr<engine::Engine> OpenEngine(const std::string& path, store::SqliteOptions options,
                                           engine::EngineOptions engine_options) {
  auto engine = engine::Engine::Open(OpenStore(path, options), &TestRegistry(), engine_options);
  if (!engine.ok()) Die(engine.status());
  return *std::move(engine);
}

const engine::Resource& ResourceOf(const google::protobuf::Message& record) {
  return *TestRegistry().FindByType(record.GetDescriptor()->full_name());
}

engine::Operation Create(const google::protobuf::Message& record, absl::string_view id) {
  engine::Operation operation;
  operation.kind = engine::Operation::Kind::kCreate;
  operation.resource = &ResourceOf(record);
  operation.id = std::string(id);
  operation.record.reset(record.New());
  operation.record->CopyFrom(record);
  operation.field = operation.resource->singular;
  return operation;
}

engine::Operation Update(const google::protobuf::Message& record, absl::string_view id,
                         const std::vector<std::string>& paths) {
  engine::Operation operation = Create(record, id);
  operation.kind = engine::Operation::Kind::kUpdate;
  if (paths.empty()) {
    operation.mask = query::Mask::OfSetFields(record);
    return operation;
  }
  google::protobuf::FieldMask mask;
  for (const std::string& path : paths) mask.add_paths(path);
  auto parsed = query::Mask::Parse(mask, record.GetDescriptor(), "update_mask");
  if (!parsed.ok()) Die(parsed.status());
  operation.mask = *std::move(parsed);
  return operation;
}

engine::Operation Delete(absl::string_view name, bool force) {
  engine::Operation operation = ByName(engine::Operation::Kind::kDelete, name);
  operation.force = force;
  return operation;
}

engine::Operation Undelete(absl::string_view name) {
  return ByName(engine::Operation::Kind::kUndelete, name);
}

std::future<absl::StatusOr<engine::CommitResult>> WriteLater(engine::Engine& engine,
                                                             engine::CommitRequest request) {
  auto promise = std::make_shared<std::promise<absl::StatusOr<engine::CommitResult>>>();
  auto future = promise->get_future();
  engine.Write(std::move(request), [promise](absl::StatusOr<engine::CommitResult> result) {
    promise->set_value(std::move(result));
  });
  return future;
}

absl::StatusOr<engine::CommitResult> Write(engine::Engine& engine, engine::CommitRequest request) {
  return WriteLater(engine, std::move(request)).get();
}

void ReadInto(engine::Engine& engine, absl::string_view id, std::optional<store::Revision> revision,
              google::protobuf::Message* out) {
  out->Clear();
  auto view = engine.View(revision);
  if (!view.ok()) return;
  auto version = engine.Get(ResourceOf(*out), id, *view);
  if (!version.ok()) return;
  if (!out->ParseFromString(engine::RecordOf(ResourceOf(*out), *version))) std::abort();
}

std::vector<std::string> Violations(const absl::Status& status) {
  std::vector<std::string> lines;
  const auto detail = DetailOf<google::rpc::BadRequest>(status);
  for (const auto& violation : detail.field_violations()) {
    lines.push_back(absl::StrCat(violation.field(), ": ", violation.description()));
  }
  return lines;
}

std::vector<std::string> ViolatedFields(const absl::Status& status) {
  std::vector<std::string> fields;
  const auto detail = DetailOf<google::rpc::BadRequest>(status);
  for (const auto& violation : detail.field_violations()) {
    fields.push_back(violation.field());
  }
  return fields;
}

std::vector<std::string> PreconditionSubjects(const absl::Status& status) {
  std::vector<std::string> subjects;
  const auto detail = DetailOf<google::rpc::PreconditionFailure>(status);
  for (const auto& violation : detail.violations()) {
    subjects.push_back(violation.subject());
  }
  return subjects;
}

}  // namespace detente::testing
