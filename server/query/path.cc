#include "query/path.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace detente::query {
namespace {

using google::protobuf::Descriptor;

size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t substitution = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitution});
    }
  }
  return row[b.size()];
}

std::string NearestField(const Descriptor* descriptor, absl::string_view name) {
  std::string nearest;
  size_t best = 3;  // farther names are no help
  for (int i = 0; i < descriptor->field_count(); ++i) {
    size_t distance = EditDistance(name, descriptor->field(i)->name());
    if (distance < best) {
      best = distance;
      nearest = descriptor->field(i)->name();
    }
  }
  return nearest;
}

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

}  // namespace detente::query
