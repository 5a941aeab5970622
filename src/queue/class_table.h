// Classes: what routing looks at, interned. A class knows its ordered ways and its sender; messages know their class.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "queue/families.h"
#include "queue/flat_index.h"
#include "queue/lease.h"

namespace sidegate::queue {

// A slot is the class's place in this table: dense, and free again once nothing uses the class.
class ClassTable {
 public:
  explicit ClassTable(Families& families) : families_(families) {}

  struct Class {
    ClassId id = 0;       // 0: a free slot
    bool stored = false;  // its row is known to be in the store
    std::string key;      // its parts, NUL between
    std::uint32_t sender = kNone;
    std::uint32_t first_lane = kNone;  // its lanes with ready messages
    std::uint32_t entries = 0;
    std::int64_t last_use = 0;  // steady clock, milliseconds
    const Route* route = nullptr;
  };
  struct Sender {
    std::string key;
    std::uint32_t classes = 0;          // 0: a free slot
    std::uint32_t first_queue = kNone;  // its queues of ready messages, one a way
  };

  // Every class is routed anew; ways at or above `ways` are dropped from routes.
  void set_router(Router router, std::size_t ways);

  std::uint32_t intern(const ClassKey& key);  // a new class gets an id that was never used
  std::uint32_t restore(ClassId id, const ClassKey& key);
  std::uint32_t slot(ClassId id);  // an id nobody told us of: a class with an empty key

  // Examines a few classes, forgets those that nothing used for an hour: senders with a new address for each message
  // (VERP) would make this table grow for ever.
  void sweep(std::int64_t now, unsigned how_many);

  Class& operator[](std::uint32_t slot) { return classes_[slot]; }
  const Class& operator[](std::uint32_t slot) const { return classes_[slot]; }
  Sender& sender(std::uint32_t slot) { return senders_[slot]; }
  std::size_t size() const { return by_id_.size(); }
  std::size_t memory() const;

 private:
  std::uint32_t make(ClassId id, std::string key);
  void forget(std::uint32_t slot);
  std::uint32_t take_sender(std::string_view key);
  void give_sender(std::uint32_t slot);
  const Route* route(std::string_view key);
  void leave(const Route* route);

  std::vector<Class> classes_;
  std::vector<Sender> senders_;
  std::vector<std::uint32_t> free_classes_, free_senders_;
  std::unordered_map<ClassId, std::uint32_t> by_id_;
  FlatIndex by_key_, senders_by_key_;
  Families& families_;
  // How many classes go so: few routes where ways are relays, one a destination where it is a family's member.
  std::map<Route, std::uint32_t> routes_;
  Router router_;
  std::size_t ways_ = 0;
  ClassId last_id_ = 0;
  std::uint32_t sweep_at_ = 0;
  std::size_t text_octets_ = 0;
};

}  // namespace sidegate::queue
