// For tests of intake: a store that answers from another thread's point of view (after a post), keeps what was
// committed in order, and fails when told to.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "queue/store.h"

namespace sidegate::intake {

class FakeStore final : public queue::Store {
 public:
  struct Kept {
    queue::Message message;
    std::string header, body;
    std::vector<queue::DueRow> due;
  };
  std::map<QueueId, Kept> messages;
  using Chunks = std::map<std::uint32_t, std::vector<std::string>>;  // of a body, by generation
  std::map<QueueId, Chunks> open;                                    // of messages under way
  std::vector<queue::Outcome> outcomes;
  std::vector<queue::ClassRow> saved;
  std::vector<std::string> calls;         // "intern", "put 0", "accept", "discard"
  std::size_t fail_at = ~std::size_t{0};  // this commit, counted from 0, fails
  std::string fail_all;                   // every commit of this kind fails
  Error error{ErrorKind::kStorage, "injected"};
  std::size_t no_memory_at = SIZE_MAX;  // from this commit on there is no memory to take one
  Status accepting;
  std::map<std::string, std::string> kept_notes;

  void commit(queue::Change change, queue::Done done) override {
    if (calls.size() >= no_memory_at) throw std::bad_alloc();
    bool fails = calls.size() == fail_at || (!fail_all.empty() && kind(change) == fail_all);
    Status status = fails ? Status(std::unexpected(error)) : Status();
    if (auto* intern = std::get_if<queue::Intern>(&change)) {
      calls.push_back("intern");
      if (!fails) saved.insert(saved.end(), intern->classes.begin(), intern->classes.end());
    } else if (auto* put = std::get_if<queue::PutChunk>(&change)) {
      calls.push_back("put " + std::to_string(put->n));
      if (!fails) open[put->id][put->generation].push_back(std::move(put->bytes));
    } else if (auto* discard = std::get_if<queue::Discard>(&change)) {
      calls.push_back("discard");
      if (!fails) open.erase(discard->id);
    } else if (auto* remove = std::get_if<queue::Remove>(&change)) {
      calls.push_back("remove");
      if (!fails) messages.erase(remove->id);
    } else if (auto* note = std::get_if<queue::Note>(&change)) {  // no call of a message's story
      kept_notes[note->key] = std::move(note->value);
    } else if (auto* accept = std::get_if<queue::Accept>(&change)) {
      calls.push_back("accept");
      if (!fails) keep(*accept);
    } else if (auto* outcome = std::get_if<queue::Outcome>(&change)) {
      calls.push_back("outcome");
      if (!fails) outcomes.push_back(std::move(*outcome));
    }
    done(std::move(status));
  }

  Result<queue::ClaimPage> claim(std::size_t, WallTime) override { return queue::ClaimPage{}; }
  Status renew(const std::vector<queue::DueRow>&, WallTime) override { return {}; }
  Result<std::vector<queue::ClassRow>> classes() override { return saved; }
  Result<std::vector<queue::Note>> notes(const std::string& prefix) override {
    std::vector<queue::Note> all;
    for (const auto& [key, value] : kept_notes) {
      if (key.starts_with(prefix) && !value.empty()) all.push_back({key, value});
    }
    return all;
  }
  Result<queue::Message> message(QueueId) override { return none(); }
  Result<std::vector<queue::RecipientRow>> recipients(QueueId) override { return none(); }
  Result<std::string> header(QueueId) override { return none(); }
  Result<std::string> body_chunk(QueueId id, std::uint32_t generation, std::uint32_t n) override {
    auto found = open.find(id);
    if (found == open.end() || n >= found->second[generation].size()) return none();
    return found->second[generation][n];
  }
  Result<std::vector<queue::AttemptRow>> attempts(QueueId) override { return none(); }
  Result<std::vector<queue::ListRow>> find(const queue::Filter&, QueueId, std::size_t) override { return none(); }
  Result<queue::StrayPage> strays(QueueId, std::size_t) override { return none(); }
  QueueId highest_id() override { return {}; }
  queue::StoreState state() const override { return queue::StoreState::kOpen; }
  Status may_accept(std::uint64_t) const override { return accepting; }

 private:
  static std::string_view kind(const queue::Change& change) {
    return std::holds_alternative<queue::Intern>(change)    ? "intern"
           : std::holds_alternative<queue::Accept>(change)  ? "accept"
           : std::holds_alternative<queue::Discard>(change) ? "discard"
                                                            : "other";
  }
  static std::unexpected<Error> none() { return fail(ErrorKind::kNotFound, "not in this test"); }
  void keep(queue::Accept& accept) {
    Kept kept{*accept.message, std::move(accept.header), {}, std::move(accept.due)};
    for (const std::string& chunk : open[kept.message.id][kept.message.generation]) {
      if (accept.first_chunk > 0) kept.body += chunk;
    }
    kept.body += accept.body;
    open.erase(kept.message.id);
    messages.emplace(kept.message.id, std::move(kept));
  }
};

}  // namespace sidegate::intake
