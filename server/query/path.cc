#include "query/path.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "query/nearest.h"

namespace detente::query {
namespace {

using google::protobuf::Descriptor;

class Parser {
 public:
  Parser(absl::string_view text, const Descriptor* descriptor)
      : text_(text), descriptor_(descriptor) {}

  absl::StatusOr<Path> Parse() {
    if (text_.empty()) return Fail("a field name expected, got nothing");
    if (text_.size() > kMaxPathBytes) {
      return Fail(absl::StrCat("longer than ", kMaxPathBytes, " bytes"));
    }
    Path path;
    while (true) {
      Step step;
      if (absl::Status s = ParseStep(step); !s.ok()) return s;
      path.push_back(std::move(step));
      if (position_ == text_.size()) return path;
      if (text_[position_] != '.') return Fail("`.`, `[` or the end expected");
      ++position_;
      const Step& last = path.back();
      if (last.field->is_map() && last.select == Step::Select::kWhole) {
        return Fail(absl::StrCat(last.field->name(),
                                 " has no fields: it is a map, name an entry as [\"key\"]"));
      }
      if (last.field->message_type() == nullptr || last.field->is_map()) {
        return Fail(absl::StrCat(last.field->name(), " has no fields"));
      }
      if (last.field->is_repeated() && last.select == Step::Select::kWhole) {
        position_ -= 1;
        return Fail(absl::StrCat(last.field->name(),
                                 " is repeated: name an element as [\"id\"], or [*] for all"));
      }
      descriptor_ = last.field->message_type();
    }
  }

 private:
  absl::Status ParseStep(Step& step) {
    size_t start = position_;
    while (position_ < text_.size() &&
           (absl::ascii_isalnum(text_[position_]) || text_[position_] == '_')) {
      ++position_;
    }
    absl::string_view name = text_.substr(start, position_ - start);
    if (name.empty()) return Fail("a field name expected");
    step.field = descriptor_->FindFieldByName(std::string(name));
    if (step.field == nullptr) {
      position_ = start;
      std::string nearest = NearestField(descriptor_, name);
      return Fail(absl::StrCat(descriptor_->name(), " has no field `", name, "`",
                               nearest.empty() ? "" : "; did you mean `", nearest,
                               nearest.empty() ? "" : "`?"));
    }
    if (position_ == text_.size() || text_[position_] != '[') return absl::OkStatus();
    bool message = step.field->message_type() != nullptr;
    if (!step.field->is_repeated() || !message) {
      return Fail(absl::StrCat(step.field->name(), " has no elements that can be named"));
    }
    ++position_;
    if (text_.substr(position_, 2) == "*]") {
      position_ += 2;
      step.select = Step::Select::kEvery;
      return absl::OkStatus();
    }
    if (position_ < text_.size() && absl::ascii_isdigit(text_[position_])) {
      return Fail("elements are named by id, as [\"id\"], not by index");
    }
    if (position_ == text_.size() || text_[position_] != '"') {
      return Fail("`\"` or `*` expected");
    }
    ++position_;
    while (position_ < text_.size() && text_[position_] != '"') {
      if (text_[position_] == '\\' && position_ + 1 < text_.size()) ++position_;
      step.key.push_back(text_[position_++]);
    }
    if (text_.substr(position_, 2) != "\"]") return Fail("`\"]` expected");
    position_ += 2;
    step.select = Step::Select::kElement;
    return absl::OkStatus();
  }

  absl::Status Fail(absl::string_view what) const {
    return absl::InvalidArgumentError(absl::StrCat(what, " at position ", position_));
  }

  absl::string_view text_;
  const Descriptor* descriptor_;
  size_t position_ = 0;
};

}  // namespace

absl::StatusOr<Path> ParsePath(absl::string_view text, const Descriptor* descriptor) {
  return Parser(text, descriptor).Parse();
}

std::string FormatPath(const Path& path) {
  std::string text;
  for (const Step& step : path) {
    absl::StrAppend(&text, text.empty() ? "" : ".", step.field->name());
    if (step.select == Step::Select::kEvery) absl::StrAppend(&text, "[*]");
    if (step.select != Step::Select::kElement) continue;
    absl::StrAppend(&text, "[\"");
    for (char c : step.key) {
      if (c == '"' || c == '\\') text.push_back('\\');
      text.push_back(c);
    }
    absl::StrAppend(&text, "\"]");
  }
  return text;
}

bool Covers(const Path& outer, const Path& inner) {
  if (outer.size() > inner.size()) return false;
  for (size_t i = 0; i < outer.size(); ++i) {
    if (outer[i].field != inner[i].field) return false;
    switch (outer[i].select) {
      case Step::Select::kWhole:
        break;  // of a list: the last step, around all of its elements
      case Step::Select::kEvery:
        if (inner[i].select == Step::Select::kWhole) return false;
        break;
      case Step::Select::kElement:
        if (inner[i].select != Step::Select::kElement || inner[i].key != outer[i].key) return false;
        break;
    }
  }
  return true;
}

bool IsConcrete(const Path& path) {
  return std::none_of(path.begin(), path.end(),
                      [](const Step& step) { return step.select == Step::Select::kEvery; });
}

}  // namespace detente::query
