#include "queue/ledger.h"

#include "queue/accounts.h"

namespace sidegate::queue {
namespace {
constexpr Duration kForgotten = std::chrono::hours(24 * 30);
}

Status Ledger::load(WallTime now) {
  auto notes = state_->store.notes(kAccountNotes);
  if (!notes) return std::unexpected(notes.error());
  for (const Note& note : *notes) {
    const auto row = quota::decode(note.value, account_plan(), SteadyTime{}, now);
    if (!row || now - row->last_used > kForgotten) {
      state_->store.commit(Note{note.key, {}}, [](Status) {});
      continue;
    }
    state_->scheduler.restore_ledger(std::string_view(note.key).substr(std::string_view(kAccountNotes).size()),
                                     note.value);
  }
  return {};
}

void Ledger::write() {
  write(state_);
}

void Ledger::finish() {
  state_->finished.store(true);
  for (auto& [key, note] : state_->scheduler.take_ledger())
    state_->store.commit(Note{kAccountNotes + key, std::move(note)}, [](Status) {});
}

void Ledger::write(const std::shared_ptr<State>& state) {
  if (state->finished.load()) return;
  for (;;) {
    if (state->writing.exchange(true)) {
      state->again.store(true);
      // The write under way may have ended in between: then this one is ours after all.
      if (state->writing.load()) return;
      continue;
    }
    state->again.store(false);
    auto rows = state->scheduler.take_ledger();
    if (rows.empty()) {
      state->writing.store(false);
      if (!state->again.load()) return;
      continue;
    }
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const bool last = i + 1 == rows.size();
      state->store.commit(Note{kAccountNotes + rows[i].first, std::move(rows[i].second)}, [state, last](Status) {
        if (!last) return;
        state->writing.store(false);
        if (state->again.exchange(false)) write(state);
      });
    }
    return;
  }
}

}  // namespace sidegate::queue
