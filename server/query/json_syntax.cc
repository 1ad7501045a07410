#include "query/json_syntax.h"

#include <cstdint>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace detente::query {
namespace {

class Checker {
 public:
  explicit Checker(absl::string_view text) : text_(text) {}

  // Without recursion: the text is a caller's.
  absl::Status Check() {
    do {
      if (absl::Status s = Value(); !s.ok()) return s;
      // What ends with the value.
      while (!open_.empty() && !expects_value_) {
        Space();
        if (Take(',')) {
          Space();
          if (open_.back() == '{') {
            if (absl::Status s = Key(); !s.ok()) return s;
          }
          expects_value_ = true;
        } else if (Take(open_.back() == '{' ? '}' : ']')) {
          open_.pop_back();
        } else {
          return Fail(open_.back() == '{' ? "`,` or `}` expected" : "`,` or `]` expected");
        }
      }
    } while (!open_.empty());
    Space();
    return at_ == text_.size() ? absl::OkStatus() : Fail("the end expected");
  }

 private:
  // Up to the first scalar or empty container: expects_value_ stays set where one was opened.
  absl::Status Value() {
    Space();
    expects_value_ = false;
    if (Take('{')) {
      Space();
      if (Take('}')) return absl::OkStatus();
      if (absl::Status s = Open('{'); !s.ok()) return s;
      expects_value_ = true;
      return Key();
    }
    if (Take('[')) {
      Space();
      if (Take(']')) return absl::OkStatus();
      expects_value_ = true;
      return Open('[');
    }
    if (Peek() == '"') return Text();
    for (absl::string_view word : {"true", "false", "null"}) {
      if (text_.substr(at_, word.size()) == word) {
        at_ += word.size();
        return absl::OkStatus();
      }
    }
    return Number();
  }

  absl::Status Open(char c) {
    if (open_.size() == kMaxJsonDepth) {
      return Fail(absl::StrCat("nested more than ", kMaxJsonDepth, " deep"));
    }
    open_.push_back(c);
    return absl::OkStatus();
  }

  absl::Status Key() {
    if (Peek() != '"') return Fail("a key in quotes expected");
    if (absl::Status s = Text(); !s.ok()) return s;
    Space();
    return Take(':') ? absl::OkStatus() : Fail("`:` expected");
  }

  absl::Status Number() {
    const size_t start = at_;
    Take('-');
    if (!Take('0') && !Digits()) {
      at_ = start;
      return Fail(at_ == text_.size() ? "a value expected, got nothing" : "a value expected");
    }
    if (Take('.') && !Digits()) return Fail("a digit expected");
    if (Take('e') || Take('E')) {
      if (!Take('+')) Take('-');
      if (!Digits()) return Fail("a digit expected");
    }
    return absl::OkStatus();
  }

  bool Digits() {
    const size_t start = at_;
    while (absl::ascii_isdigit(Peek())) ++at_;
    return at_ > start;
  }

  absl::Status Text() {
    ++at_;
    bool high = false;  // half a pair has come
    while (true) {
      if (at_ == text_.size()) return Fail("`\"` expected");
      const auto c = static_cast<unsigned char>(text_[at_]);
      if (c < 0x20) return Fail("a control character must be escaped");
      int unit = 0;
      if (c == '\\') {
        if (absl::Status s = Escape(&unit); !s.ok()) return s;
      } else {
        ++at_;
      }
      const bool low = unit >= 0xdc00 && unit < 0xe000;
      if (high != low) return Fail("half a surrogate pair");
      if (c == '"') return absl::OkStatus();
      high = unit >= 0xd800 && unit < 0xdc00;
    }
  }

  absl::Status Escape(int* unit) {
    const char c = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
    if (c == 'u') {
      const absl::string_view digits = text_.substr(at_ + 2, 4);
      if (digits.size() < 4) return Fail("four hexadecimal digits expected");
      for (char digit : digits) {
        if (!absl::ascii_isxdigit(static_cast<unsigned char>(digit))) {
          return Fail("four hexadecimal digits expected");
        }
      }
      if (!absl::SimpleHexAtoi(digits, unit)) return Fail("four hexadecimal digits expected");
      at_ += 6;
      return absl::OkStatus();
    }
    if (absl::string_view("\"\\/bfnrt").find(c) == absl::string_view::npos || c == '\0') {
      return Fail("no such escape");
    }
    at_ += 2;
    return absl::OkStatus();
  }

  void Space() {
    while (Peek() == ' ' || Peek() == '\t' || Peek() == '\n' || Peek() == '\r') ++at_;
  }
  unsigned char Peek() const {
    return at_ < text_.size() ? static_cast<unsigned char>(text_[at_]) : '\0';
  }
  bool Take(char c) {
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  absl::Status Fail(absl::string_view what) const {
    return absl::InvalidArgumentError(absl::StrCat(what, " at byte ", at_));
  }

  absl::string_view text_;
  size_t at_ = 0;
  std::vector<char> open_;
  bool expects_value_ = false;
};

}  // namespace

absl::Status CheckJson(absl::string_view text) { return Checker(text).Check(); }

}  // namespace detente::query
