#include "intake/filtered_body.h"

#include "net/worker_pool.h"
#include "queue/await_commit.h"

namespace sidegate::intake {
namespace {

constexpr std::string_view kEmptyLine = "\r\n";

// RFC 5321 section 2.3.8: lines end with CRLF and nothing else does; no NUL. Filters write what they like.
std::string with_crlf(std::string_view piece, bool& after_cr) {
  std::string out;
  out.reserve(piece.size() + piece.size() / 32 + 2);
  for (char c : piece) {
    if (std::exchange(after_cr, c == '\r')) {
      out += kEmptyLine;
      if (c == '\n') continue;
    } else if (c == '\n') {
      out += kEmptyLine;
      continue;
    }
    if (c != '\r' && c != '\0') out += c;
  }
  return out;
}

}  // namespace

FilteredBody::FilteredBody(IntakeContext& context, Incoming& incoming) : context_(context), incoming_(incoming) {
  current_.chunks = incoming.chunks_put;
  current_.rest = std::move(incoming.body());
  current_.size = incoming.body_size();
  current_.separated = incoming.separated();
  rewind();
}

std::unexpected<Error> FilteredBody::in_trouble(Error error) {
  trouble_ = error;
  return std::unexpected(std::move(error));
}

// --- reading

void FilteredBody::rewind() {
  at_chunk_ = 0;
  at_ = current_.separated ? kEmptyLine.size() : 0;
  loaded_ = false;
}

net::Awaitable<Status> FilteredBody::load(std::uint32_t n) {
  auto read = [&store = context_.store, id = incoming_.id, generation = current_.generation, n] {
    return store.body_chunk(id, generation, n);
  };
  Result<std::string> chunk;
  if (context_.workers == nullptr) {
    chunk = read();
  } else {
    auto asked = co_await net::on_worker(*context_.workers, read);
    chunk = asked ? std::move(*asked) : std::unexpected(asked.error());
  }
  if (!chunk) co_return in_trouble(chunk.error());
  chunk_ = std::move(*chunk);
  loaded_ = true;
  co_return Status();
}

net::Awaitable<Result<std::string_view>> FilteredBody::next(std::size_t most) {
  for (;;) {
    const bool in_store = at_chunk_ < current_.chunks;
    if (in_store && !loaded_) {
      auto read = co_await load(at_chunk_);
      if (!read) co_return std::unexpected(read.error());
    }
    const std::string_view whole = in_store ? chunk_ : current_.rest;
    const std::string_view piece = whole.substr(std::min(at_, whole.size()), most);
    at_ += piece.size();
    if (!piece.empty() || !in_store) co_return piece;
    ++at_chunk_;
    at_ = 0;
    loaded_ = false;
    chunk_ = {};
  }
}

// --- another body

net::Awaitable<Status> FilteredBody::put(std::string piece) {
  if (!draft_) {
    chunk_ = {};
    loaded_ = false;
    draft_.emplace();
    draft_->version.generation = ++newest_;
    auto begun = co_await add(*draft_, kEmptyLine);
    if (!begun) co_return begun;
  }
  const std::string text = with_crlf(piece, draft_->after_cr);
  co_return co_await add(*draft_, text);
}

net::Awaitable<Status> FilteredBody::add(BodyDraft& draft, std::string_view text) {
  BodyVersion& version = draft.version;
  draft.check.push(text);
  version.size += text.size();
  if (!text.empty()) draft.ends_line = text.ends_with('\n');
  while (!text.empty()) {
    if (version.rest.size() == queue::kChunkSize) {
      queue::PutChunk chunk{incoming_.id, version.generation, version.chunks++, std::exchange(version.rest, {})};
      incoming_.other_bodies = true;
      Status put = co_await queue::commit(context_.store, std::move(chunk));
      if (!put) co_return in_trouble(put.error());
    }
    const std::string_view taken = text.substr(0, queue::kChunkSize - version.rest.size());
    version.rest.append(taken);
    text.remove_prefix(taken.size());
  }
  co_return Status();
}

void FilteredBody::settle(bool keep) {
  if (!draft_) return;
  if (keep && !trouble_) {
    // The last line is whole (RFC 5321 section 4.1.1.4). Beyond the chunk by two octets: those of the last chunk may.
    BodyDraft& draft = *draft_;
    if (draft.after_cr || !draft.ends_line) {
      draft.check.push(kEmptyLine);
      draft.version.rest += kEmptyLine;
      draft.version.size += kEmptyLine.size();
    }
    draft.check.finish();
    draft.version.eight_bit = draft.check.eight_bit();
    draft.version.longest_line = static_cast<std::uint32_t>(draft.check.longest_line());
    current_ = std::move(draft.version);
  }
  draft_.reset();
  rewind();
}

void FilteredBody::finish() {
  if (!replaced()) {
    incoming_.body() = std::move(current_.rest);
    return;
  }
  incoming_.generation = current_.generation;
  incoming_.replace_body(std::move(current_.rest), current_.chunks, current_.size, current_.eight_bit);
}

}  // namespace sidegate::intake
