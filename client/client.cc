#include "detente/client/client.h"

#include <sys/random.h>

#include <array>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "detente/v1/source.pb.h"
#include "detente/v1/values.pb.h"
#include "google/api/resource.pb.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/field_mask.pb.h"

namespace detente {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::MessageFactory;
using google::protobuf::MethodDescriptor;

// A random UUID (RFC 9562, version 4), from the kernel: a generator of our own would repeat itself
// after fork().
std::string NewRequestId() {
  std::array<char, 16> bytes;
  if (getentropy(bytes.data(), bytes.size()) != 0) abort();
  bytes[6] = static_cast<char>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<char>((bytes[8] & 0x3f) | 0x80);
  std::string id = absl::BytesToHexString(absl::string_view(bytes.data(), bytes.size()));
  for (const size_t dash : {8, 13, 18, 23}) id.insert(dash, 1, '-');
  return id;
}

const google::api::ResourceDescriptor& ResourceOf(const Descriptor* resource) {
  return resource->options().GetExtension(google::api::resource);
}

// A method of a resource's service.
struct Method {
  std::string path;
  const MethodDescriptor* descriptor;
};

// `verb` is the method's name with `@` for the resource's name and `#` for its plural: "Get@",
// "List#".
absl::StatusOr<Method> FindMethod(const Descriptor* resource, absl::string_view verb) {
  std::string plural = ResourceOf(resource).plural();
  if (!plural.empty()) plural[0] = absl::ascii_toupper(plural[0]);
  std::string name;
  for (const char c : verb) {
    if (c == '@') {
      name += resource->name();
    } else if (c == '#') {
      name += plural;
    } else {
      name += c;
    }
  }
  const std::string service = absl::StrCat(resource->full_name(), "Service");
  const MethodDescriptor* method =
      resource->file()->pool()->FindMethodByName(absl::StrCat(service, ".", name));
  if (method == nullptr) {
    return absl::UnimplementedError(absl::StrCat(service, " has no method ", name));
  }
  return Method{absl::StrCat("/", service, "/", name), method};
}

// The method that takes requests of this type and answers with such responses; a request is in the
// file of its service.
absl::StatusOr<Method> FindMethod(const Descriptor* request, const Descriptor* response) {
  for (int i = 0; i < request->file()->service_count(); ++i) {
    const google::protobuf::ServiceDescriptor* service = request->file()->service(i);
    for (int j = 0; j < service->method_count(); ++j) {
      const MethodDescriptor* method = service->method(j);
      if (method->input_type() != request) continue;
      if (method->output_type() != response) {
        return absl::InvalidArgumentError(absl::StrCat(method->full_name(), " answers with ",
                                                       method->output_type()->full_name(), ", not ",
                                                       response->full_name()));
      }
      return Method{absl::StrCat("/", service->full_name(), "/", method->name()), method};
    }
  }
  return absl::UnimplementedError(absl::StrCat("no method takes ", request->full_name()));
}

std::string FullName(const Descriptor* resource, absl::string_view name) {
  if (name.empty() || absl::StrContains(name, '/')) return std::string(name);
  return absl::StrCat(ResourceOf(resource).plural(), "/", name);
}

std::unique_ptr<Message> NewMessage(const Descriptor* type) {
  return std::unique_ptr<Message>(MessageFactory::generated_factory()->GetPrototype(type)->New());
}

// A request of a type known by its descriptor; its fields are the contract's and must exist.
class Request {
 public:
  explicit Request(const MethodDescriptor* method)
      : message_(NewMessage(method->input_type())), reflection_(message_->GetReflection()) {}

  void Set(const char* field, absl::string_view value) {
    if (!value.empty()) reflection_->SetString(message_.get(), Field(field), std::string(value));
  }
  void Set(const char* field, bool value) {
    if (value) reflection_->SetBool(message_.get(), Field(field), value);
  }
  void Set(const char* field, int32_t value) {
    if (value != 0) reflection_->SetInt32(message_.get(), Field(field), value);
  }
  void Set(const char* field, int64_t value) {
    if (value != 0) reflection_->SetInt64(message_.get(), Field(field), value);
  }
  // Whose values a read returns.
  template <typename Options>
  void SetValues(const Options& options) {
    Set("as_told_by", FullName(v1::Source::descriptor(), options.as_told_by));
    if (options.value_policy != v1::Evidence::VALUE_POLICY_UNSPECIFIED) {
      reflection_->SetEnumValue(message_.get(), Field("value_policy"), options.value_policy);
    }
  }
  void SetMask(const char* field, const std::vector<std::string>& paths) {
    if (paths.empty()) return;
    auto& mask = static_cast<google::protobuf::FieldMask&>(Mutable(Field(field)));
    *mask.mutable_paths() = {paths.begin(), paths.end()};
  }
  void SetAt(const ReadPoint& at) {
    if (std::holds_alternative<std::monostate>(at)) return;
    auto& point = static_cast<v1::ReadPoint&>(Mutable(Field("at")));
    if (const auto* revision = std::get_if<int64_t>(&at)) {
      point.set_revision(*revision);
    } else if (const auto* time = std::get_if<absl::Time>(&at)) {
      const timespec spec = absl::ToTimespec(*time);
      point.mutable_read_time()->set_seconds(spec.tv_sec);
      point.mutable_read_time()->set_nanos(static_cast<int32_t>(spec.tv_nsec));
    } else {
      point.set_snapshot(std::get<std::string>(at));
    }
  }
  void Add(const char* field, std::string value) {
    reflection_->AddString(message_.get(), Field(field), std::move(value));
  }
  // The field that holds the resource itself.
  void SetRecord(const Message& record) {
    Mutable(RecordField(record.GetDescriptor())).CopyFrom(record);
  }
  void SetId(const Descriptor* resource, absl::string_view id) {
    Set(absl::StrCat(RecordField(resource)->name(), "_id").c_str(), id);
  }
  template <typename Options>
  void SetWrite(const Options& options) {
    Set("reason", options.reason);
    Set("validate_only", options.validate_only);
    Set("request_id", options.request_id.empty() ? NewRequestId() : options.request_id);
  }

  std::string Bytes() const { return message_->SerializeAsString(); }

 private:
  const FieldDescriptor* Field(const char* name) const {
    return message_->GetDescriptor()->FindFieldByName(name);
  }
  const FieldDescriptor* RecordField(const Descriptor* resource) const {
    return Field(ResourceOf(resource).singular().c_str());
  }
  Message& Mutable(const FieldDescriptor* field) {
    return *reflection_->MutableMessage(message_.get(), field);
  }

  std::unique_ptr<Message> message_;
  const google::protobuf::Reflection* reflection_;
};

absl::Status Send(Connection& connection, absl::string_view path, absl::string_view request,
                  const CallOptions& options, Message& response) {
  absl::StatusOr<std::string> bytes = connection.Call(path, request, options);
  if (!bytes.ok()) return bytes.status();
  if (!response.ParseFromString(*bytes)) {
    return absl::InternalError(absl::StrCat(path, ": the response is no ", response.GetTypeName()));
  }
  return absl::OkStatus();
}

absl::Status Send(Connection& connection, const Method& method, const Request& request,
                  const CallOptions& options, Message& response) {
  return Send(connection, method.path, request.Bytes(), options, response);
}

// Calls a method whose response begins with a list of the resource.
absl::StatusOr<internal::Page> CallPage(Connection& connection, const Method& method,
                                        const Request& request, const CallOptions& options) {
  const Descriptor* type = method.descriptor->output_type();
  const std::unique_ptr<Message> response = NewMessage(type);
  absl::Status status = Send(connection, method, request, options, *response);
  if (!status.ok()) return status;

  internal::Page page;
  const google::protobuf::Reflection* reflection = response->GetReflection();
  const FieldDescriptor* records = type->field(0);
  page.records.resize(reflection->FieldSize(*response, records));
  for (size_t i = page.records.size(); i-- > 0;) {
    page.records[i].reset(reflection->ReleaseLast(response.get(), records));
  }
  if (const FieldDescriptor* token = type->FindFieldByName("next_page_token")) {
    page.next_page_token = reflection->GetString(*response, token);
  }
  return page;
}

// `fill` sets all of the request but the page token.
template <typename Fill>
internal::FetchPage FetchPages(std::shared_ptr<Connection> connection,
                               absl::StatusOr<Method> method, CallOptions options, Fill fill) {
  return
      [connection = std::move(connection), method = std::move(method), options = std::move(options),
       fill = std::move(fill)](absl::string_view page_token) -> absl::StatusOr<internal::Page> {
        if (!method.ok()) return method.status();
        Request request(method->descriptor);
        fill(request);
        request.Set("page_token", page_token);
        return CallPage(*connection, *method, request, options);
      };
}

}  // namespace

Batch& Batch::Create(const google::protobuf::Message& record, absl::string_view id) {
  auto* create = request_.add_operations()->mutable_create();
  create->mutable_record()->PackFrom(record);
  create->set_record_id(std::string(id));
  return *this;
}

Batch& Batch::Update(const google::protobuf::Message& record,
                     const std::vector<std::string>& update_mask, bool allow_missing) {
  auto* update = request_.add_operations()->mutable_update();
  update->mutable_record()->PackFrom(record);
  if (!update_mask.empty()) {
    *update->mutable_update_mask()->mutable_paths() = {update_mask.begin(), update_mask.end()};
  }
  update->set_allow_missing(allow_missing);
  return *this;
}

Batch& Batch::Delete(absl::string_view name, absl::string_view etag, bool force) {
  auto* soft_delete = request_.add_operations()->mutable_soft_delete();
  soft_delete->set_name(std::string(name));
  soft_delete->set_etag(std::string(etag));
  soft_delete->set_force(force);
  return *this;
}

Batch& Batch::Undelete(absl::string_view name, absl::string_view etag) {
  auto* undelete = request_.add_operations()->mutable_undelete();
  undelete->set_name(std::string(name));
  undelete->set_etag(std::string(etag));
  return *this;
}

Client::Client(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}

absl::Status Client::Get(absl::string_view name, const ReadOptions& options, Message& out) const {
  const Descriptor* resource = out.GetDescriptor();
  const absl::StatusOr<Method> method = FindMethod(resource, "Get@");
  if (!method.ok()) return method.status();
  Request request(method->descriptor);
  request.Set("name", FullName(resource, name));
  request.SetAt(options.at);
  request.SetMask("read_mask", options.read_mask);
  request.SetValues(options);
  return Send(*connection_, *method, request, options.call, out);
}

internal::FetchPage Client::List(const Descriptor* resource, const ListOptions& options) const {
  return FetchPages(connection_, FindMethod(resource, "List#"), options.call,
                    [options](Request& request) {
                      request.Set("filter", options.filter);
                      request.Set("order_by", options.order_by);
                      request.Set("show_deleted", options.show_deleted);
                      request.SetAt(options.at);
                      request.SetMask("read_mask", options.read_mask);
                      request.SetValues(options);
                      request.Set("reviewed_only", options.reviewed_only);
                      request.Set("page_size", options.page_size);
                    });
}

absl::StatusOr<internal::Page> Client::BatchGet(const Descriptor* resource,
                                                const std::vector<std::string>& names,
                                                const ReadOptions& options) const {
  const absl::StatusOr<Method> method = FindMethod(resource, "BatchGet#");
  if (!method.ok()) return method.status();
  Request request(method->descriptor);
  for (const std::string& name : names) request.Add("names", FullName(resource, name));
  request.SetAt(options.at);
  request.SetMask("read_mask", options.read_mask);
  request.SetValues(options);
  return CallPage(*connection_, *method, request, options.call);
}

internal::FetchPage Client::Revisions(const Descriptor* resource, absl::string_view name,
                                      const RevisionsOptions& options) const {
  return FetchPages(connection_, FindMethod(resource, "List@Revisions"), options.call,
                    [options, name = FullName(resource, name)](Request& request) {
                      request.Set("name", name);
                      request.SetMask("read_mask", options.read_mask);
                      request.Set("page_size", options.page_size);
                    });
}

absl::Status Client::Create(const Message& record, const CreateOptions& options,
                            Message& out) const {
  const Descriptor* resource = record.GetDescriptor();
  const absl::StatusOr<Method> method = FindMethod(resource, "Create@");
  if (!method.ok()) return method.status();
  Request request(method->descriptor);
  request.SetRecord(record);
  request.SetId(resource, options.id);
  request.SetWrite(options);
  return Send(*connection_, *method, request, options.call, out);
}

absl::Status Client::Update(const Message& record, const UpdateOptions& options,
                            Message& out) const {
  const absl::StatusOr<Method> method = FindMethod(record.GetDescriptor(), "Update@");
  if (!method.ok()) return method.status();
  Request request(method->descriptor);
  request.SetRecord(record);
  request.SetMask("update_mask", options.update_mask);
  request.Set("allow_missing", options.allow_missing);
  request.SetWrite(options);
  return Send(*connection_, *method, request, options.call, out);
}

absl::Status Client::Delete(absl::string_view name, const DeleteOptions& options,
                            Message& out) const {
  const Descriptor* resource = out.GetDescriptor();
  const absl::StatusOr<Method> method = FindMethod(resource, "Delete@");
  if (!method.ok()) return method.status();
  Request request(method->descriptor);
  request.Set("name", FullName(resource, name));
  request.Set("etag", options.etag);
  request.Set("force", options.force);
  request.SetWrite(options);
  return Send(*connection_, *method, request, options.call, out);
}

absl::Status Client::Undelete(absl::string_view name, const UndeleteOptions& options,
                              Message& out) const {
  const Descriptor* resource = out.GetDescriptor();
  const absl::StatusOr<Method> method = FindMethod(resource, "Undelete@");
  if (!method.ok()) return method.status();
  Request request(method->descriptor);
  request.Set("name", FullName(resource, name));
  request.Set("etag", options.etag);
  request.SetWrite(options);
  return Send(*connection_, *method, request, options.call, out);
}

absl::Status Client::Rollback(absl::string_view name, int64_t revision,
                              const RollbackOptions& options, Message& out) const {
  const Descriptor* resource = out.GetDescriptor();
  const absl::StatusOr<Method> method = FindMethod(resource, "Rollback@");
  if (!method.ok()) return method.status();
  Request request(method->descriptor);
  request.Set("name", FullName(resource, name));
  request.Set("revision", revision);
  request.Set("etag", options.etag);
  request.SetWrite(options);
  return Send(*connection_, *method, request, options.call, out);
}

absl::Status Client::Call(const Message& request, const CallOptions& options, Message& out) const {
  const absl::StatusOr<Method> method = FindMethod(request.GetDescriptor(), out.GetDescriptor());
  if (!method.ok()) return method.status();
  const FieldDescriptor* id = request.GetDescriptor()->FindFieldByName("request_id");
  if (id == nullptr || !request.GetReflection()->GetString(request, id).empty()) {
    return Send(*connection_, method->path, request.SerializeAsString(), options, out);
  }
  const std::unique_ptr<Message> sent(request.New());
  sent->CopyFrom(request);
  sent->GetReflection()->SetString(sent.get(), id, NewRequestId());
  return Send(*connection_, method->path, sent->SerializeAsString(), options, out);
}

internal::FetchPage Client::Pages(std::shared_ptr<const Message> request,
                                  const Descriptor* response, const CallOptions& options) const {
  return [client = *this, request = std::move(request), response,
          options](absl::string_view page_token) -> absl::StatusOr<internal::Page> {
    const FieldDescriptor* token = request->GetDescriptor()->FindFieldByName("page_token");
    const FieldDescriptor* next = response->FindFieldByName("next_page_token");
    if (token == nullptr || next == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat(request->GetTypeName(), " asks for no pages of ", response->full_name()));
    }
    const std::unique_ptr<Message> sent(request->New());
    sent->CopyFrom(*request);
    if (!page_token.empty()) {
      sent->GetReflection()->SetString(sent.get(), token, std::string(page_token));
    }
    internal::Page page;
    page.records.push_back(NewMessage(response));
    Message& answer = *page.records.back();
    if (absl::Status status = client.Call(*sent, options, answer); !status.ok()) return status;
    page.next_page_token = answer.GetReflection()->GetString(answer, next);
    return page;
  };
}

absl::StatusOr<v1::BatchWriteResponse> Client::BatchWrite(const Batch& batch,
                                                          const BatchWriteOptions& options) const {
  v1::BatchWriteRequest request = batch.request();
  request.set_reason(options.reason);
  request.set_validate_only(options.validate_only);
  request.set_request_id(options.request_id);
  return Call<v1::BatchWriteResponse>(request, options.call);
}

}  // namespace detente
