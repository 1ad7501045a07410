#include "values/json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "google/api/field_behavior.pb.h"
#include "google/api/resource.pb.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/field_mask.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "values/edtf.h"

namespace detente::values {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr int64_t kSecondsPerDay = 86'400;
constexpr int64_t kFirstSecond = -62'135'596'800;  // 0001-01-01
constexpr int64_t kLastSecond = 253'402'300'799;   // 9999-12-31
constexpr int64_t kMaxDuration = 315'576'000'000;
constexpr int32_t kNanosPerSecond = 1'000'000'000;

struct Plan;

struct PlannedField {
  const FieldDescriptor* field;
  std::string key;    // `"name":`
  bool content;       // what a caller may write
  const Plan* below;  // of a message; of a map, of its entries
};

// What is asked of a type again and again.
struct Plan {
  enum class Form { kObject, kTimestamp, kDuration, kFieldMask, kWrapper };
  Form form = Form::kObject;
  std::vector<PlannedField> fields;  // by key
  std::vector<PlannedField> by_number;
};

Plan::Form FormOf(const Descriptor* type) {
  const std::string& name = type->full_name();
  if (name == "google.protobuf.Timestamp") return Plan::Form::kTimestamp;
  if (name == "google.protobuf.Duration") return Plan::Form::kDuration;
  if (name == "google.protobuf.FieldMask") return Plan::Form::kFieldMask;
  if (type->file()->name() == "google/protobuf/wrappers.proto") return Plan::Form::kWrapper;
  return Plan::Form::kObject;
}

bool OutputOnly(const FieldDescriptor* field) {
  const auto& options = field->options();
  for (int i = 0; i < options.ExtensionSize(google::api::field_behavior); ++i) {
    if (options.GetExtension(google::api::field_behavior, i) == google::api::OUTPUT_ONLY) {
      return true;
    }
  }
  return false;
}

class Plans {
 public:
  const Plan* Of(const Descriptor* type) {
    std::lock_guard lock(mutex_);
    return Make(type);
  }

 private:
  const Plan* Make(const Descriptor* type) {
    std::unique_ptr<Plan>& slot = plans_[type];
    if (slot != nullptr) return slot.get();
    slot = std::make_unique<Plan>();
    Plan* plan = slot.get();  // the map may grow below
    plan->form = FormOf(type);
    const bool record = type->options().HasExtension(google::api::resource);
    for (int i = 0; i < type->field_count(); ++i) {
      const FieldDescriptor* field = type->field(i);
      const bool etag = record && field->name() == "etag";
      plan->fields.push_back(
          {field, absl::StrCat("\"", field->name(), "\":"), !etag && !OutputOnly(field),
           field->message_type() == nullptr ? nullptr : Make(field->message_type())});
    }
    plan->by_number = plan->fields;
    std::sort(plan->by_number.begin(), plan->by_number.end(),
              [](const auto& a, const auto& b) { return a.field->number() < b.field->number(); });
    std::sort(plan->fields.begin(), plan->fields.end(),
              [](const auto& a, const auto& b) { return a.field->name() < b.field->name(); });
    return plan;
  }

  std::mutex mutex_;  // guards plans_; what is in it does not change
  absl::flat_hash_map<const Descriptor*, std::unique_ptr<Plan>> plans_;
};

const Plan* PlanOf(const Descriptor* type) {
  static auto* const plans = new Plans;
  return plans->Of(type);
}

// `text` is digits of which `point` stand before the decimal point.
void AppendDecimal(absl::string_view digits, int point, std::string* out) {
  const int size = static_cast<int>(digits.size());
  if (size <= point && point <= 21) {
    absl::StrAppend(out, digits, std::string(point - size, '0'));
  } else if (0 < point && point <= 21) {
    absl::StrAppend(out, digits.substr(0, point), ".", digits.substr(point));
  } else if (-6 < point && point <= 0) {
    absl::StrAppend(out, "0.", std::string(-point, '0'), digits);
  } else {
    absl::StrAppend(out, digits.substr(0, 1), size > 1 ? "." : "", digits.substr(1), "e",
                    point > 0 ? "+" : "-", std::abs(point - 1));
  }
}

// The shortest digits that stand for this number among those of its type.
template <typename Float>
void AppendFloat(Float value, std::string* out) {
  if (std::isnan(value)) {
    absl::StrAppend(out, "\"NaN\"");
  } else if (std::isinf(value)) {
    absl::StrAppend(out, value < 0 ? "\"-Infinity\"" : "\"Infinity\"");
  } else if (value == 0) {
    out->push_back('0');  // also for -0
  } else {
    char buffer[40];
    char* end = std::to_chars(buffer, buffer + sizeof buffer, std::abs(value),
                              std::chars_format::scientific)
                    .ptr;
    char* e = std::find(buffer, end, 'e');
    int exponent = 0;
    std::from_chars(e[1] == '+' ? e + 2 : e + 1, end, exponent);
    std::string digits(buffer, 1);
    if (e - buffer > 2) digits.append(buffer + 2, e);
    if (value < 0) out->push_back('-');
    AppendDecimal(digits, exponent + 1, out);
  }
}

// As Python's repr, `"NaN"` and the like but for that.
template <typename Float>
void AppendRepr(Float value, std::string* out) {
  if (!std::isfinite(value)) return AppendFloat(value, out);
  const double size = std::abs(static_cast<double>(value));
  const bool fixed = size == 0 || (size >= 1e-4 && size < 1e16);
  char buffer[40];
  char* end = std::to_chars(buffer, buffer + sizeof buffer, value,
                            fixed ? std::chars_format::fixed : std::chars_format::scientific)
                  .ptr;
  out->append(buffer, end);
  if (fixed && std::find(buffer, end, '.') == end) out->append(".0");
}

template <typename Integer>
void AppendInteger(Integer value, bool quoted, std::string* out) {
  char buffer[22];
  char* end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  if (quoted) out->push_back('"');
  out->append(buffer, end);
  if (quoted) out->push_back('"');
}

// As many groups of three digits as are needed.
void AppendNanos(int32_t nanos, std::string* out) {
  if (nanos == 0) return;
  char buffer[16];
  snprintf(buffer, sizeof buffer, ".%09d", nanos);
  size_t size = 10;
  if (nanos % 1'000'000 == 0) {
    size = 4;
  } else if (nanos % 1'000 == 0) {
    size = 7;
  }
  out->append(buffer, size);
}

bool AppendTimestamp(const google::protobuf::Timestamp& time, std::string* out) {
  if (time.seconds() < kFirstSecond || time.seconds() > kLastSecond || time.nanos() < 0 ||
      time.nanos() >= kNanosPerSecond) {
    return false;
  }
  int64_t day = time.seconds() / kSecondsPerDay;
  int64_t second = time.seconds() % kSecondsPerDay;
  if (second < 0) {
    --day;
    second += kSecondsPerDay;
  }
  const CivilDate date = CivilFromDays(day);
  char buffer[64];
  snprintf(buffer, sizeof buffer, "\"%04d-%02d-%02dT%02d:%02d:%02d", static_cast<int>(date.year),
           date.month, date.day, static_cast<int>(second / 3600),
           static_cast<int>(second / 60 % 60), static_cast<int>(second % 60));
  out->append(buffer);
  AppendNanos(time.nanos(), out);
  out->append("Z\"");
  return true;
}

bool AppendDuration(const google::protobuf::Duration& duration, std::string* out) {
  const int64_t seconds = duration.seconds();
  const int32_t nanos = duration.nanos();
  if (seconds < -kMaxDuration || seconds > kMaxDuration || nanos <= -kNanosPerSecond ||
      nanos >= kNanosPerSecond || (seconds < 0 && nanos > 0) || (seconds > 0 && nanos < 0)) {
    return false;
  }
  out->append(seconds < 0 || nanos < 0 ? "\"-" : "\"");
  AppendInteger(std::abs(seconds), false, out);
  AppendNanos(std::abs(nanos), out);
  out->append("s\"");
  return true;
}

// In lowerCamelCase, as ProtoJSON has it.
void AppendFieldMask(const google::protobuf::FieldMask& mask, std::string* out) {
  std::string text;
  for (const std::string& path : mask.paths()) {
    if (!text.empty()) text.push_back(',');
    bool upper = false;
    for (char c : path) {
      if (c == '_') {
        upper = true;
        continue;
      }
      text.push_back(upper && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
      upper = false;
    }
  }
  AppendJsonString(text, out);
}

class Writer {
 public:
  Writer(JsonOf which, std::string* out) : which_(which), out_(out) {}

  void Write(const Plan& plan, const Message& message) {
    switch (plan.form) {
      case Plan::Form::kObject:
        break;
      case Plan::Form::kTimestamp:
        if (AppendTimestamp(static_cast<const google::protobuf::Timestamp&>(message), out_)) return;
        break;
      case Plan::Form::kDuration:
        if (AppendDuration(static_cast<const google::protobuf::Duration&>(message), out_)) return;
        break;
      case Plan::Form::kFieldMask:
        return AppendFieldMask(static_cast<const google::protobuf::FieldMask&>(message), out_);
      case Plan::Form::kWrapper:
        return WriteField(plan.fields[0], message, *message.GetReflection());
    }
    const Reflection& reflection = *message.GetReflection();
    out_->push_back('{');
    bool first = true;
    for (const PlannedField& field : which_ == JsonOf::kForPeople ? plan.by_number : plan.fields) {
      if (which_ == JsonOf::kContent && !field.content) continue;
      const bool set = field.field->is_repeated() ? reflection.FieldSize(message, field.field) > 0
                                                  : reflection.HasField(message, field.field);
      if (!set) continue;
      if (!first) out_->push_back(',');
      first = false;
      out_->append(field.key);
      WriteField(field, message, reflection);
    }
    out_->push_back('}');
  }

  void WriteField(const PlannedField& field, const Message& message, const Reflection& reflection) {
    if (field.field->is_map()) return WriteMap(field, message, reflection);
    if (!field.field->is_repeated()) return WriteSingular(field, message, reflection);
    out_->push_back('[');
    const int size = reflection.FieldSize(message, field.field);
    for (int i = 0; i < size; ++i) {
      if (i > 0) out_->push_back(',');
      WriteElement(field, message, reflection, i);
    }
    out_->push_back(']');
  }

  void WriteElement(const PlannedField& field, const Message& message, const Reflection& reflection,
                    int i) {
    const FieldDescriptor* f = field.field;
    switch (f->cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return Write(*field.below, reflection.GetRepeatedMessage(message, f, i));
      case FieldDescriptor::CPPTYPE_STRING: {
        std::string scratch;
        return WriteText(f, reflection.GetRepeatedStringReference(message, f, i, &scratch));
      }
      case FieldDescriptor::CPPTYPE_ENUM:
        return WriteEnum(f, reflection.GetRepeatedEnumValue(message, f, i));
      case FieldDescriptor::CPPTYPE_INT32:
        return AppendInteger(reflection.GetRepeatedInt32(message, f, i), false, out_);
      case FieldDescriptor::CPPTYPE_INT64:
        return AppendInteger(reflection.GetRepeatedInt64(message, f, i), true, out_);
      case FieldDescriptor::CPPTYPE_UINT32:
        return AppendInteger(reflection.GetRepeatedUInt32(message, f, i), false, out_);
      case FieldDescriptor::CPPTYPE_UINT64:
        return AppendInteger(reflection.GetRepeatedUInt64(message, f, i), true, out_);
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return WriteFloat(reflection.GetRepeatedDouble(message, f, i));
      case FieldDescriptor::CPPTYPE_FLOAT:
        return WriteFloat(reflection.GetRepeatedFloat(message, f, i));
      case FieldDescriptor::CPPTYPE_BOOL:
        out_->append(reflection.GetRepeatedBool(message, f, i) ? "true" : "false");
    }
  }

 private:
  void WriteSingular(const PlannedField& field, const Message& message,
                     const Reflection& reflection) {
    const FieldDescriptor* f = field.field;
    switch (f->cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return Write(*field.below, reflection.GetMessage(message, f));
      case FieldDescriptor::CPPTYPE_STRING: {
        std::string scratch;
        return WriteText(f, reflection.GetStringReference(message, f, &scratch));
      }
      case FieldDescriptor::CPPTYPE_ENUM:
        return WriteEnum(f, reflection.GetEnumValue(message, f));
      case FieldDescriptor::CPPTYPE_INT32:
        return AppendInteger(reflection.GetInt32(message, f), false, out_);
      case FieldDescriptor::CPPTYPE_INT64:
        return AppendInteger(reflection.GetInt64(message, f), true, out_);
      case FieldDescriptor::CPPTYPE_UINT32:
        return AppendInteger(reflection.GetUInt32(message, f), false, out_);
      case FieldDescriptor::CPPTYPE_UINT64:
        return AppendInteger(reflection.GetUInt64(message, f), true, out_);
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return WriteFloat(reflection.GetDouble(message, f));
      case FieldDescriptor::CPPTYPE_FLOAT:
        return WriteFloat(reflection.GetFloat(message, f));
      case FieldDescriptor::CPPTYPE_BOOL:
        out_->append(reflection.GetBool(message, f) ? "true" : "false");
    }
  }

  void WriteMap(const PlannedField& field, const Message& message, const Reflection& reflection) {
    const FieldDescriptor* key_field = field.field->message_type()->map_key();
    const int size = reflection.FieldSize(message, field.field);
    struct Entry {
      std::string key;
      int index;
    };
    std::vector<Entry> entries;
    entries.reserve(size);
    for (int i = 0; i < size; ++i) {
      entries.push_back(
          {MapKey(reflection.GetRepeatedMessage(message, field.field, i), key_field), i});
    }
    std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
      return a.key == b.key ? a.index < b.index : Utf16Less(a.key, b.key);
    });
    const PlannedField& value = field.below->fields[1];  // "key" < "value"
    out_->push_back('{');
    bool first = true;
    for (size_t i = 0; i < entries.size(); ++i) {
      // Entries added by reflection may repeat a key: the last one counts, as on the wire.
      if (i + 1 < entries.size() && entries[i + 1].key == entries[i].key) continue;
      if (!first) out_->push_back(',');
      first = false;
      AppendJsonString(entries[i].key, out_);
      out_->push_back(':');
      const Message& entry = reflection.GetRepeatedMessage(message, field.field, entries[i].index);
      WriteField(value, entry, *entry.GetReflection());
    }
    out_->push_back('}');
  }

  static std::string MapKey(const Message& entry, const FieldDescriptor* key) {
    const Reflection& reflection = *entry.GetReflection();
    switch (key->cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        return reflection.GetString(entry, key);
      case FieldDescriptor::CPPTYPE_INT32:
        return absl::StrCat(reflection.GetInt32(entry, key));
      case FieldDescriptor::CPPTYPE_INT64:
        return absl::StrCat(reflection.GetInt64(entry, key));
      case FieldDescriptor::CPPTYPE_UINT32:
        return absl::StrCat(reflection.GetUInt32(entry, key));
      case FieldDescriptor::CPPTYPE_UINT64:
        return absl::StrCat(reflection.GetUInt64(entry, key));
      default:
        return reflection.GetBool(entry, key) ? "true" : "false";
    }
  }

  template <typename Float>
  void WriteFloat(Float value) {
    if (which_ == JsonOf::kForPeople) return AppendRepr(value, out_);
    AppendFloat(value, out_);
  }

  void WriteText(const FieldDescriptor* field, const std::string& text) {
    if (field->type() == FieldDescriptor::TYPE_BYTES) {
      absl::StrAppend(out_, "\"", absl::Base64Escape(text), "\"");
    } else {
      AppendJsonString(text, out_);
    }
  }

  void WriteEnum(const FieldDescriptor* field, int number) {
    const auto* value = field->enum_type()->FindValueByNumber(number);
    if (value == nullptr) {
      AppendInteger(number, false, out_);
    } else {
      absl::StrAppend(out_, "\"", value->name(), "\"");
    }
  }

  const JsonOf which_;
  std::string* out_;
};

PlannedField Planned(const FieldDescriptor* field) {
  return {field, "", true,
          field->message_type() == nullptr ? nullptr : PlanOf(field->message_type())};
}

}  // namespace

void AppendJson(const Message& message, JsonOf which, std::string* out) {
  Writer(which, out).Write(*PlanOf(message.GetDescriptor()), message);
}

std::string ToJson(const Message& message, JsonOf which) {
  std::string out;
  AppendJson(message, which, &out);
  return out;
}

std::string FieldToJson(const Message& message, const FieldDescriptor* field, JsonOf which) {
  std::string out;
  Writer(which, &out).WriteField(Planned(field), message, *message.GetReflection());
  return out;
}

std::string ElementToJson(const Message& message, const FieldDescriptor* field, int index,
                          JsonOf which) {
  std::string out;
  Writer(which, &out).WriteElement(Planned(field), message, *message.GetReflection(), index);
  return out;
}

void AppendJsonNumber(double value, std::string* out) { AppendFloat(value, out); }

void AppendReal(double value, std::string* out) { AppendRepr(value, out); }

void AppendJsonString(absl::string_view text, std::string* out) {
  static constexpr char kHex[] = "0123456789abcdef";
  out->push_back('"');
  size_t plain = 0;  // where the run that needs no escape begins
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out->append(text.data() + plain, i - plain);
    plain = i + 1;
    out->push_back('\\');
    switch (c) {
      case '\b':
        out->push_back('b');
        break;
      case '\t':
        out->push_back('t');
        break;
      case '\n':
        out->push_back('n');
        break;
      case '\f':
        out->push_back('f');
        break;
      case '\r':
        out->push_back('r');
        break;
      case '"':
      case '\\':
        out->push_back(static_cast<char>(c));
        break;
      default:
        out->append("u00");
        out->push_back(kHex[c >> 4]);
        out->push_back(kHex[c & 15]);
    }
  }
  out->append(text.data() + plain, text.size() - plain);
  out->push_back('"');
}

bool Utf16Less(absl::string_view a, absl::string_view b) {
  // UTF-8 sorts as code points do. UTF-16 differs where one is beyond U+FFFF (lead bytes from F0
  // on, written as surrogates from D800 on) and the other is U+E000 to U+FFFF (EE and EF).
  const size_t size = std::min(a.size(), b.size());
  for (size_t i = 0; i < size; ++i) {
    auto x = static_cast<unsigned char>(a[i]);
    auto y = static_cast<unsigned char>(b[i]);
    if (x == y) continue;
    if (x == 0xee || x == 0xef) x += 0x10;
    if (y == 0xee || y == 0xef) y += 0x10;
    return x < y;
  }
  return a.size() < b.size();
}

}  // namespace detente::values
