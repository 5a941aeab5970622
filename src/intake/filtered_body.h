// The body of a message under way as filters read and replace it: from the store's chunks and what is in memory. A body
// that a filter makes goes to the store the same way, as another generation of it (queue/store.h), so that a session
// holds two chunks at most, whatever the size.
#pragma once

#include <optional>

#include "intake/context.h"
#include "intake/incoming.h"
#include "milter/milter.h"
#include "smtp/content_check.h"

namespace sidegate::intake {

struct BodyVersion {
  std::uint32_t generation = 0, chunks = 0;
  std::string rest;  // what follows the chunks
  std::uint64_t size = 0;
  bool separated = true;  // it begins with the header block's empty line
  bool eight_bit = false;
  std::uint32_t longest_line = 0;
};
// A body that is being made.
struct BodyDraft {
  BodyVersion version;
  smtp::ContentCheck check{SIZE_MAX};
  bool after_cr = false;
  bool ends_line = true;
};

class FilteredBody final : public milter::BodySource {
 public:
  FilteredBody(IntakeContext& context, Incoming& incoming);

  void rewind() override;
  net::Awaitable<Result<std::string_view>> next(std::size_t most) override;
  net::Awaitable<Status> put(std::string piece) override;
  void settle(bool keep) override;

  // The store's, not the filter's: the message cannot be taken.
  const std::optional<Error>& trouble() const { return trouble_; }
  // The body is one that a filter made; its longest line.
  bool replaced() const { return current_.generation != 0; }
  std::uint32_t longest_line() const { return current_.longest_line; }
  // Puts what came of it into the message under way.
  void finish();

 private:
  net::Awaitable<Status> load(std::uint32_t n);
  net::Awaitable<Status> add(BodyDraft& draft, std::string_view text);
  std::unexpected<Error> in_trouble(Error error);

  IntakeContext& context_;
  Incoming& incoming_;
  BodyVersion current_;
  std::optional<BodyDraft> draft_;
  std::uint32_t newest_ = 0;  // generation
  std::string chunk_;         // chunk number at_chunk_, where it is one of the store's
  std::uint32_t at_chunk_ = 0;
  std::size_t at_ = 0;  // in it
  bool loaded_ = false;
  std::optional<Error> trouble_;
};

}  // namespace sidegate::intake
