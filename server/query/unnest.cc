#include "query/unnest.h"

#include <map>

namespace detente::query {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

namespace {

bool IsList(const FieldDescriptor* field) { return field->is_repeated() && !field->is_map(); }

// The message that holds the last field of the path, which has no list before it; null where one
// on the way is absent.
const Message* HolderOf(const Message* message, const std::vector<const FieldDescriptor*>& path) {
  for (size_t i = 0; i + 1 < path.size(); ++i) {
    if (!message->GetReflection()->HasField(*message, path[i])) return nullptr;
    message = &message->GetReflection()->GetMessage(*message, path[i]);
  }
  return message;
}

const Message* ElementOf(const Slot& slot, const FieldDescriptor* list) {
  if (slot.holder == nullptr || list->message_type() == nullptr) return nullptr;
  return &slot.holder->GetReflection()->GetRepeatedMessage(*slot.holder, list, slot.index);
}

}  // namespace

Unnest::Unnest(absl::Span<const Leaf* const> leaves, size_t keys) {
  std::map<FieldPath, int> known;
  for (size_t i = 0; i < leaves.size(); ++i) {
    Way way{leaves[i], -1, {}};
    FieldPath whole;
    for (const FieldDescriptor* field : leaves[i]->path) {
      whole.push_back(field);
      way.path.push_back(field);
      if (!IsList(field)) continue;
      auto found = known.find(whole);
      if (found == known.end()) {
        if (i >= keys) continue;
        found = known.emplace(whole, static_cast<int>(lists_.size())).first;
        lists_.push_back({way.path, way.list});
      }
      way.list = found->second;
      way.path.clear();
    }
    ways_.push_back(std::move(way));
  }
}

void Unnest::Walk(const Message& record, Visit visit) const {
  std::vector<Slot> elements(lists_.size());
  WalkList(record, 0, &elements, visit);
}

bool Unnest::WalkList(const Message& record, size_t list, std::vector<Slot>* elements,
                      Visit visit) const {
  if (list < lists_.size()) {
    const List& one = lists_[list];
    const Message* around =
        one.parent < 0 ? &record
                       : ElementOf((*elements)[one.parent], lists_[one.parent].path.back());
    const Message* holder = around == nullptr ? nullptr : HolderOf(around, one.path);
    const int size =
        holder == nullptr ? 0 : holder->GetReflection()->FieldSize(*holder, one.path.back());
    if (size == 0) {
      (*elements)[list] = {};
      return WalkList(record, list + 1, elements, visit);
    }
    for (int i = 0; i < size; ++i) {
      (*elements)[list] = {holder, i};
      if (!WalkList(record, list + 1, elements, visit)) return false;
    }
    return true;
  }
  std::vector<std::vector<Slot>> slots(ways_.size());
  for (size_t i = 0; i < ways_.size(); ++i) {
    const Way& way = ways_[i];
    if (way.list >= 0 && way.path.empty()) {
      if ((*elements)[way.list].holder != nullptr) slots[i].push_back((*elements)[way.list]);
      continue;
    }
    const Message* around =
        way.list < 0 ? &record : ElementOf((*elements)[way.list], lists_[way.list].path.back());
    if (around != nullptr) Collect(*around, way.path, 0, &slots[i]);
  }
  return visit(slots);
}

void Unnest::Collect(const Message& message, const FieldPath& path, size_t at,
                     std::vector<Slot>* slots) {
  const Reflection* reflection = message.GetReflection();
  const bool last = at + 1 == path.size();
  if (!IsList(path[at])) {
    if (last) {
      slots->push_back({&message, -1});
    } else if (reflection->HasField(message, path[at])) {
      Collect(reflection->GetMessage(message, path[at]), path, at + 1, slots);
    } else {
      slots->push_back({});
    }
    return;
  }
  for (int i = 0; i < reflection->FieldSize(message, path[at]); ++i) {
    if (last) {
      slots->push_back({&message, i});
    } else {
      Collect(reflection->GetRepeatedMessage(message, path[at], i), path, at + 1, slots);
    }
  }
}

}  // namespace detente::query
