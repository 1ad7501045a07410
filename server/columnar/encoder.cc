#include "columnar/encoder.h"

#include <arrow/buffer.h>
#include <arrow/ipc/message.h>
#include <arrow/ipc/options.h>
#include <arrow/ipc/writer.h>
#include <arrow/record_batch.h>
#include <arrow/util/compression.h>

#include <utility>

#include "columnar/arrow_status.h"

namespace detente::columnar {
namespace {

constexpr size_t kAlignment = 8;  // of messages and buffers
constexpr char kZeros[kAlignment] = {};
constexpr absl::string_view kContinuation("\xff\xff\xff\xff", 4);
constexpr absl::string_view kEnd("\xff\xff\xff\xff\0\0\0\0", 8);

size_t Padding(size_t size) { return (kAlignment - size % kAlignment) % kAlignment; }

absl::string_view View(const arrow::Buffer& buffer) {
  return {reinterpret_cast<const char*>(buffer.data()), static_cast<size_t>(buffer.size())};
}

// A message: the continuation mark, the size of the metadata, these, the body.
void AddMessage(const arrow::ipc::IpcPayload& payload, Encoded* out) {
  const absl::string_view metadata = View(*payload.metadata);
  auto head = std::make_shared<std::string>(kContinuation);
  const size_t size = metadata.size() + Padding(metadata.size());
  for (int shift = 0; shift < 32; shift += 8) head->push_back(static_cast<char>(size >> shift));
  out->Add(*head, head);
  out->Add(metadata, payload.metadata);
  out->Add({kZeros, Padding(metadata.size())}, nullptr);
  for (const auto& buffer : payload.body_buffers) {
    if (buffer == nullptr || buffer->size() == 0) continue;
    const absl::string_view bytes = View(*buffer);
    out->Add(bytes, buffer);
    out->Add({kZeros, Padding(bytes.size())}, nullptr);
  }
}

// What a stream writer writes.
class Payloads : public arrow::ipc::internal::IpcPayloadWriter {
 public:
  arrow::Status Start() override { return arrow::Status::OK(); }
  arrow::Status WritePayload(const arrow::ipc::IpcPayload& payload) override {
    all.push_back(payload);
    return arrow::Status::OK();
  }
  arrow::Status Close() override { return arrow::Status::OK(); }

  std::vector<arrow::ipc::IpcPayload> all;
};

std::string Joined(const Encoded& encoded) {
  std::string bytes;
  bytes.reserve(encoded.bytes);
  for (const Part& part : encoded.parts) bytes.append(part.bytes.data(), part.bytes.size());
  return bytes;
}

}  // namespace

void Encoded::Add(absl::string_view more, std::shared_ptr<const void> owner) {
  if (more.empty()) return;
  parts.push_back({more, std::move(owner)});
  bytes += more.size();
}

absl::StatusOr<Encoder> Encoder::Make(const arrow::RecordBatch& empty, Compression compression) {
  Encoder encoder;
  auto options = std::make_shared<arrow::ipc::IpcWriteOptions>();
  options->use_threads = false;
  if (compression != Compression::kNone) {
    auto codec =
        arrow::util::Codec::Create(compression == Compression::kLz4 ? arrow::Compression::LZ4_FRAME
                                                                    : arrow::Compression::ZSTD);
    DETENTE_ARROW_RETURN(codec.status());
    options->codec = *std::move(codec);
  }
  encoder.options_ = options;
  auto sink = std::make_unique<Payloads>();
  Payloads& written = *sink;
  auto writer = arrow::ipc::internal::OpenRecordBatchWriter(std::move(sink), empty.schema(),
                                                            *encoder.options_);
  DETENTE_ARROW_RETURN(writer.status());
  DETENTE_ARROW_RETURN((*writer)->WriteRecordBatch(empty));
  Encoded schema, start;
  for (const arrow::ipc::IpcPayload& payload : written.all) {
    if (payload.type == arrow::ipc::MessageType::RECORD_BATCH) continue;
    AddMessage(payload, &start);
    if (payload.type == arrow::ipc::MessageType::SCHEMA) AddMessage(payload, &schema);
  }
  encoder.schema_ = Joined(schema);
  encoder.start_ = std::make_shared<const std::string>(Joined(start));
  DETENTE_ARROW_RETURN((*writer)->Close());
  return encoder;
}

absl::StatusOr<Encoded> Encoder::Encode(const arrow::RecordBatch& batch) const {
  arrow::ipc::IpcPayload payload;
  DETENTE_ARROW_RETURN(arrow::ipc::GetRecordBatchPayload(batch, *options_, &payload));
  Encoded out;
  out.Add(*start_, start_);
  AddMessage(payload, &out);
  out.Add(kEnd, nullptr);
  return out;
}

}  // namespace detente::columnar
